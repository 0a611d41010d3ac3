"""What a plan breaks, in words for people: the rule, the place by its name, the figures."""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import pandas as pd

from catchment.optimise import consolidation as model
from catchment.region.model import Region
from catchment.run.model import names_of_sites


@dataclass(frozen=True)
class Words:
    """One rule of a plan in words.

    Attributes
    ----------
    kind : str
        ``rule`` (of an authority, or of common sense), ``limit`` (the user's own), ``model`` (how
        the optimiser's plans are made).
    zh, en : str
        What is wrong.
    """

    kind: str
    zh: str
    en: str


@functools.cache
def _table() -> dict[str, Words]:
    text = files("catchment.run").joinpath("violations.csv").read_text(encoding="utf-8")
    return {
        r["rule"]: Words(r["kind"], r["zh"], r["en"]) for r in csv.DictReader(text.splitlines())
    }


def words_of(rule: str) -> Words:
    """Words of a rule of :func:`catchment.optimise.consolidation.check`.

    Parameters
    ----------
    rule : str
        Its name; what follows a colon does not matter.

    Returns
    -------
    Words
        Its words; the name itself where the table has none.
    """
    return _table().get(rule) or _table().get(rule.split(":")[0]) or Words("model", rule, rule)


def names_of(region: Region) -> dict[str, str]:
    """Names of schools, sites and villages by their codes.

    Parameters
    ----------
    region : Region
        The county.

    Returns
    -------
    dict of str to str
        Names; schools have the last word where a village bears the same code.
    """
    villages = region.villages
    own = dict(zip(villages["village_id"].astype(str), villages["name"].astype(str), strict=True))
    return {**own, **names_of_sites(region)}


def spoken(
    found: model.Violation, names: Mapping[str, str], *, years: Sequence[int] = ()
) -> tuple[str, str]:
    """Say what a plan breaks.

    Parameters
    ----------
    found : Violation
        What was found.
    names : mapping of str to str
        Names of places by code, see :func:`names_of`.
    years : sequence of int, optional
        Years in which the same is broken, ascending; the finding's own by default.

    Returns
    -------
    tuple of str
        A sentence in Chinese and one in English: rule, place, year, what there is and the limit.
    """
    words = words_of(found.rule)
    where = names.get(found.where, found.where)
    span = span_of(years or [found.year])
    year_zh, year_en = (f"{span} 年", span.replace("、", ", ")) if found.year else ("", "")
    known = not (math.isnan(found.value) or math.isnan(found.limit))
    shown = known and words.kind != "model" and found.rule not in _POSITIONS
    amount_zh = f"（{found.value:g}，限 {found.limit:g}）" if shown else ""
    amount_en = f" ({found.value:g}, limit {found.limit:g})" if shown else ""
    zh = "，".join(x for x in (where, year_zh, words.zh) if x) + amount_zh
    en = ", ".join(x for x in (where, year_en, words.en) if x) + amount_en
    return zh, en


def span_of(years: Sequence[int]) -> str:
    """Return school years in words, three or more in a row as from–to.

    Parameters
    ----------
    years : sequence of int
        School years, rising.

    Returns
    -------
    str
        The years, divided by 、.

    Examples
    --------
    >>> span_of([2027, 2028, 2029, 2032, 2034, 2035])
    '2027–2029、2032、2034、2035'
    """
    runs: list[list[int]] = []
    for year in years:
        if runs and year == runs[-1][-1] + 1:
            runs[-1].append(year)
        else:
            runs.append([year])
    return "、".join(
        f"{run[0]}–{run[-1]}" if len(run) > 2 else "、".join(map(str, run)) for run in runs
    )


_FORBIDS = ("R-CON-01", "R-CON-07")
_LACKS = ("R-CON-03", "R-CON-06")
_VERDICT = "R-GATE"


def remedies(broken: pd.DataFrame) -> tuple[str, str]:
    """Say what would have to give before a plan that newly breaks hard rules is carried out.

    What is lacking can be built; a school that may not be closed cannot, whatever is built.

    Parameters
    ----------
    broken : DataFrame
        ``code, place`` of what it breaks.

    Returns
    -------
    tuple of str
        A sentence in Chinese and one in English.
    """
    code = broken["code"].astype(str)
    zh, en = [], []
    for forbids in _FORBIDS:
        places = list(dict.fromkeys(broken.loc[code == forbids, "place"].astype(str)))
        if places:
            zh.append(
                f"{'、'.join(places)}不得撤并（{forbids}），不能靠补建解决，请从方案中删去这项行动"
            )
            en.append(
                f"{', '.join(places)} may not be closed ({forbids}), whatever is built: take the action out of the recipe"
            )
    if code.isin(_LACKS).any():
        zh.append("缺什么见 broken.csv，补齐后再撤")
        en.append("what is lacking is in broken.csv and comes first")
    rest = sorted(set(code) - {*_FORBIDS, *_LACKS, _VERDICT})
    if rest or not zh:
        named = rest or [_VERDICT]
        zh.append(f"{'、'.join(named)} 见 broken.csv，未解决前不得实施")
        en.append(
            f"{', '.join(named)}: see broken.csv; not to be carried out before that is settled"
        )
    return "；".join(zh), "; ".join(en)


_POSITIONS = (
    "sent as demanded", "state allowed", "the school is open",
    "the new school is of the village's area",
)  # fmt: skip
"""Rules whose figures are positions of arrays, which say nothing to people."""
