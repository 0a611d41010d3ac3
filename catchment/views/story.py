"""One run ready to be told: its tables, its findings and the words of one language."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from catchment.errors import InputError
from catchment.run import Run
from catchment.views.facts import Facts, distinct, figure, read_facts, text_column, villages_moving
from catchment.views.plain import decimal, plain
from catchment.views.words import LANGS, name_of, word

if TYPE_CHECKING:
    from catchment.views.base_map import BaseMap

_HALVES = re.compile("(.*[\u4e00-\u9fff].*[。！；])\\s*([A-Za-z][\x20-\x7e]+)")

GATE_CODES = ("R-TRV-05",)
"""Rules of the closing gate beside those whose code begins with ``R-CON``."""

NOTICE = ("place", "contact", "phone", "until")
"""What a county may say about how to respond; left out, there are lines to fill in by hand."""

RESULTS = ("fail", "unknown", "evidence", "pass")
"""Results of a finding, the gravest first."""


@dataclass(frozen=True)
class Story:
    """One run in one language.

    Attributes
    ----------
    run : Run
        The run.
    facts : Facts
        Its tables.
    findings : DataFrame
        ``code, title, kind, id, place, year, value, limit, excess, unit, severity, result,
        citation, verified, detail, plan`` in the language, all columns present.
    lang : str
        ``zh`` or ``en``.
    base : BaseMap, optional
        The user's own base map, in the county's metric system, under every map.
    """

    run: Run
    facts: Facts
    findings: pd.DataFrame
    lang: str
    base: BaseMap | None = None

    def say(self, key: str, **values: Any) -> str:
        """Words of a key in the story's language.

        Parameters
        ----------
        key : str
            Key of ``words.csv``.
        **values
            What is filled in.

        Returns
        -------
        str
            The words.
        """
        return word(key, self.lang, **values)

    def name(self, kind: str, value: Any) -> str:
        """Words for a coded value.

        Parameters
        ----------
        kind : str
            What is coded.
        value : object
            The code.

        Returns
        -------
        str
            The code itself where there are no words for it.
        """
        return plain(name_of(kind, value, self.lang))

    def band(self, band: str) -> str:
        """Name of a band, as the county's own table gives it.

        Parameters
        ----------
        band : str
            Code of the band.

        Returns
        -------
        str
            Its name.
        """
        for known in self.run.region.bands:
            if known.band == band:
                return plain(known.zh if self.lang == "zh" else known.en)
        return self.name("band", band)

    def mark(self, estimated: bool) -> str:
        """Sign of an estimated number of students.

        Parameters
        ----------
        estimated : bool
            Whether a number is an estimate.

        Returns
        -------
        str
            Empty where all numbers of the year are estimates: then one sentence says so.
        """
        flags = self.run.problem.estimated[:, self.facts.focus_at]
        return "※" if estimated and not flags.all() else ""

    def half(self, text: str) -> str:
        """Half of a note that is written in both languages.

        Parameters
        ----------
        text : str
            Chinese, then `` / `` or a full stop, then English; or one text for both.

        Returns
        -------
        str
            The half in the story's language.
        """
        return half_of(text, self.lang)

    def placed(self, name: str, place: str) -> str:
        """Name with where it lies in brackets.

        Parameters
        ----------
        name, place : str
            What is named, and where it lies; the latter may be empty.

        Returns
        -------
        str
            In the manner of the language.
        """
        if not place:
            return name
        return f"{name}（{place}）" if self.lang == "zh" else f"{name} ({place})"

    def schools(self, codes: str) -> str:
        """Names of schools.

        Parameters
        ----------
        codes : str
            Their codes, joined by a space.

        Returns
        -------
        str
            Joined in the manner of the language; empty where there are none.
        """
        names = self.distinct()
        return self.list_of([names.get(code, code) for code in codes.split()])

    def moving(self) -> str:
        """Tell how many villages get another school in each year, where schools close or not.

        Returns
        -------
        str
            A sentence; villages, never students.
        """
        told = villages_moving(self.run).items()
        parts = [self.say("post.moving_year", year=year, count=count) for year, count in told]
        return (
            self.say("post.moving", years=self.list_of(parts)) if parts else self.say("post.still")
        )

    def distinct(self, what: str = "site") -> dict[str, str]:
        """Names that tell schools or villages apart, the township behind those of namesakes.

        Parameters
        ----------
        what : {"site", "village"}
            Of which names.

        Returns
        -------
        dict
            By code.
        """
        table = self.facts.sites if what == "site" else self.facts.villages
        return {code: self.placed(*parts) for code, parts in distinct(table, f"{what}_id").items()}

    def shares(self, parts: Sequence[Mapping[str, Any]]) -> str:
        """Tell which schools the children of a village go to, and how many to each.

        Parameters
        ----------
        parts : sequence of mapping
            Rows of ``Facts.trips`` of one village, band and year.

        Returns
        -------
        str
            School, students, minutes and why; empty where there are no parts.
        """
        texts = [
            self.say(
                "share.line", school=part["site"] or self.say("unserved"),
                students=part["students"], minutes=decimal(part["minutes"]),
                why=self.name("part", part["part"]),
            )
            for part in parts
            if part["students"] > 0
        ]  # fmt: skip
        return self.parts(texts)

    def parts(self, texts: list[str]) -> str:
        """Join parts of a sentence.

        Parameters
        ----------
        texts : list of str
            Parts in order; empty ones are left out.

        Returns
        -------
        str
            Joined by the language's own semicolon.
        """
        return ("；" if self.lang == "zh" else "; ").join(text for text in texts if text)

    def list_of(self, names: list[str], most: int = 0) -> str:
        """Join names.

        Parameters
        ----------
        names : list of str
            Names in order.
        most : int
            Most names shown; 0 for all.

        Returns
        -------
        str
            Joined in the manner of the language.
        """
        between = "、" if self.lang == "zh" else ", "
        text = between.join(names[:most] if most else names)
        if most and len(names) > most:
            text += (
                self.say("sum.and_more")
                if self.lang == "zh"
                else between + self.say("sum.and_more")
            )
        return text

    def county(self, indicator: str, year: int, plan: str) -> float | None:
        """Figure of the whole county.

        Parameters
        ----------
        indicator : str
            Name of the measure.
        year : int
            School year.
        plan : {"today", "plan"}
            Which arrangement.

        Returns
        -------
        float or None
            None where the run has no such figure.
        """
        return figure(self.facts, indicator, year, plan)


def tell(run: Run, lang: str, *, base: BaseMap | None = None) -> Story:
    """Make a run ready to be told in a language.

    Parameters
    ----------
    run : Run
        A finished run.
    lang : {"zh", "en"}
        Language.
    base : BaseMap, optional
        The user's own base map, in the county's metric system.

    Returns
    -------
    Story
        The run with its tables.

    Raises
    ------
    InputError
        When the language is not known.
    """
    if lang not in LANGS:
        raise InputError(f"lang = {lang!r}：只有 zh 和 en / there is only zh and en")
    return Story(
        run=run, facts=read_facts(run), findings=_findings(run, lang), lang=lang, base=base
    )


def half_of(text: str, lang: str) -> str:
    """Half of a note that is written in both languages, as :meth:`Story.half` gives it.

    Parameters
    ----------
    text : str
        Chinese, then `` / `` or a full stop, then English; or one text for both.
    lang : {"zh", "en"}
        Language.

    Returns
    -------
    str
        The half in the language.
    """
    found = _HALVES.fullmatch(text)
    if found:
        return found.group(1 if lang == "zh" else 2)
    parts = [part.strip() for part in text.split(" / ")]
    return parts[0] if lang == "zh" else parts[-1]


def digest_of(run: Run) -> str:
    """Digest that names the inputs of a run.

    Parameters
    ----------
    run : Run
        A finished run.

    Returns
    -------
    str
        Sixteen hexadecimal digits: the run's own digest, or one of the digests of its sources.
    """
    given = plain(run.provenance.get("digest"))
    if given:
        return given[:16]
    sources = sorted((s.layer, s.file, s.sha256) for s in run.region.sources)
    return hashlib.sha256(repr(sources).encode("utf-8")).hexdigest()[:16]


def origin_of(run: Run) -> str:
    """Say in one line what a file of a run was made from, for the properties of the file.

    Parameters
    ----------
    run : Run
        A finished run.

    Returns
    -------
    str
        Version, digest of every input, seed and rule books.
    """
    facts = run.provenance
    books = ",".join(plain(b, longest=40) for b in facts.get("rule_books") or ())
    version = plain(facts.get("catchment"), longest=20)
    seed = plain(facts.get("seed", run.plan.seed), longest=20)
    return f"catchment {version}; digest {digest_of(run)}; seed {seed}; rules {books}"


def standing(story: Story) -> str:
    """Say what a sheet is: map review number, author, dates of the data.

    Parameters
    ----------
    story : Story
        The run.

    Returns
    -------
    str
        One line; without a review number the sheet is internal, and what is missing is said.
    """
    return standing_of(story.run.provenance, story.lang)


def standing_of(given: Mapping[str, Any], lang: str) -> str:
    """Say what a sheet is from the provenance of a run, as :func:`standing` does.

    Parameters
    ----------
    given : mapping
        Provenance of the run.
    lang : {"zh", "en"}
        Language.

    Returns
    -------
    str
        One line.
    """
    review = plain(given.get("review_number"), longest=60)
    missing = word("standing.missing", lang)
    return word(
        "standing.line",
        lang,
        review=word("standing.review", lang, number=review) if review else word("internal", lang),
        author=plain(given.get("author"), longest=120) or missing,
        dates=plain(given.get("data_dates"), longest=200) or missing,
    )


def mark_of(given: Sequence[Mapping[str, Any]], lang: str) -> str:
    """Say in the corner of a picture that it is reviewed, or that it is internal.

    Parameters
    ----------
    given : sequence of mapping
        Provenance of every run that the picture shows.
    lang : {"zh", "en"}
        Language.

    Returns
    -------
    str
        The review numbers where every run has one, else the note that the picture is internal.
    """
    numbers = [plain(each.get("review_number"), longest=60) for each in given]
    if not numbers or not all(numbers):
        return word("internal", lang)
    return word("standing.review", lang, number="; ".join(dict.fromkeys(numbers)))


def rules_of(run: Run) -> str:
    """Rule books of a run and how many rules they hold.

    Parameters
    ----------
    run : Run
        A finished run.

    Returns
    -------
    str
        A dash where the run does not say.
    """
    books = run.provenance.get("rule_books") or run.provenance.get("rules_version")
    if not books:
        return "—"
    text = "+".join(plain(b) for b in books) if isinstance(books, list | tuple) else plain(books)
    text = plain(text, longest=60)
    digest = plain(run.provenance.get("rules_digest"))[:8]
    count = run.provenance.get("rules")
    more = [f"n={count}"] if isinstance(count, int) else []
    more += [digest] if digest else []
    return f"{text} ({', '.join(more)})" if more else text


def open_findings(table: pd.DataFrame, focus: int) -> pd.DataFrame:
    """Choose the findings that stay open under the plan: not those of today, nor of the years on the way.

    Parameters
    ----------
    table : DataFrame
        Findings of a run or of a :class:`Story`.
    focus : int
        Year to which the documents speak.

    Returns
    -------
    DataFrame
        Rows of the plan and of the year, or of no year, that are not passed, and those of the
        closing gate up to the year: they are judged when a school closes. A result that is not
        known is ``unknown``.
    """
    if table.empty:
        return table
    rows = table.reset_index(drop=True)
    if "plan" in rows.columns:
        rows = rows[rows["plan"].fillna("").isin(["", "plan"])]
    if "year" in rows.columns:
        year = pd.to_numeric(rows["year"], errors="coerce").fillna(0)
        rows = rows[year.isin([0, focus]) | (of_gate(rows["code"]) & (year <= focus))]
    known = rows["result"].isin(RESULTS)
    rows = rows.assign(result=rows["result"].where(known, "unknown"))
    return rows[rows["result"] != "pass"]


def of_gate(codes: pd.Series) -> pd.Series:
    """Tell which rules are of the closing gate.

    Parameters
    ----------
    codes : Series
        Codes of rules.

    Returns
    -------
    Series
        True where the rule is judged when a school closes.
    """
    known = codes.astype(str)
    return known.str.startswith("R-CON") | known.isin(GATE_CODES)


def notice_of(run: Run) -> dict[str, str]:
    """How to respond, as the recipe's ``[notice]`` tells it.

    Parameters
    ----------
    run : Run
        A finished run.

    Returns
    -------
    dict
        ``place``, ``contact``, ``phone``, ``until`` as far as they are given.
    """
    given = run.scenario.get("notice")
    told = given if isinstance(given, Mapping) else {}
    return {key: plain(told[key], longest=120) for key in NOTICE if told.get(key)}


def _findings(run: Run, lang: str) -> pd.DataFrame:
    table = run.findings.reset_index(drop=True)
    result = pd.DataFrame(index=table.index)
    for name in ("code", "kind", "id", "place", "unit", "severity", "result", "plan"):
        result[name] = text_column(table, name)
    other = "en" if lang == "zh" else "zh"
    for name in ("title", "citation", "detail"):
        result[name] = text_column(table, f"{name}_{lang}", name, f"{name}_{other}")
    for name in ("value", "limit", "excess"):
        values = table[name] if name in table.columns else pd.Series(pd.NA, index=table.index)
        result[name] = values.astype(object)
    year = table["year"] if "year" in table.columns else pd.Series(0, index=table.index)
    result["year"] = pd.to_numeric(year, errors="coerce").fillna(0).astype(int)
    checked = (
        table["verified"] if "verified" in table.columns else pd.Series(False, index=table.index)
    )
    result["verified"] = [value in (True, 1, "true", "True", "yes") for value in checked]
    # An unknown word for a result must never look like a pass.
    result["result"] = result["result"].where(result["result"].isin(RESULTS), "unknown")
    return result
