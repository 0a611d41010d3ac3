"""Children as they may come: draws around the county's projection, and what they do to plans."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.demand import Assumptions, ensemble, progression_rates, students_by_village
from catchment.optimise import consolidation as model
from catchment.region.model import Region
from catchment.run.model import names_of_sites
from catchment.run.offer import Offer
from catchment.run.order import Posed

FEW = 10
"""Students below which a school hardly goes on: an assumption, no rule names a number."""


def draws_of(posed: Posed, region: Region, *, draws: int, seed: int) -> npt.NDArray[np.int32]:
    """Draw the children of the planned years around the county's own projection.

    Entrants of every village follow the projection, tilted by a yearly rate of its own in each
    draw; grades move up at the projection's rates, a little off in each draw. Today is certain.

    Parameters
    ----------
    posed : Posed
        The recipe on the county.
    region : Region
        The county.
    draws : int
        Number of draws.
    seed : int
        Seed; the same seed gives the same children.

    Returns
    -------
    (draws, n, g, t) int32
        Students of the groups of the question.
    """
    problem = posed.problem
    first, last = problem.years[0], problem.years[-1]
    every = tuple(range(first, last + 1))
    told = students_by_village(region, every)
    counts = np.asarray(told.counts, dtype=np.int64)
    middle = Assumptions(progression=tuple(float(p) for p in progression_rates(counts, years=99)))
    many = ensemble(
        counts[:, :, 0],
        len(every) - 1,
        middle,
        draws=draws,
        seed=seed,
        births=counts[:, 0, 1:].astype(np.float64),
    )
    row = {v: k for k, v in enumerate(told.village_ids)}
    rows = [row[v] for v in problem.village_ids]
    grades = [told.grades.index(g) for g in problem.grades]
    years = [every.index(y) for y in problem.years]
    chosen = np.asarray(many)[:, rows][:, :, grades][:, :, :, years]
    out = np.zeros((draws, *problem.students.shape), dtype=np.int32)
    for g, band in enumerate(problem.grade_band):
        mine = np.flatnonzero(problem.group_band == band)
        out[:, mine, g] = chosen[:, problem.group_village[mine], g]
    out[:, :, :, 0] = problem.students[:, :, 0]
    return out


def plans_table(
    offers: Sequence[Offer], result: model.Outlook, draws: npt.NDArray[np.int32]
) -> pd.DataFrame:
    """Plans over the draws.

    Parameters
    ----------
    offers : sequence of Offer
        Plans.
    result : Outlook
        As judged.
    draws : (d, n, g, t) int32
        The draws.

    Returns
    -------
    DataFrame
        ``plan, name, yuan_mean, yuan_5, yuan_95, regret_mean, regret_most, short_share,
        short_most, robust``.
    """
    rows = []
    for k, offer in enumerate(offers):
        yuan, short = result.yuan[k], result.short[k]
        rows.append(
            {
                "plan": k + 1,
                "name": offer.name,
                "yuan_mean": yuan.mean(),
                "yuan_5": np.percentile(yuan, 5),
                "yuan_95": np.percentile(yuan, 95),
                "regret_mean": result.regret[k].mean(),
                "regret_most": result.regret[k].max(),
                "short_share": (short > 0).mean(),
                "short_most": int(short.max(initial=0)),
                "robust": k == result.robust,
            }
        )
    return pd.DataFrame(rows).assign(draws=len(draws))


def schools_table(
    posed: Posed, region: Region, question: model.Question, draws: npt.NDArray[np.int32]
) -> pd.DataFrame:
    """Schools over the draws if nothing is changed.

    Parameters
    ----------
    posed : Posed
        The recipe on the county.
    region : Region
        The county.
    question : Question
        The question.
    draws : (d, n, g, t) int32
        The draws.

    Returns
    -------
    DataFrame
        ``school, name, students_today, students_5, students_50, students_95`` (last year),
        ``share_small`` (below 100), ``share_few`` (below :data:`FEW`), ``share_short`` (classes
        without a room in some year), ``year_few, year_short``: the first year in which that holds
        in at least half of the draws, 0 for none.
    """
    problem = posed.problem
    there = model.sizes_if_kept(question, draws)
    size = there.sum(axis=2)
    names = names_of_sites(region)
    taught = np.repeat(problem.today_open[:, :, None], len(problem.years), axis=2)
    need = np.stack(
        [
            model.classes_counted(problem, each.astype(np.int32), taught, question.costs).sum(
                axis=1
            )
            for each in there
        ]
    )
    short = need > problem.rooms[None]
    rows = []
    for j in np.flatnonzero(problem.today_open.any(axis=1)):
        few_by_year = (size[:, j, 1:] < FEW).mean(axis=0)
        short_by_year = short[:, j, 1:].mean(axis=0)
        last = size[:, j, -1]
        rows.append(
            {
                "school": problem.site_ids[j],
                "name": names.get(problem.site_ids[j], ""),
                "students_today": int(size[0, j, 0]),
                "students_5": int(np.percentile(last, 5)),
                "students_50": int(np.percentile(last, 50)),
                "students_95": int(np.percentile(last, 95)),
                "share_small": float((last < model.SMALL).mean()),
                "share_few": float((last < FEW).mean()),
                "share_short": float(short[:, j, 1:].any(axis=1).mean()),
                "year_few": _first(problem.years, few_by_year),
                "year_short": _first(problem.years, short_by_year),
            }
        )
    return pd.DataFrame(rows)


def _first(years: tuple[int, ...], share: npt.NDArray[np.float64]) -> int:
    """First planned year in which a share reaches one half, 0 for none."""
    late = np.flatnonzero(share >= 0.5)
    return int(years[1 + int(late[0])]) if len(late) else 0


def certain_actions(
    offers: Sequence[Offer], result: model.Outlook, names: dict[str, str]
) -> pd.DataFrame:
    """Actions that are in every good plan (no regret).

    Parameters
    ----------
    offers : sequence of Offer
        Plans.
    result : Outlook
        As judged.
    names : dict
        Names of schools by code.

    Returns
    -------
    DataFrame
        ``do, school, name, year_from, year_to``.
    """
    told = [
        [
            (str(a["do"]), str(a.get("school", a.get("site", ""))), int(a["year"]))
            for a in offer.recipe["action"]
            if a["do"] not in ("move", "road", "keep")
        ]
        for offer in offers
    ]
    rows = [
        {"do": do, "school": code, "name": names.get(code, ""), "year_from": a, "year_to": b}
        for do, code, a, b in model.in_every_good_plan(told, result.yuan)
    ]
    return pd.DataFrame(rows, columns=["do", "school", "name", "year_from", "year_to"])
