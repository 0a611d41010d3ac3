"""Findings: a rule applied to a place and a year."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from catchment.rules.clause import Rule

COLUMNS = (
    "code",
    "title_zh",
    "title_en",
    "kind",
    "id",
    "place",
    "year",
    "value",
    "limit",
    "excess",
    "unit",
    "severity",
    "result",
    "citation_zh",
    "citation_en",
    "verified",
    "detail_zh",
    "detail_en",
    "students",
    "estimated",
)
"""Columns of the table of findings; ``estimated`` says that students of the place and year are
projected or estimated, not counted."""

RESULTS = ("fail", "unknown", "evidence", "pass")
"""Results: broken, undecided for want of data, document awaited, kept."""

NAN = float("nan")


@dataclass
class Findings:
    """Collects findings; the caller turns them into one table at the end.

    Attributes
    ----------
    rows : list of dict
        Findings so far.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        rule: Rule,
        kind: str,
        ident: str,
        place: str,
        year: int,
        value: float,
        result: str,
        zh: str = "",
        en: str = "",
        *,
        students: int = 0,
        severity: str = "",
    ) -> None:
        """Add one finding.

        Parameters
        ----------
        rule : Rule
            The clause.
        kind : {"county", "township", "site", "village", "group", "class"}
            What sort of place.
        ident, place : str
            Its code and its name.
        year : int
            School year.
        value : float
            Measured value, nan where there is none.
        result : {"pass", "fail", "unknown", "evidence"}
            What came of it.
        zh, en : str
            Details.
        students : int
            Students concerned.
        severity : str
            Severity where it differs from the clause's.
        """
        limit = NAN if rule.limit is None else rule.limit
        if rule.loosened:
            zh = "；".join(x for x in (zh, f"县级放宽 {rule.loosened}") if x)
            en = "; ".join(x for x in (en, f"loosened by the county {rule.loosened}") if x)
        excess = rule.excess(value) if value == value and rule.limit is not None else NAN
        self.rows.append(
            {
                "code": rule.code,
                "title_zh": rule.title_zh,
                "title_en": rule.title_en,
                "kind": kind,
                "id": ident,
                "place": place,
                "year": year,
                "value": value,
                "limit": limit,
                "excess": excess if result == "fail" else 0.0 if result == "pass" else NAN,
                "unit": rule.unit,
                "severity": severity or rule.severity,
                "result": result,
                "citation_zh": rule.citation("zh"),
                "citation_en": rule.citation("en"),
                "verified": rule.verified,
                "detail_zh": zh,
                "detail_en": en,
                "students": students,
                "estimated": False,
            }
        )

    def table(self) -> pd.DataFrame:
        """Return all findings.

        Returns
        -------
        DataFrame
            Columns :data:`COLUMNS`, in the order of adding.
        """
        return pd.DataFrame(self.rows, columns=list(COLUMNS))
