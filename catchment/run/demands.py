"""The optimiser's question of a recipe: what its own actions demand, and what stays free."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from catchment.optimise import consolidation as model
from catchment.problem import Problem
from catchment.run.order import Posed
from catchment.scenario import Keep


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

    A school that the recipe keeps stays as it is; one that it merges, downgrades, builds or reopens
    does so in the recipe's year and not before; villages that it sends somewhere go there.
    Everything else is free within the masks of :func:`catchment.optimise.consolidation.question_of`.

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
    free = model.question_of(problem, costs=costs, limits=limits)
    m, years = len(problem.site_ids), len(problem.years)
    close, shrink, opens = free.may_close.copy(), free.may_downgrade.copy(), free.may_open.copy()
    least = np.zeros((m, years), dtype=np.int8)
    most = np.full((m, years), 2, dtype=np.int8)
    hosts = np.minimum(problem.can_host.sum(axis=1), 2).astype(np.int8)
    taught = problem.today_open.sum(axis=1)
    was = np.where(taught == 0, 0, np.where(taught < hosts, 1, hosts)).astype(np.int8)
    place = {code: j for j, code in enumerate(problem.site_ids)}
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
    )


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
