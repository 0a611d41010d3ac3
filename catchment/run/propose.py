"""Proposals: the optimiser's plans of years as recipes that a planner can edit, run and compare."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from catchment.errors import InfeasibleError
from catchment.optimise import consolidation as model
from catchment.region.model import Region
from catchment.run import hearing, prospects
from catchment.run.areas import Areas, areas_table, draw_areas, given_areas
from catchment.run.demands import costs_of, question_of_recipe
from catchment.run.model import names_of_sites
from catchment.run.offer import Offer, broken_today, judge
from catchment.run.order import Posed, pose
from catchment.run.relax import relaxations
from catchment.scenario import Scenario
from catchment.verify import check_proposal, demand_sound

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """How much is asked of the optimiser.

    Attributes
    ----------
    time_limit : float
        Seconds for the plan; as much again is shared among further plans.
    steps : int or None
        Rounds of work instead of seconds: the same recipe and seed then give the same plan on
        every machine.
    plans : int
        Plans of the frontier, 0 for the cheapest alone, else 5 or more.
    prices : int
        Schools on the hearing list.
    draws : int
        Draws of the children over which the plans are judged, 0 for none.
    class_size : int or None
        Class size of the plan of smaller classes instead of closures.
    limits : Limits
        Limits of every plan.
    areas : int or None
        Areas (片区) that nobody leaves: 0 for the county's own, a number for as many that are drawn,
        None for none.
    """

    time_limit: float = 60.0
    steps: int | None = None
    plans: int = 0
    prices: int = 0
    draws: int = 0
    class_size: int | None = None
    limits: model.Limits = field(default_factory=model.Limits)
    areas: int | None = None


@dataclass(frozen=True)
class Proposal:
    """What the optimiser proposes, with its certificate.

    Attributes
    ----------
    recipe : dict
        A recipe (see :class:`catchment.scenario.Scenario`) with the actions of the plan; run, it
        gives the plan itself.
    status : str
        ``optimal`` or ``feasible``.
    objective, bound, gap : float
        Yuan over all years, a proved lower bound, and their relative distance.
    costs : DataFrame
        ``item, year, keep, plan`` in yuan: keeping everything beside the plan.
    violations : tuple of str
        What an independent check finds wrong with the plan, and in how many village-bands and
        years the recipe differs from it; empty.
    offers : tuple of Offer
        The plans to choose from, the proposed one among them.
    proposed : int
        Position of the proposed plan in ``offers``.
    plans, broken, actions, moves, schools : DataFrame
        The offers with their figures; hard rules they break that today does not; and of the
        proposed plan its actions with reasons, the villages whose school changes, and the hearing
        list (empty unless asked for).
    outlook, futures, certain : DataFrame
        Plans and schools over the draws, and actions in every good plan; empty unless asked for.
    areas : DataFrame
        Villages with their areas; empty where none were asked for.
    memory : Memory or None
        To go on searching from here.
    """

    recipe: dict[str, Any]
    status: str
    objective: float
    bound: float
    gap: float
    costs: pd.DataFrame
    violations: tuple[str, ...]
    offers: tuple[Offer, ...]
    proposed: int
    plans: pd.DataFrame
    broken: pd.DataFrame
    actions: pd.DataFrame
    moves: pd.DataFrame
    schools: pd.DataFrame
    outlook: pd.DataFrame
    futures: pd.DataFrame
    certain: pd.DataFrame
    areas: pd.DataFrame
    memory: model.Memory | None


def propose(
    scenario: Scenario,
    region: Region,
    *,
    wish: Wish | None = None,
    memory: model.Memory | None = None,
    progress: Progress | None = None,
) -> Proposal:
    """Let the optimiser plan the years of a recipe on a county as it is today.

    The recipe's own actions are carried out as they stand. Beyond them, schools with fewer than
    100 students may close or become teaching points, larger ones may be expanded, nothing is built.
    Costs are those of ``costs.csv`` in the county's folder, else the shipped ones.

    Parameters
    ----------
    scenario : Scenario
        The recipe: years, stages, actions, seed.
    region : Region
        The county.
    wish : Wish, optional
        How much is asked.
    memory : Memory, optional
        Where an earlier search for the same recipe ended.
    progress : callable, optional
        Told a line of text before each step, and plan and bound as they improve.

    Returns
    -------
    Proposal
        The plan as a recipe, its costs and its bound, and the other plans asked for.

    Raises
    ------
    InfeasibleError
        When no plan can meet the limits, with the reason and what would have to give.
    """
    wish = Wish() if wish is None else wish
    posed = pose(scenario, region, progress=progress)
    question = question_of_recipe(posed, costs=costs_of(region.folder), limits=wish.limits)
    seed = scenario.seed
    areas = _areas(posed, region, question, wish, seed)
    if areas is not None:
        question = question.replace(within=areas.allowed(posed.problem))
    best = model.consolidate(
        question, time_limit=wish.time_limit, seed=seed, steps=wish.steps, memory=memory,
        progress=progress,
    )  # fmt: skip
    if best.plan.status in ("infeasible", "unknown"):
        yields = relaxations(posed.problem, question, best, names_of_sites(region), seed=seed)
        raise InfeasibleError(
            f"找不到可行方案：{best.reason} / no plan was found: {best.reason}\n"
            + "\n".join(yields)
        )
    choices, proposed = _choices(question, best, wish, seed, progress)
    already = broken_today(posed, region)
    offers = []
    for choice in choices:
        _tell(progress, f"{choice.name}：核查 / checks")
        name = f"{scenario.name}（优化建议：{choice.name.split(' / ')[0]}）"
        offers.append(judge(posed, region, choice, name, already=already))
    _check_again(offers, progress)
    offer = offers[proposed]
    futures = prospects_of(posed, region, offers, question, wish, seed)
    wrong = [str(v) for o in offers for v in model.check(o.question, o.answer)]
    wrong += [
        f"{o.name}: 方案文件与计划有 {o.elsewhere} 处不同 / the recipe differs from the plan"
        for o in offers
        if o.elsewhere
    ]
    return Proposal(
        recipe=offer.recipe,
        status=offer.answer.plan.status,
        objective=offer.answer.plan.objective,
        bound=offer.answer.plan.bound,
        gap=offer.answer.gap,
        costs=_costs(posed.problem.years, offers[0].answer, offer.answer),
        violations=tuple(wrong),
        offers=tuple(offers),
        proposed=proposed,
        plans=plans_table(offers),
        broken=_broken(offers),
        actions=hearing.actions_table(offer, region),
        moves=hearing.moves_table(offer),
        schools=hearing.schools_table(
            offer, region, most=wish.prices, seed=seed, progress=progress
        ),
        outlook=futures[0],
        futures=futures[1],
        certain=futures[2],
        areas=pd.DataFrame() if areas is None else areas_table(areas, posed.problem, region),
        memory=best.memory,
    )


def _check_again(offers: list[Offer], progress: Progress | None) -> None:
    """Refuse plans that code sharing nothing with the search finds wrong.

    A plan that keeps all schools is today's arrangement: nobody chose it, so it may be over limits.
    """
    _tell(progress, "独立复核 / independent check")
    for offer in offers:
        opened = offer.answer.plan.open
        changes = bool((opened[:, :, :1] != opened).any())
        demand_sound(check_proposal(offer.question, offer.answer), limits=changes)


def _tell(progress: Progress | None, text: str) -> None:
    if progress is not None:
        progress(text)


def _areas(
    posed: Posed, region: Region, question: model.Question, wish: Wish, seed: int
) -> Areas | None:
    """Areas asked for, of the county or drawn."""
    if wish.areas is None:
        return None
    if wish.areas == 0:
        return given_areas(posed.problem, region)
    small = question.may_close | question.may_downgrade
    return draw_areas(posed.problem, region, wish.areas, small=small, seed=seed)


def _choices(
    question: model.Question,
    best: model.Answer,
    wish: Wish,
    seed: int,
    progress: Progress | None,
) -> tuple[list[model.Choice], int]:
    """Plans to choose from, keeping everything first, and the position of the cheapest."""
    if wish.plans:
        found = list(
            model.frontier(
                question, wish.plans, time_limit=wish.time_limit, seed=seed, steps=wish.steps,
                cheapest=best, progress=progress,
            )
        )  # fmt: skip
    else:
        kept = model.keep_everything(question)
        found = [
            model.Choice(model.KEPT, question, kept, model.figures(question, kept)),
            model.Choice(model.CHEAPEST, question, best, model.figures(question, best)),
        ]
    if wish.class_size is not None:
        asked, answer = model.smaller_classes(question, wish.class_size)
        name = f"小班化 {wish.class_size} 人，不撤并 / smaller classes, all kept"
        found.append(model.Choice(name, asked, answer, model.figures(asked, answer)))
    return found, 1


def prospects_of(
    posed: Posed,
    region: Region,
    offers: list[Offer],
    question: model.Question,
    wish: Wish,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Judge plans over draws of the children.

    Parameters
    ----------
    posed : Posed
        The recipe on the county.
    region : Region
        The county.
    offers : list of Offer
        Plans; those of another class size are left out.
    question : Question
        The question.
    wish : Wish
        With the number of draws.
    seed : int
        Seed of the draws.

    Returns
    -------
    tuple of DataFrame
        Plans, schools, certain actions; empty without draws.
    """
    if not wish.draws:
        return pd.DataFrame(), pd.DataFrame(), pd.DataFrame()
    same = [o for o in offers if o.question.problem is question.problem]
    draws = prospects.draws_of(posed, region, draws=wish.draws, seed=seed)
    result = model.outlook(question, [o.answer for o in same], draws)
    return (
        prospects.plans_table(same, result, draws),
        prospects.schools_table(posed, region, question, draws),
        prospects.certain_actions(same, result, names_of_sites(region)),
    )


def plans_table(offers: list[Offer]) -> pd.DataFrame:
    """Offers side by side.

    Parameters
    ----------
    offers : list of Offer
        Plans, keeping everything first.

    Returns
    -------
    DataFrame
        ``plan, name, status, yuan, bound, gap`` (of the plan's own question; blank where nothing
        is chosen), ``more_yuan`` (than keeping everything), the other figures of
        :class:`catchment.optimise.consolidation.Figures`, ``dominated``, ``hard_rules_broken``.
    """
    rows = []
    for k, offer in enumerate(offers, start=1):
        rows.append(
            {
                "plan": k,
                "name": offer.name,
                "status": offer.answer.plan.status,
                "objective": offer.answer.plan.objective,
                "bound": offer.answer.plan.bound,
                "gap": offer.answer.gap,
                "more_yuan": offer.figures.yuan - offers[0].figures.yuan,
                **dataclasses.asdict(offer.figures),
                "dominated": offer.dominated,
                "hard_rules_broken": len(offer.broken),
            }
        )
    return pd.DataFrame(rows)


def _broken(offers: list[Offer]) -> pd.DataFrame:
    rows = [o.broken.assign(plan=k) for k, o in enumerate(offers, start=1)]
    return pd.concat(rows, ignore_index=True)


def _costs(years: tuple[int, ...], keep: model.Answer, answer: model.Answer) -> pd.DataFrame:
    rows = [
        (item, year, float(keep.breakdown.yuan[k, t]), float(answer.breakdown.yuan[k, t]))
        for k, item in enumerate(answer.breakdown.items)
        for t, year in enumerate(years)
    ]
    return pd.DataFrame(rows, columns=["item", "year", "keep", "plan"])
