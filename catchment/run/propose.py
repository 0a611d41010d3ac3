"""Proposals: the optimiser's plans of years as recipes that a planner can edit, run and compare."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.errors import InfeasibleError, InputError
from catchment.optimise import consolidation as model
from catchment.region.model import Region
from catchment.run import hearing, prospects, reasons
from catchment.run.areas import areas_table
from catchment.run.asked import every_year
from catchment.run.byhand import beside_optimum
from catchment.run.contradict import given_up
from catchment.run.latitude import Latitude, give_latitude, opened
from catchment.run.model import names_of_sites
from catchment.run.offer import OWN, Offer, broken_today, judge, today_beside
from catchment.run.order import Posed, pose
from catchment.run.pieces import pieces_table
from catchment.run.question import loosened, nearest_breaks, pose_question, question_on
from catchment.run.relax import held_back, relaxations
from catchment.run.spared import below_smallest
from catchment.run.spoken import names_of, spoken
from catchment.run.trials import trials
from catchment.scenario import Scenario
from catchment.verify import check_proposal, demand_sound

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """How much is asked of the optimiser.

    Attributes
    ----------
    time_limit : float
        Seconds for the plan; as much again is shared among further plans, or, where there is none,
        among trials of what would have to give.
    steps : int or None
        Rounds of work instead of seconds: the same recipe and seed then give the same plan on
        every machine.
    plans : int
        Plans of the frontier, 0 for the cheapest alone, else 5 or more.
    prices : int
        Schools of the hearing list whose surroundings are planned anew for their prices.
    draws : int
        Draws of the children over which the plans are judged, 0 for none.
    class_size : int or None
        Class size of the plan of smaller classes instead of closures.
    areas : int or None
        Areas (片区) that nobody leaves: 0 for the county's own, a number for as many that are drawn,
        None for none.
    robust : int
        Draws that are planned for by themselves in search of a robust plan, 0 for none.
    build : bool
        Whether schools may be built on candidate sites that pass the screening.
    reopen : bool
        Whether schools that are closed today may open again.
    """

    time_limit: float = 60.0
    steps: int | None = None
    plans: int = 0
    prices: int = 0
    draws: int = 0
    class_size: int | None = None
    areas: int | None = None
    robust: int = 0
    build: bool = False
    reopen: bool = False


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
        ``item, year, keep, plan`` in yuan: the recipe's own actions alone beside the plan.
    violations : tuple of str
        What an independent check finds wrong with the plans that change anything, and in how many
        village-bands and years a recipe differs from its plan; empty.
    offers : tuple of Offer
        The plans to choose from, the proposed one among them.
    proposed : int
        Position of the proposed plan in ``offers``.
    plans, broken, actions, moves, schools : DataFrame
        The offers with their figures, and today's arrangement as plan 0 where the recipe's own
        actions change it; hard rules they break that today does not; and of the
        proposed plan its actions with reasons, the villages whose school changes, and the hearing
        list (empty unless asked for).
    outlook, futures, certain : DataFrame
        Plans and schools over the draws, and actions in every good plan; empty unless asked for.
    areas : DataFrame
        Villages with their areas; empty where none were asked for.
    pieces : DataFrame
        Village-bands of the proposed plan that are cut off from their school, and why.
    screening : DataFrame
        Candidate sites as screened; empty unless building was asked for.
    byhand, demands : DataFrame
        Plans made by hand beside the proposed one, and what they break of the question.
    stopped : bool
        Whether the search was stopped: what was asked beyond the best plan so far is left out.
    memory : Memory or None
        To go on searching from here.
    notes : tuple of str
        What was done otherwise than the recipe says by its words alone, and which limits are not
        kept or keep everything from changing.
    today : Offer or None
        Today's arrangement, where the recipe's own actions change it.
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
    pieces: pd.DataFrame
    screening: pd.DataFrame
    byhand: pd.DataFrame
    demands: pd.DataFrame
    stopped: bool
    memory: model.Memory | None
    notes: tuple[str, ...] = ()
    today: Offer | None = None


def propose(
    scenario: Scenario,
    region: Region,
    *,
    wish: Wish | None = None,
    memory: model.Memory | None = None,
    hands: Sequence[Scenario] = (),
    stopped: Callable[[], bool] | None = None,
    progress: Progress | None = None,
) -> Proposal:
    """Let the optimiser plan the years of a recipe on a county as it is today.

    Every year from the recipe's first to its last is planned, whether it lists it or not. The
    recipe's own actions are carried out as they stand, and the limits of its table
    ``[consolidation]`` hold for every plan. Beyond them, schools with fewer than
    100 students may close or become teaching points, larger ones may be expanded, and where that
    is wished schools may be built on candidate sites that pass the screening and closed ones open
    again. Where the recipe's
    method is ``connected``, plans cut no village off from its school that is not cut off today.
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
    hands : sequence of Scenario
        Recipes made by hand, to be judged beside the proposed plan.
    stopped : callable, optional
        Whether the user has stopped the search (Ctrl-C): the best plan so far is then judged and
        returned, and nothing further is searched.
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
    halted = stopped or (lambda: False)
    notes = []
    listed, scenario = scenario.years, every_year(scenario)
    hands = [every_year(hand) for hand in hands]
    if scenario.years != listed:
        notes.append(
            f"方案只列 {'、'.join(map(str, listed))} 年；费用和每年上限要逐年计，已规划 {listed[0]}–{listed[-1]} 的每一年"
            f" / the recipe lists {', '.join(map(str, listed))} alone; every year from {listed[0]} to "
            f"{listed[-1]} is planned, as costs and yearly limits ask"
        )
    posed, question = pose_question(scenario, region, progress=progress)
    names, seed = names_of(region), scenario.seed
    if wish.build:
        _tell(progress, "备选校址筛查 / candidate sites screened")
    question, latitude = give_latitude(
        question, posed, region,
        areas=wish.areas, build=wish.build, reopen=wish.reopen, seed=seed,
    )  # fmt: skip
    if memory is not None:
        _fitting(memory, posed)
    question, best = model.connected_as_far(
        question, time_limit=wish.time_limit, seed=seed, steps=wish.steps, memory=memory,
        stopped=halted, progress=progress,
    )  # fmt: skip
    if best.plan.status in ("infeasible", "unknown"):
        ask = _asking(posed, region, latitude, question)
        half = None if wish.steps is not None else 0.5 * wish.time_limit
        tries = trials(half, seed=seed, stopped=halted)
        yields = given_up(posed.scenario, ask, names, tries=tries)
        tries = trials(half, seed=seed, stopped=halted)
        bare = not any("即有方案" in line for line in yields)
        yields += relaxations(posed.problem, question, best, names, bare=bare, tries=tries)
        zh, _, en = best.reason.partition(" / ")
        if best.plan.status == "unknown":
            zh, en = nearest_breaks(question, best, names)
        raise InfeasibleError(
            f"找不到可行方案：{zh} / no plan was found: {en or zh}\n" + "\n".join(yields)
        )
    notes += [text for text in [loosened(question, best, names)] if text]
    if halted():
        wish = dataclasses.replace(wish, plans=0, prices=0, draws=0, robust=0, class_size=None)
    choices, proposed = _choices(question, best, wish, seed, halted, progress)
    draws = _draws(posed, region, wish, seed)
    if wish.robust and draws is not None:
        choices.append(_robust(question, choices, draws, wish, seed, halted, progress))
        choices = _compared(choices, question)
    today = today_beside(posed, question, choices[0].answer)
    if today is not None:
        choices[0] = dataclasses.replace(choices[0], name=OWN)
    if not halted():
        notes += held_back(
            question, best, time_limit=min(10.0, wish.time_limit), steps=wish.steps, seed=seed
        )
    notes += below_smallest(posed, question, choices[proposed].answer, names)
    already = broken_today(posed, region)
    offers = []
    for choice in choices:
        _tell(progress, f"{choice.name}：核查 / checks")
        name = f"{scenario.name}（优化建议：{choice.name.split(' / ')[0]}）"
        offers.append(judge(posed, region, choice, name, already=already))
    _check_again(offers, progress)
    offer = offers[proposed]
    futures = prospects_of(posed, region, offers, question, draws)
    wrong = [
        f"{o.name.split(' / ')[0]}：{zh} / {o.name.split(' / ')[-1]}: {en}"
        for o in offers
        if _changes(o)
        for zh, en in (spoken(v, names) for v in model.check(o.question, o.answer))
    ]
    wrong += [
        f"{o.name}: 方案文件与计划有 {o.elsewhere} 处不同 / the recipe differs from the plan"
        for o in offers
        if o.elsewhere
    ]
    byhand, demands = (
        beside_optimum(hands, posed, region, question, offer, already=already)
        if hands
        else (pd.DataFrame(), pd.DataFrame())
    )
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
        plans=plans_table(offers, today),
        broken=_broken(offers),
        actions=reasons.actions_table(offer, region),
        moves=hearing.moves_table(offer),
        schools=hearing.schools_table(
            offer, region, most=0 if halted() else wish.prices, seed=seed, progress=progress
        ),
        outlook=futures[0],
        futures=futures[1],
        certain=futures[2],
        areas=pd.DataFrame()
        if latitude.areas is None
        else areas_table(latitude.areas, posed.problem, region),
        pieces=pieces_table(offer, region),
        screening=latitude.screening,
        byhand=byhand,
        demands=demands,
        stopped=halted(),
        memory=best.memory,
        notes=tuple(notes),
        today=today,
    )


def _fitting(memory: model.Memory, posed: Posed) -> None:
    """Refuse the search of another recipe or county."""
    groups, sites = len(posed.problem.group_band), len(posed.problem.site_ids)
    wanted = (groups, len(posed.problem.years))
    there = memory.site_of
    if there.shape != wanted or (there < -1).any() or (there >= sites).any():
        raise InputError(
            f"search.npz 是另一方案或另一县的搜索（村学段 x 年：{' x '.join(map(str, there.shape))}，本方案 "
            f"{wanted[0]} x {wanted[1]}）；请去掉 --resume 重新求解 / search.npz is of another recipe or county; "
            "leave --resume out"
        )


def _asking(
    posed: Posed, region: Region, latitude: Latitude, question: model.Question
) -> Callable[[Scenario], model.Question]:
    """Return what poses the same question of a recipe with fewer actions."""

    def ask(other: Scenario) -> model.Question:
        asked = question_on(pose(other, region, roads=posed.network), region)
        return opened(asked, region, latitude).replace(within=question.within)

    return ask


def _draws(posed: Posed, region: Region, wish: Wish, seed: int) -> npt.NDArray[np.int32] | None:
    if not wish.draws:
        return None
    return prospects.draws_of(posed, region, draws=wish.draws, seed=seed)


def _robust(
    question: model.Question,
    choices: list[model.Choice],
    draws: npt.NDArray[np.int32],
    wish: Wish,
    seed: int,
    halted: Callable[[], bool],
    progress: Progress | None,
) -> model.Choice:
    """Search for a plan that is regretted little whatever children come."""
    same = [c.answer for c in choices if c.question.problem is question.problem]
    answer, _, planned = model.most_robust(
        question, same, draws, rounds=wish.robust, seed=seed, steps=wish.steps,
        time_limit=wish.time_limit / wish.robust, stopped=halted, progress=progress,
    )  # fmt: skip
    given = [c.name.split(" / ")[0] for c in choices if c.answer is answer]
    name = f"稳健（同{given[0]}）" if given else "稳健"
    name += f"，另比较 {planned} 个 / robust, {planned} more compared"
    return model.Choice(name, question, answer, model.figures(question, answer))


def _compared(choices: list[model.Choice], question: model.Question) -> list[model.Choice]:
    """Mark dominated plans anew; one of other class sizes is compared with none."""
    alike = [c.question.problem is question.problem for c in choices]
    told = iter(model.mark_dominated([c for c, a in zip(choices, alike, strict=True) if a]))
    return [next(told) if a else c for c, a in zip(choices, alike, strict=True)]


def _check_again(offers: list[Offer], progress: Progress | None) -> None:
    """Refuse plans that code sharing nothing with the search finds wrong.

    A plan that keeps all schools is today's arrangement: nobody chose it, so it may be over limits.
    """
    _tell(progress, "独立复核 / independent check")
    for offer in offers:
        demand_sound(check_proposal(offer.question, offer.answer), limits=_changes(offer))


def _changes(offer: Offer) -> bool:
    """Whether a plan opens or closes anything."""
    opened = offer.answer.plan.open
    return bool((opened[:, :, :1] != opened).any())


def _tell(progress: Progress | None, text: str) -> None:
    if progress is not None:
        progress(text)


def _choices(
    question: model.Question,
    best: model.Answer,
    wish: Wish,
    seed: int,
    halted: Callable[[], bool],
    progress: Progress | None,
) -> tuple[list[model.Choice], int]:
    """Plans to choose from, keeping everything first, and the position of the cheapest."""
    if wish.plans:
        found = list(
            model.frontier(
                question, wish.plans, time_limit=wish.time_limit, seed=seed, steps=wish.steps,
                cheapest=best, stopped=halted, progress=progress,
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
    draws: npt.NDArray[np.int32] | None,
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
    draws : (d, n, g, t) int32 or None
        The draws.

    Returns
    -------
    tuple of DataFrame
        Plans, schools, certain actions; empty without draws.
    """
    if draws is None:
        return pd.DataFrame(), pd.DataFrame(), pd.DataFrame()
    place = [k for k, o in enumerate(offers, 1) if o.question.problem is question.problem]
    same = [offers[k - 1] for k in place]
    result = model.outlook(question, [o.answer for o in same], draws)
    table = prospects.plans_table(same, result, draws)
    return (
        table.assign(plan=place),
        prospects.schools_table(posed, region, question, draws),
        prospects.certain_actions(same, result, names_of_sites(region)),
    )


def plans_table(offers: list[Offer], today: Offer | None = None) -> pd.DataFrame:
    """Offers side by side.

    Parameters
    ----------
    offers : list of Offer
        Plans, keeping everything first.
    today : Offer, optional
        Today's arrangement, to stand below them as plan 0.

    Returns
    -------
    DataFrame
        ``plan, name, status, objective, bound, gap`` (of the plan's own question, in yuan in which
        a student's minute weighs ``minutes_weigh`` times the county's figure; blank where nothing
        is chosen), ``more_yuan`` (than keeping everything), ``yuan`` and the other figures of
        :class:`catchment.optimise.consolidation.Figures` at the county's own costs, what is built
        by the last year and its ``build_yuan`` over all years, ``dominated``, ``pieces,
        hard_rules_broken``.
    """
    rows = []
    minute = offers[0].question.costs.minute
    numbered = [*enumerate(offers, start=1), *([] if today is None else [(0, today)])]
    for k, offer in numbered:
        rows.append(
            {
                "plan": k,
                "name": offer.name,
                "status": offer.answer.plan.status,
                "minutes_weigh": offer.question.costs.minute / minute if minute else 1.0,
                "objective": offer.answer.plan.objective,
                "bound": offer.answer.plan.bound,
                "gap": offer.answer.gap,
                "more_yuan": offer.figures.yuan - offers[0].figures.yuan,
                **dataclasses.asdict(offer.figures),
                **_building(offer.answer),
                "dominated": offer.dominated,
                "pieces": int(
                    model.cut_off(offer.question, offer.answer.plan.site_of).any(axis=1).sum()
                ),
                "hard_rules_broken": len(offer.broken),
            }
        )
    return pd.DataFrame(rows)


def _building(answer: model.Answer) -> dict[str, float]:
    """Sum up what is built by the last year, and what it costs over all years."""
    kinds = [field.name for field in dataclasses.fields(answer.built)]
    yuan = sum(answer.breakdown.of(kind) for kind in (*kinds, "new_sites"))
    built = {f"{kind}_built": int(getattr(answer.built, kind)[:, -1].sum()) for kind in kinds}
    return {**built, "build_yuan": yuan}


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
