"""A proposal: the optimiser's plan of years as a recipe that a planner can edit and run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from catchment.errors import InfeasibleError
from catchment.optimise import consolidation as model
from catchment.region.model import Region
from catchment.run.model import names_of_sites
from catchment.run.order import pose
from catchment.scenario import Scenario


@dataclass(frozen=True)
class Proposal:
    """What the optimiser proposes, with its certificate.

    Attributes
    ----------
    recipe : dict
        A recipe (see :class:`catchment.scenario.Scenario`) with the actions of the plan.
    status : str
        ``optimal`` or ``feasible``.
    objective, bound, gap : float
        Yuan over all years, a proved lower bound, and their relative distance.
    costs : DataFrame
        ``item, year, keep, plan`` in yuan: keeping everything beside the plan.
    violations : tuple of str
        What an independent check finds wrong with the plan; empty.
    prices : DataFrame
        For schools that the plan changes: what the best plan that keeps them costs more, in yuan,
        teachers and other children's minutes; empty unless asked for.
    """

    recipe: dict[str, Any]
    status: str
    objective: float
    bound: float
    gap: float
    costs: pd.DataFrame
    violations: tuple[str, ...]
    prices: pd.DataFrame


def propose(
    scenario: Scenario,
    region: Region,
    *,
    time_limit: float = 60.0,
    prices: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Proposal:
    """Let the optimiser plan the years of a recipe on a county as it is today.

    Schools with fewer than 100 students may close or become teaching points, larger ones may be
    expanded, nothing is built; the recipe's own actions are taken as done.

    Parameters
    ----------
    scenario : Scenario
        The recipe: years, stages, seed.
    region : Region
        The county.
    time_limit : float
        Seconds for the plan; as much again is shared among the prices.
    prices : int
        Schools for which the price of keeping is wanted, those changed first.
    progress : callable, optional
        Told a line of text before each step.

    Returns
    -------
    Proposal
        The plan as a recipe, its costs and its bound.

    Raises
    ------
    InfeasibleError
        When no plan can meet the limits, with the reason.
    """
    posed = pose(scenario, region, progress=progress)
    question = model.question_of(posed.problem)
    answer = model.consolidate(
        question, time_limit=time_limit, seed=scenario.seed, progress=progress
    )
    if answer.plan.status in ("infeasible", "unknown"):
        raise InfeasibleError(
            f"找不到可行方案：{answer.reason} / no plan was found: {answer.reason}"
        )
    keep = model.keep_everything(question)
    done = model.actions(question, answer, candidates=set(region.sites["site_id"].astype(str)))
    own = posed.scenario.model_dump(mode="json", by_alias=True, exclude_none=True)
    recipe = {
        **own,
        "name": f"{scenario.name}（优化建议）",
        "method": {**own["method"], "assignment": "today"},
        "action": [*own.get("action", []), *done],
    }
    return Proposal(
        recipe=recipe,
        status=answer.plan.status,
        objective=answer.plan.objective,
        bound=answer.plan.bound,
        gap=answer.gap,
        costs=_costs(posed.problem.years, keep, answer),
        violations=tuple(str(v) for v in model.check(question, answer)),
        prices=_prices(
            question, answer, done, names_of_sites(region), prices, time_limit, progress
        ),
    )


def _costs(years: tuple[int, ...], keep: model.Answer, answer: model.Answer) -> pd.DataFrame:
    rows = [
        (item, year, float(keep.breakdown.yuan[k, t]), float(answer.breakdown.yuan[k, t]))
        for k, item in enumerate(answer.breakdown.items)
        for t, year in enumerate(years)
    ]
    return pd.DataFrame(rows, columns=["item", "year", "keep", "plan"])


def _prices(
    question: model.Question,
    answer: model.Answer,
    done: list[dict[str, Any]],
    names: dict[str, str],
    most: int,
    time_limit: float,
    progress: Callable[[str], None] | None,
) -> pd.DataFrame:
    changed = [a["school"] for a in done if a["do"] in ("merge", "downgrade")][:most]
    rows = []
    for school in changed:
        if progress is not None:
            progress(f"{names.get(school, school)}：保留的代价 / price of keeping")
        price = model.price_of_keeping(
            question,
            answer,
            school,
            time_limit=time_limit / len(changed),
            seed=int(answer.plan.seed),
        )
        rows.append({"school": school, "name": names.get(school, ""), **_plain(price)})
    return pd.DataFrame(rows)


def _plain(price: model.Price) -> dict[str, Any]:
    return {
        key: value
        for key, value in vars(price).items()
        if isinstance(value, int | float | str | bool) and key != "site"
    }
