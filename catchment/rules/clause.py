"""One clause of a rule book."""

from __future__ import annotations

from dataclasses import dataclass

OPERATORS = ("", "<=", "<", ">=", ">", "=")
SEVERITIES = ("hard", "standard", "process", "soft")
EVALUATIONS = ("computed", "evidence", "nodata", "statement")


@dataclass(frozen=True)
class Rule:
    """A quantity, a bound and where the bound comes from.

    Attributes
    ----------
    code : str
        Code, such as ``R-TRV-01``; several clauses may share one and differ in ``applies_to``.
    title_zh, title_en : str
        What is asked.
    quantity, operator : str
        What is measured and how it compares with the limit.
    limit : float or None
        The bound; None where a county has to set it or where there is no number.
    unit : str
        Unit of quantity and limit.
    applies_to : str
        Where it applies: ``key=value|value`` parts joined by ``;``.
    severity : str
        ``hard`` (forbidden), ``standard`` (fails an inspection), ``process`` (a step or a document)
        or ``soft`` (a planning value).
    evaluate : str
        ``computed`` from data, ``evidence`` to be recorded, ``nodata`` (no layer holds it) or
        ``statement`` (for the report, nothing to check).
    jurisdiction : str
        ``national`` or the name of a province or county.
    effective_from, effective_to : str
        Dates or years; empty where unknown.
    document_zh, document_en, document_no, year, clause : str
        The document; number, year and clause are empty where they are not known.
    verified : bool
        Whether number and wording were seen in a source.
    note_zh, note_en : str
        Notes for people.
    loosened : str
        Reason for a county's looser limit; empty where it is as strict as the book or stricter.
    """

    code: str
    title_zh: str
    title_en: str
    quantity: str
    operator: str
    limit: float | None
    unit: str
    applies_to: str
    severity: str
    evaluate: str
    jurisdiction: str
    effective_from: str
    effective_to: str
    document_zh: str
    document_en: str
    document_no: str
    year: str
    clause: str
    verified: bool
    note_zh: str
    note_en: str
    loosened: str = ""

    @property
    def scope(self) -> dict[str, tuple[str, ...]]:
        """Parts of ``applies_to`` by key; a part without ``=`` has no values."""
        parts = (p.partition("=") for p in self.applies_to.split(";") if p)
        return {key: tuple(value.split("|")) if value else () for key, _, value in parts}

    def citation(self, lang: str) -> str:
        """Title, number, year and clause, and whether they were verified.

        Parameters
        ----------
        lang : {"zh", "en"}
            Language.

        Returns
        -------
        str
            One line; never an address.
        """
        if lang == "zh":
            extra = "，".join(x for x in (self.document_no or self.year, self.clause) if x)
            text = f"《{self.document_zh}》" + (f"（{extra}）" if extra else "")
            return text if self.verified else text + "〔未核实〕"
        extra = ", ".join(x for x in (self.document_no or self.year, self.clause) if x)
        text = self.document_en + (f" ({extra})" if extra else "")
        return text if self.verified else text + " [unverified]"

    def holds(self, value: float) -> bool:
        """Whether a value meets the limit.

        Parameters
        ----------
        value : float
            Measured value.

        Returns
        -------
        bool
            True where it does.

        Raises
        ------
        ValueError
            When the clause has no limit.
        """
        if self.limit is None:
            raise ValueError(f"{self.code}: no limit")
        return {
            "<=": value <= self.limit,
            "<": value < self.limit,
            ">=": value >= self.limit,
            ">": value > self.limit,
            "=": value == self.limit,
        }[self.operator]

    def excess(self, value: float) -> float:
        """How far a value is beyond the limit.

        Parameters
        ----------
        value : float
            Measured value.

        Returns
        -------
        float
            0 where the limit is met.

        Raises
        ------
        ValueError
            When the clause has no limit.
        """
        if self.holds(value) or self.limit is None:
            return 0.0
        return abs(value - self.limit)
