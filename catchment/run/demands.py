"""The optimiser's question of a recipe: what its own actions demand, and what stays free."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.optimise import consolidation as model
from catchment.problem import Problem
from catchment.region.model import Region
from catchment.rules import books
from catchment.rules.terms import Terms, terms_of_closing
from catchment.run.order import Posed
from catchment.scenario import Keep

LEADING = ("central", "nine_year")


def costs_of(folder: Path | None) -> model.Costs:
    """Costs of a county: those of its own ``costs.csv``, else the shipped ones.

    Parameters
    ----------
    folder : Path or None
        The county's folder.

    Returns
    -------
    Costs
        Figures in yuan.
    """
    own = None if folder is None else folder / "costs.csv"
    return model.read_costs(own if own is not None and own.is_file() else None)


def question_of_recipe(
    posed: Posed,
    *,
    costs: model.Costs | None = None,
    limits: model.Limits | None = None,
) -> model.Question:
    """Ask how the years of a recipe are best planned, its own actions carried out as they stand.

    Central and nine-year schools stay, whatever their size, unless the recipe itself gives them up.
    A school that the recipe keeps stays as it is; one that it merges, downgrades, builds or reopens
    does so in the recipe's year and not before; villages that it sends somewhere go there.
    Everything else is free within the masks of :func:`catchment.optimise.consolidation.question_of`
    and the rules of a closing (:mod:`catchment.rules.terms`): only the user's own actions can break
    one of them.

    Parameters
    ----------
    posed : Posed
        The recipe on the county.
    costs : Costs, optional
        Figures in yuan.
    limits : Limits, optional
        Limits of every plan.

    Returns
    -------
    Question
        The question.
    """
    problem = posed.problem
    terms = terms_of(posed)
    free = model.question_of(
        served(problem, terms), costs=costs, limits=_lawful(limits or model.Limits(), terms),
        receives=terms.receives, small=min(terms.small, model.SMALL),
    )  # fmt: skip
    m, years = len(problem.site_ids), len(problem.years)
    close, shrink, opens = free.may_close.copy(), free.may_downgrade.copy(), free.may_open.copy()
    least = np.zeros((m, years), dtype=np.int8)
    most = np.full((m, years), 2, dtype=np.int8)
    hosts = np.minimum(problem.can_host.sum(axis=1), 2).astype(np.int8)
    taught = problem.today_open.sum(axis=1)
    was = np.where(taught == 0, 0, np.where(taught < hosts, 1, hosts)).astype(np.int8)
    place = {code: j for j, code in enumerate(problem.site_ids)}
    # Others are merged into a central school: it is given up by the recipe's own action alone.
    schools = posed.regions[0].schools
    leading = schools.loc[schools["role"].isin(LEADING), "school_id"].astype(str)
    for code in leading:
        if code in place:
            close[place[code]] = shrink[place[code]] = False
    close, shrink = close & ~terms.opposed, shrink & ~terms.opposed
    for action in posed.scenario.actions:
        j = place.get(str(getattr(action, "school", None) or getattr(action, "site", "")), -1)
        if j < 0:
            continue
        k = _from(problem, action.year)
        if isinstance(action, Keep):
            close[j] = shrink[j] = False
        elif action.do == "merge":
            close[j] = True
            least[j, :k], most[j, k:] = was[j], 0
        elif action.do == "downgrade":
            shrink[j] = True
            least[j, :k], least[j, k:], most[j, k:] = was[j], 1, 1
        elif action.do in ("build", "reopen"):
            opens[j] = True
            least[j, k:], most[j, :k] = hosts[j], was[j]
    sent = _sent(problem)
    return free.replace(
        may_close=close,
        may_downgrade=shrink,
        may_open=opens,
        at_least=least if least.any() else None,
        at_most=most if (most < 2).any() else None,
        sent=sent if (sent >= 0).any() else None,
        site_build=_opening_yuan(posed, free.costs),
    )


def terms_of(posed: Posed) -> Terms:
    """Read what the rule books and the county's records let a plan of a recipe do to schools.

    Parameters
    ----------
    posed : Posed
        The recipe on the county.

    Returns
    -------
    Terms
        See :mod:`catchment.rules.terms`.
    """
    folder = posed.regions[0].folder
    return terms_of_closing(
        posed.problem,
        books.read_books(posed.scenario.rules.books, county_folder=folder),
        posed.regions[0].classes,
        None if folder is None else books.read_evidence(folder),
    )


def served(problem: Problem, terms: Terms) -> Problem:
    """State seats and nap places as the students whom they suffice for.

    Where a county eats in two sittings a seat suffices for two. What is built is counted as one a
    student all the same; a rule that asks for more than one is left to the check of the plan.

    Parameters
    ----------
    problem : Problem
        The question's arrays.
    terms : Terms
        What a closing asks for.

    Returns
    -------
    Problem
        The same with seats and nap places for so many students, -1 where nothing is asked for.
    """
    changes = {}
    for name, each in (("dining_seats", terms.seats), ("nap_places", terms.naps)):
        stock = getattr(problem, name)
        if each == 1.0 or stock is None:
            continue
        enough = np.floor(stock / each + 1e-9) if each > 0 else np.full(stock.shape, -1.0)
        changes[name] = np.where(stock < 0, -1, enough).astype(np.int32)
    return problem.replace(**changes) if changes else problem


def _lawful(limits: model.Limits, terms: Terms) -> model.Limits:
    """Limits of every plan, those of the rules of a closing included."""
    return dataclasses.replace(
        limits,
        young_minutes=min(limits.young_minutes, terms.young_minutes),
        max_size=int(min(limits.max_size, terms.largest)),
    )


def with_building(question: model.Question, rooms: dict[str, int]) -> model.Question:
    """Let schools be built on candidate sites.

    Parameters
    ----------
    question : Question
        A question.
    rooms : dict of str to int
        Most classrooms by code of site.

    Returns
    -------
    Question
        The question in which these sites, as far as they are closed today, may open.
    """
    problem = question.problem
    opens, more = question.may_open.copy(), question.extra_rooms.copy()
    seats = question.extra_seats.copy()
    for j, code in enumerate(problem.site_ids):
        if code in rooms and not problem.today_open[j].any():
            opens[j], more[j], seats[j] = True, rooms[code], 60 * rooms[code]
    return question.replace(
        may_open=opens, extra_rooms=more, extra_seats=seats,
        extra_naps=np.where(opens & ~question.may_open, seats, question.extra_naps),
    )  # fmt: skip


def with_reopening(question: model.Question, region: Region, *, more: int = 12) -> model.Question:
    """Let schools that are closed today open again, in the classrooms that they still have.

    Parameters
    ----------
    question : Question
        A question.
    region : Region
        The county; its layer of schools tells the classrooms of closed ones.
    more : int
        Most classrooms that may be added to each.

    Returns
    -------
    Question
        The question in which these schools may open from the second year on.
    """
    problem, schools = question.problem, region.schools.set_index("school_id")
    opens, rooms = question.may_open.copy(), problem.rooms.copy()
    extra, seats = question.extra_rooms.copy(), question.extra_seats.copy()
    for j, code in enumerate(problem.site_ids):
        if (
            code not in schools.index
            or problem.today_open[j].any()
            or not problem.can_host[j].any()
        ):
            continue
        given = schools.loc[code, "rooms"]
        rooms[j, 1:] = np.maximum(rooms[j, 1:], 0 if pd.isna(given) else int(given))
        opens[j], extra[j] = True, max(int(extra[j]), more)
        seats[j] = max(int(seats[j]), 60 * (int(rooms[j, -1]) + more))
    return question.replace(
        problem=problem.replace(rooms=rooms),
        may_open=opens, extra_rooms=extra, extra_seats=seats,
        extra_naps=np.where(opens, seats, question.extra_naps).astype(np.int32),
    )  # fmt: skip


def _opening_yuan(posed: Posed, costs: model.Costs) -> npt.NDArray[np.float64] | None:
    """Yuan of opening each site: the layer's own figure of a candidate, repairs of a closed school."""
    problem, region = posed.problem, posed.regions[0]
    own: dict[str, float] = {}
    if len(region.sites) and "cost_yuan" in region.sites.columns:
        yuan = pd.to_numeric(region.sites["cost_yuan"], errors="coerce").astype(float)
        own = dict(zip(region.sites["site_id"].astype(str), yuan, strict=True))
    closed = region.schools["status"] == "closed"
    own |= dict.fromkeys(region.schools.loc[closed, "school_id"].astype(str), costs.site_reopen)
    out = np.array([own.get(code, np.nan) for code in problem.site_ids], dtype=np.float64)
    return None if np.isnan(out).all() else out


def _from(problem: Problem, year: Any) -> int:
    """Position of the first planned year in which an action holds; the first year is today."""
    return max(int(np.searchsorted(problem.years, int(year))), 1)


def _sent(problem: Problem) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Where the recipe sends a village-band, by year; only its first change is kept."""
    out = np.asarray(problem.fixed_site, dtype=np.int32).copy()
    for i in np.flatnonzero((out >= 0).any(axis=1)):
        k = max(int(np.flatnonzero(out[i] >= 0)[0]), 1)
        target = out[i].max() if k >= out.shape[1] else out[i, k]
        out[i] = -1
        if target >= 0:
            out[i, k:] = target
    return out
