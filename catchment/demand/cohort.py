"""Cohort component method: births and grades carried through the years, in whole numbers.

Every step moves whole children: rates decide county totals, which are rounded once and shared out
to the villages by largest remainder, so that villages always add up to the county. With every rate
1 and nobody moving, a cohort passes through unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.demand.table import (
    SOURCES,
    entrant_level,
    entrant_rate,
    largest_remainder,
)
from catchment.errors import InputError
from catchment.region.model import Region

Int64 = npt.NDArray[np.int64]
Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

NAMED_SOURCES = ("births", "registered", "residents", "enrolled")
"""Sources of a county: births (health), registered children (police), residents (statistics),
enrolled students (education)."""

ENTRY_AGE = 6
"""Age in completed years at which a child enters grade 1."""


@dataclass(frozen=True)
class Assumptions:
    """What is assumed of the years to come.

    Attributes
    ----------
    progression : tuple of float
        (g - 1) share of a grade found one grade higher a year later; above 1 where more arrive
        than leave.
    entry : float
        Entrants of grade 1 for each child born :data:`ENTRY_AGE` years before.
    growth : float or None
        Yearly change of entrants in years without births, as a share (-0.03 = 3 % fewer); None
        follows the sizes of the cohorts at school, by the same rule as the table of demand.
    migration : float
        Share of the children of villages outside the town who move to the town each year.
    incoming : tuple of int
        (g) children of migrant workers (随迁子女) who arrive in the town each year by grade; empty
        for none.
    tilt : float
        Yearly change put on top of entrants, whether from births or from the trend; what high and
        low variants differ in.
    """

    progression: tuple[float, ...]
    entry: float = 1.0
    growth: float | None = 0.0
    migration: float = 0.0
    incoming: tuple[int, ...] = ()
    tilt: float = 0.0


@dataclass(frozen=True)
class Flows:
    """Where the children of each year came from; adds up exactly.

    Attributes
    ----------
    counts : (v, g, t + 1) int64
        Children by village, grade and year; the first year is the base.
    entrants, arrivals : (t,) int64
        Children who entered the first grade, and who came from outside the county (migrant
        workers' children; progression above 1).
    leavers, graduates : (t,) int64
        Children lost between grades, and who left the last grade.
    moved : (t,) int64
        Children who moved to the town within the county.
    """

    counts: Int64
    entrants: Int64
    arrivals: Int64
    leavers: Int64
    graduates: Int64
    moved: Int64


def progression_rates(history: npt.ArrayLike, *, years: int = 5) -> Float:
    """Grade progression rates of the county, pooled over the latest years.

    Parameters
    ----------
    history : array_like of int
        (v, g, t) children by village, grade and consecutive year.
    years : int
        Latest transitions to use, at least 1.

    Returns
    -------
    (g - 1,) float64
        Children in grade k + 1 for each child in grade k a year before; 1 where there were none.
    """
    past = np.asarray(history, dtype=np.float64)
    if past.ndim != 3 or past.shape[2] < 2 or years < 1:
        raise InputError(
            "升级率需要至少两个连续年份的分年级人数 / progression rates need two consecutive years"
        )
    before = past[:, :-1, :-1][:, :, -years:].sum(axis=(0, 2))
    after = past[:, 1:, 1:][:, :, -years:].sum(axis=(0, 2))
    return np.where(before > 0, after / np.where(before > 0, before, 1), 1.0)


def entry_rates(entrants: npt.ArrayLike, births: npt.ArrayLike, *, prior: float = 30.0) -> Float:
    """Entrants for each child born, by village, drawn towards the county where births are few.

    Parameters
    ----------
    entrants, births : array_like of int
        (v, t) entrants of the first grade and the births that they come from.
    prior : float
        Births that the county's rate counts for; 0 trusts each village alone.

    Returns
    -------
    (v,) float64
        Rates, 0 or more.
    """
    came = np.asarray(entrants, dtype=np.float64).sum(axis=1)
    born = np.asarray(births, dtype=np.float64).sum(axis=1)
    county = came.sum() / born.sum() if born.sum() else 1.0
    return np.asarray((came + prior * county) / np.maximum(born + prior, 1e-9), dtype=np.float64)


def project(
    base: npt.ArrayLike,
    years: int,
    assumptions: Assumptions,
    *,
    births: npt.ArrayLike | None = None,
    entry: npt.ArrayLike | None = None,
    town: npt.ArrayLike | None = None,
) -> Flows:
    """Carry children through the years.

    Parameters
    ----------
    base : array_like of int
        (v, g) children of today by village and grade.
    years : int
        Years to carry on, 0 or more.
    assumptions : Assumptions
        Rates.
    births : array_like of float, optional
        (v, years) births whose children enter grade 1 in each year to come; nan where not known.
        Years without follow the trend.
    entry : array_like of float, optional
        (v,) entrants for each birth by village; ``assumptions.entry`` when left out.
    town : array_like of bool, optional
        (v,) villages of the county town, which receive those who move; needed with migration or
        incoming children.

    Returns
    -------
    Flows
        Counts and what they are made of. In every year: children = children before + entrants +
        arrivals - leavers - graduates.

    Raises
    ------
    InputError
        When shapes do not agree, a rate is negative, or the town is missing.
    """
    start = np.asarray(base, dtype=np.int64)
    v, g = start.shape
    _check(start, assumptions, g)
    place = np.zeros(v, dtype=bool) if town is None else np.asarray(town, dtype=bool)
    if (assumptions.migration or any(assumptions.incoming)) and not place.any():
        raise InputError("有迁移而没有指明县城各村 / migration needs the villages of the town")
    born = np.full((v, years), np.nan) if births is None else np.asarray(births, dtype=np.float64)
    if born.shape != (v, years):
        raise InputError(
            f"births 形状 {born.shape} 应为 {(v, years)} / births must be (villages, years)"
        )
    rate = np.full(v, assumptions.entry) if entry is None else np.asarray(entry, dtype=np.float64)
    counts = np.zeros((v, g, years + 1), dtype=np.int64)
    counts[:, :, 0] = start
    flow = {k: np.zeros(years, dtype=np.int64) for k in ("in", "out", "left", "enter", "moved")}
    for t in range(years):
        now = counts[:, :, t]
        after = np.zeros_like(now)
        for k in range(g - 1):
            after[:, k + 1] = _scaled(now[:, k], assumptions.progression[k])
            change = int(after[:, k + 1].sum() - now[:, k].sum())
            flow["in"][t] += max(change, 0)
            flow["out"][t] += max(-change, 0)
        flow["left"][t] = now[:, -1].sum()
        after[:, 0] = _entering(counts[:, :, : t + 1], born[:, t], rate, assumptions, t)
        flow["enter"][t] = after[:, 0].sum()
        if assumptions.migration:
            flow["moved"][t] = _move_to_town(after, place, assumptions.migration)
        for k, number in enumerate(assumptions.incoming):
            share = largest_remainder(np.where(place, after[:, k] + 1, 0), number)
            after[:, k] += share
            flow["in"][t] += number
        counts[:, :, t + 1] = after
    return Flows(
        counts=counts,
        entrants=flow["enter"],
        arrivals=flow["in"],
        leavers=flow["out"],
        graduates=flow["left"],
        moved=flow["moved"],
    )


def variants(
    base: npt.ArrayLike,
    years: int,
    assumptions: Assumptions,
    *,
    spread: float = 0.01,
    births: npt.ArrayLike | None = None,
    entry: npt.ArrayLike | None = None,
    town: npt.ArrayLike | None = None,
) -> Mapping[str, Flows]:
    """High, middle and low variants: entrants grow or fall faster by ``spread`` a year.

    Parameters
    ----------
    base, years
        As in :func:`project`.
    assumptions : Assumptions
        Rates of the middle variant.
    spread : float
        Yearly difference, 0 or more.
    births, entry, town
        As in :func:`project`.

    Returns
    -------
    mapping of str to Flows
        ``high``, ``middle`` and ``low``.
    """
    return {
        name: project(
            base,
            years,
            replace(assumptions, tilt=assumptions.tilt + sign * spread),
            births=births,
            entry=entry,
            town=town,
        )
        for name, sign in (("high", 1), ("middle", 0), ("low", -1))
    }


def ensemble(
    base: npt.ArrayLike,
    years: int,
    assumptions: Assumptions,
    *,
    draws: int,
    seed: int,
    growth_sd: float = 0.02,
    progression_sd: float = 0.005,
    births: npt.ArrayLike | None = None,
    entry: npt.ArrayLike | None = None,
    town: npt.ArrayLike | None = None,
) -> Int64:
    """Many projections with rates drawn at random.

    Parameters
    ----------
    base, years
        As in :func:`project`.
    assumptions : Assumptions
        Rates of the middle.
    draws : int
        Number of projections.
    seed : int
        Seed; the same seed gives the same numbers.
    growth_sd, progression_sd : float
        Standard deviations of the yearly change of entrants and of progression rates.
    births, entry, town
        As in :func:`project`.

    Returns
    -------
    (draws, v, g, years + 1) int64
        Children of every draw.
    """
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(draws):
        tilt = float(rng.normal(assumptions.tilt, growth_sd))
        change = rng.normal(0.0, progression_sd, len(assumptions.progression))
        moved = tuple(
            max(0.0, p + float(c)) for p, c in zip(assumptions.progression, change, strict=True)
        )
        drawn = replace(assumptions, tilt=tilt, progression=moved)
        out.append(project(base, years, drawn, births=births, entry=entry, town=town).counts)
    return np.stack(out) if out else np.zeros((0, *np.shape(base), years + 1), dtype=np.int64)


def part_of(counts: npt.ArrayLike, part: npt.ArrayLike) -> Int64:
    """Carry a part of the children along with their cohorts (随班就读、留守儿童).

    Parameters
    ----------
    counts : array_like of int
        (v, g, t) children.
    part : array_like of int
        (v, g) those of the first year that the part holds, at most the children.

    Returns
    -------
    (v, g, t) int64
        The part in every year: the county's share by cohort, later entrants at the share of all;
        never more than the children.
    """
    whole, some = np.asarray(counts, dtype=np.int64), np.asarray(part, dtype=np.int64)
    if (some < 0).any() or (some > whole[:, :, 0]).any():
        raise InputError("部分人数应在 0 与学生数之间 / a part must lie between 0 and the children")
    _, g, t = whole.shape
    out = np.zeros_like(whole)
    total = whole[:, :, 0].sum(axis=0)
    share = np.where(total > 0, some.sum(axis=0) / np.maximum(total, 1), 0.0)
    overall = some.sum() / max(int(total.sum()), 1)
    out[:, :, 0] = some
    for y in range(1, t):
        for k in range(g):
            rate = share[k - y] if k >= y else overall
            weight = whole[:, k, y]
            wanted = min(round(float(rate) * int(weight.sum())), int(weight.sum()))
            out[:, k, y] = np.minimum(largest_remainder(weight, wanted), weight) if wanted else 0
    return out


def compare_sources(region: Region, year: int) -> pd.DataFrame:
    """Put the sources of a year side by side, village by village.

    Parameters
    ----------
    region : Region
        The county.
    year : int
        School year.

    Returns
    -------
    DataFrame
        ``village_id, grade``, one column each of :data:`NAMED_SOURCES` (nan where the source has no
        figure) and of further sources that the year has, and ``spread``: the largest less the
        smallest figure, nan where fewer than two sources have one. Widest differences first.
    """
    rows = region.children[pd.to_numeric(region.children["year"]) == year].copy()
    source = rows["source"] if "source" in rows else pd.Series("", index=rows.index)
    rows["source"] = source.fillna("").astype(str).replace("", "unnamed")
    table = rows.pivot_table(
        index=["village_id", "grade"], columns="source", values="students", aggfunc="sum"
    )
    others = [s or "unnamed" for s in SOURCES if (s or "unnamed") in table.columns]
    order = [*NAMED_SOURCES, *(s for s in others if s not in NAMED_SOURCES)]
    table = table.reindex(columns=order).astype(float).reset_index()
    table.columns.name = None
    some = table[order].notna().sum(axis=1) > 1
    table["spread"] = (table[order].max(axis=1) - table[order].min(axis=1)).where(some)
    return table.sort_values(
        ["spread", "village_id", "grade"], ascending=[False, True, True], ignore_index=True
    )


def compare_villages(region: Region, year: int) -> pd.DataFrame:
    """Put the named sources of a year side by side, one row a village.

    Parameters
    ----------
    region : Region
        The county.
    year : int
        School year.

    Returns
    -------
    DataFrame
        ``village_id, name, township``, one column each of :data:`NAMED_SOURCES`, ``grades`` and
        ``spread``. Sources are summed over the grades (written in ``grades``) for which every source
        that knows the village has a figure, so that like is compared with like; a village without
        such a grade has nan. Villages that no source knows are listed too, last.
    """
    by_grade = compare_sources(region, year)
    names = list(NAMED_SOURCES)
    rows = []
    for code, name, town in zip(
        region.villages["village_id"].astype(str),
        region.villages["name"].astype(str),
        region.villages["township"].astype(str),
        strict=True,
    ):
        mine = by_grade[by_grade["village_id"].astype(str) == code]
        known = [s for s in names if mine[s].notna().any()]
        common = mine[mine[known].notna().all(axis=1)] if known else mine.iloc[0:0]
        total = {s: float(common[s].sum()) if s in known and len(common) else np.nan for s in names}
        there = [v for v in total.values() if v == v]
        spread = max(there) - min(there) if len(there) > 1 else np.nan
        grades = ",".join(str(int(g)) for g in sorted(common["grade"]))
        rows.append((code, name, town, *total.values(), grades, spread))
    columns = ["village_id", "name", "township", *names, "grades", "spread"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["spread", "village_id"], ascending=[False, True], ignore_index=True)


def _check(start: Int64, assumptions: Assumptions, g: int) -> None:
    if (start < 0).any():
        raise InputError("学生数不得为负 / children must be 0 or more")
    if len(assumptions.progression) != g - 1 or len(assumptions.incoming) not in (0, g):
        raise InputError(
            f"升级率应有 {g - 1} 个、随迁人数应有 {g} 个 / {g - 1} progression rates and {g} "
            "incoming numbers are needed"
        )
    rates: Sequence[float] = (*assumptions.progression, assumptions.entry, *assumptions.incoming)
    if any(r < 0 for r in rates) or not 0 <= assumptions.migration <= 1:
        raise InputError("比率不得为负，迁移率在 0 与 1 之间 / rates must be 0 or more")


def _scaled(children: Int64, rate: float) -> Int64:
    """Children times a rate, whole; nobody is made or lost at rate 1."""
    if rate == 1.0:
        return children.copy()
    total = int(children.sum())
    return largest_remainder(children, round(rate * total)) if total else np.zeros_like(children)


def _entering(past: Int64, born: Float, rate: Float, assumptions: Assumptions, t: int) -> Int64:
    """Entrants of the year after ``past``: from births where known, else from the trend."""
    tilt = (1 + assumptions.tilt) ** (t + 1)
    known = np.isfinite(born)
    out = np.zeros(len(born), dtype=np.int64)
    if known.any():
        expected = born[known] * rate[known] * tilt
        out[known] = _shared(expected)
    if (~known).any():
        yearly = (
            entrant_rate(past[:, :, -1])
            if assumptions.growth is None
            else float(np.log1p(assumptions.growth))
        )
        expected = entrant_level(past[~known][:, : min(3, past.shape[1]), -1], yearly)
        out[~known] = _shared(expected * (1 + assumptions.tilt))
    return out


def _shared(expected: Float) -> Int64:
    total = round(float(expected.sum()))
    return largest_remainder(expected, total) if total else np.zeros(len(expected), dtype=np.int64)


def _move_to_town(after: Int64, town: Bool, share: float) -> int:
    """Move children to the town, grade by grade; in place. Returns how many moved."""
    moved = 0
    for k in range(after.shape[1]):
        outside = np.where(town, 0, after[:, k])
        number = round(share * int(outside.sum()))
        if number == 0:
            continue
        leaving = np.minimum(largest_remainder(outside, number), outside)
        arriving = largest_remainder(np.where(town, after[:, k] + 1, 0), int(leaving.sum()))
        after[:, k] += arriving - leaving
        moved += int(leaving.sum())
    return moved
