"""The order of one run, from a scenario to everything there is to show."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from catchment import __version__, indicators, places
from catchment.assemble import assemble, used_bands
from catchment.demand import students_by_village
from catchment.errors import InputError
from catchment.network import build
from catchment.network.cells import neighbours, village_cells
from catchment.network.graph import RoadNetwork
from catchment.network.load import load_network
from catchment.network.travel import TravelTimes, travel_times
from catchment.optimise.layout import scenario_plan, today_plan
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.region.model import Region
from catchment.region.read import read_region
from catchment.rules import books, rule
from catchment.scenario import Scenario, apply, read_scenario, resolve, roads_of

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Run:
    """Everything there is to show of one run.

    Attributes
    ----------
    name : str
        Name of the scenario.
    scenario : dict
        The recipe as read (plain values).
    region : Region
        The county as it is today.
    network : RoadNetwork
        Roads of today.
    times : TravelTimes
        Travel times of today's roads, sites of the scenario included.
    problem : Problem
        The question.
    today : Plan
        Today's arrangement carried through the years unchanged.
    plan : Plan
        The proposal.
    indicators : DataFrame
        ``indicator, unit, scope, id, year, value, plan`` (``plan`` is ``today`` or ``plan``).
    findings : DataFrame
        ``code, title, place, year, value, limit, excess, unit, severity, result, citation, ...``.
    ledger : DataFrame
        Large-class ledger.
    catchments : GeoDataFrame
        Polygons: ``plan, site_id, band, year, villages, students, pieces, geometry``.
    conservation : DataFrame
        ``year, students_in, served, unserved, rejected``.
    explanations : DataFrame
        One row a village-band whose school changes: before, after, minutes, reason.
    provenance : dict
        Digest of every input, versions, seed.
    """

    name: str
    scenario: dict[str, Any]
    region: Region
    network: RoadNetwork
    times: TravelTimes
    problem: Problem
    today: Plan
    plan: Plan
    indicators: pd.DataFrame
    findings: pd.DataFrame
    ledger: pd.DataFrame
    catchments: gpd.GeoDataFrame
    conservation: pd.DataFrame
    explanations: pd.DataFrame
    provenance: dict[str, Any] = field(default_factory=dict)


def execute(path: Path, *, set_aside: bool = False, progress: Progress | None = None) -> Run:
    """Read a recipe and its county, and carry out the whole main job.

    Parameters
    ----------
    path : Path
        Recipe (TOML); the county's place is relative to it.
    set_aside : bool
        Whether rows in error are set aside and counted as rejected; otherwise they stop the run.
    progress : callable, optional
        Told a line of text before each step.

    Returns
    -------
    Run
        Everything there is to show.

    Raises
    ------
    CatchmentError
        When the recipe or the county cannot be used; nothing has been written then.
    """
    scenario = read_scenario(path)
    folder = (path.parent / scenario.region).resolve()
    _tell(progress, "读取县域数据 / reading the county")
    region = read_region(folder, set_aside=set_aside)
    recipe = hashlib.sha256(path.read_bytes()).hexdigest()
    return run_scenario(scenario, region, folder=folder, recipe=recipe, progress=progress)


def run_scenario(
    scenario: Scenario,
    region: Region,
    *,
    folder: Path | None = None,
    recipe: str = "",
    progress: Progress | None = None,
) -> Run:
    """Carry out a recipe on a county that has been read.

    Parameters
    ----------
    scenario : Scenario
        The recipe.
    region : Region
        The county.
    folder : Path, optional
        The county's folder, for its own rules and modes.
    recipe : str
        SHA-256 of the recipe's file, for provenance.
    progress : callable, optional
        Told a line of text before each step.

    Returns
    -------
    Run
        Everything there is to show.
    """
    scenario = resolve(scenario, region)
    bands = used_bands(region.bands, scenario.method.stages)
    years = scenario.years
    _tell(progress, "学生数 / students")
    students = students_by_village(region, years)
    _tell(progress, "道路网络 / road network")
    network = load_network(region)
    networks, which = _networks(scenario, region, network)
    _tell(progress, "出行时间 / travel times")
    times = [travel_times(region, each) for each in networks]
    _tell(progress, "邻接关系 / neighbours")
    cells = village_cells(region)
    regions = [apply(scenario, region, year) for year in years]
    problem = assemble(regions, years, times, which, students, neighbours(cells), bands)
    today = today_plan(problem)
    _tell(progress, "方案 / plan")
    plan = scenario_plan(
        problem,
        scenario.method.assignment,
        connected=scenario.method.connected,
        time_limit=scenario.time_limit,
        seed=scenario.seed,
        progress=progress,
    )
    _tell(progress, "核查 / checks")
    conservation = conserve(problem, plan, region)
    measures = pd.concat(
        [_measure(problem, today, region, "today"), _measure(problem, plan, region, "plan")],
        ignore_index=True,
    )
    book = books.read_books(scenario.rules.books, county_folder=folder)
    return Run(
        name=scenario.name,
        scenario=scenario.model_dump(mode="json", by_alias=True),
        region=region,
        network=network,
        times=times[0],
        problem=problem,
        today=today,
        plan=plan,
        indicators=measures,
        findings=rule.check(problem, plan, today, regions, book, measures),
        ledger=_ledger(problem, plan, region),
        catchments=catchments_of(problem, today, plan, cells),
        conservation=conservation,
        explanations=explain(problem, today, plan, region, scenario),
        provenance=_provenance(scenario, region, recipe, book),
    )


def _tell(progress: Progress | None, text: str) -> None:
    if progress is not None:
        progress(text)


def _networks(
    scenario: Scenario, region: Region, network: RoadNetwork
) -> tuple[list[RoadNetwork], list[int]]:
    """Return the different road networks of the years, and which holds in each."""
    networks, which = [network], []
    done: tuple[Any, ...] = ()
    for year in scenario.years:
        roads = roads_of(scenario, year)
        if roads != done:
            changed = network
            for action in roads:
                if action.road == "closed":
                    changed = build.close_road(changed, action.start, region.crs)
                elif action.end is None:
                    raise InputError(
                        "修路行动缺少 to = [经度, 纬度] / a new road needs its other end: to = [lon, lat]"
                    )
                else:
                    changed = build.build_road(
                        changed, action.start, action.end, region.crs, action.road_class
                    )
            networks.append(changed)
            done = roads
        which.append(len(networks) - 1)
    return networks, which


def conserve(problem: Problem, plan: Plan, region: Region) -> pd.DataFrame:
    """Account for every student: in = served + unserved + rejected, exactly, in every year.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.
    region : Region
        The county, with the rows set aside.

    Returns
    -------
    DataFrame
        ``year, students_in, served, unserved, rejected`` (integers).

    Raises
    ------
    InputError
        When the sums do not agree, which would be a fault of the program.
    """
    rejected = region.rejected
    demand = problem.demand()
    rows = []
    for t, year in enumerate(problem.years):
        served_mask = plan.site_of[:, t] >= 0
        aside = 0
        if len(rejected):
            count = pd.to_numeric(rejected["students"]).fillna(0)
            same_year = pd.to_numeric(rejected["year"]) == year
            grade = pd.to_numeric(rejected["grade"])
            inside = grade.isin(problem.grades) | grade.isna()
            aside = int(count[same_year & inside].sum())
        served = int(demand[served_mask, t].sum())
        unserved = int(demand[~served_mask, t].sum())
        rows.append((year, int(problem.students[:, :, t].sum()) + aside, served, unserved, aside))
        if rows[-1][1] != served + unserved + aside:
            raise InputError(f"{year}: 学生数不守恒 / students are not conserved: {rows[-1]}")
    return pd.DataFrame(rows, columns=["year", "students_in", "served", "unserved", "rejected"])


def _measure(problem: Problem, plan: Plan, region: Region, which: str) -> pd.DataFrame:
    return indicators.compute(
        problem, plan, which=which, townships=region.villages["township"].astype(str).tolist()
    )


def _ledger(problem: Problem, plan: Plan, region: Region) -> pd.DataFrame:
    return places.ledger(problem, plan, region)


def catchments_of(
    problem: Problem, today: Plan, plan: Plan, cells: gpd.GeoDataFrame
) -> gpd.GeoDataFrame:
    """Draw the catchments of today and of the plan as polygons.

    Parameters
    ----------
    problem : Problem
        The question.
    today, plan : Plan
        The two answers.
    cells : GeoDataFrame
        Village cells, in the order of ``problem.village_ids``.

    Returns
    -------
    GeoDataFrame
        ``plan, site_id, band, year, villages, students, pieces, geometry``; ``pieces`` counts the
        connected parts of the catchment in the neighbour graph.
    """
    from catchment.optimise.contiguity import pieces

    demand = problem.demand()
    frames = []
    shapes = cells.geometry.to_numpy()
    for label, answer in (("today", today), ("plan", plan)):
        drawn: dict[bytes, gpd.GeoSeries] = {}
        for t, year in enumerate(problem.years):
            if label == "today" and t:
                continue
            for b, band in enumerate(problem.bands):
                members = np.flatnonzero(problem.group_band == b)
                site = answer.site_of[members, t]
                parts = pieces(site, problem.neighbours, len(problem.site_ids))
                key = site.tobytes()
                if key not in drawn:
                    served = site >= 0
                    union = gpd.GeoDataFrame(
                        {"site": site[served]}, geometry=shapes[served], crs=cells.crs
                    ).dissolve(by="site", method="coverage")
                    drawn[key] = union.geometry
                used = drawn[key].index.to_numpy()
                load = np.bincount(
                    np.maximum(site, 0),
                    weights=np.where(site >= 0, demand[members, t], 0),
                    minlength=len(problem.site_ids),
                )
                count = np.bincount(site[site >= 0], minlength=len(problem.site_ids))
                frames.append(
                    gpd.GeoDataFrame(
                        {
                            "plan": label,
                            "site_id": [problem.site_ids[j] for j in used],
                            "band": band,
                            "year": year,
                            "villages": count[used],
                            "students": load[used].astype(int),
                            "pieces": parts[used],
                        },
                        geometry=drawn[key].to_numpy(),
                        crs=cells.crs,
                    )
                )
    return gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), crs=cells.crs)


def explain(
    problem: Problem, today: Plan, plan: Plan, region: Region, scenario: Scenario
) -> pd.DataFrame:
    """Say for every village-band whose school changes where it goes and why.

    Parameters
    ----------
    problem : Problem
        The question.
    today, plan : Plan
        The two answers.
    region : Region
        The county.
    scenario : Scenario
        The resolved recipe.

    Returns
    -------
    DataFrame
        One row a village, band and first year of a change: ``village_id, village, township, band,
        year, from_site, from_name, to_site, to_name, minutes_before, minutes_after, mode_before,
        mode_after, students, reason_zh, reason_en``.
    """
    names = names_of_sites(region)
    villages = region.villages
    name = villages["name"].astype(str).tolist()
    township = villages["township"].astype(str).tolist()
    demand = problem.demand()
    by_school = {(a.school, a.year): a for a in scenario.actions if hasattr(a, "school")}
    rows = []
    for i in range(len(problem.group_band)):
        before = int(today.site_of[i, 0])
        for t, year in enumerate(problem.years):
            after = int(plan.site_of[i, t])
            if after == before:
                continue
            v, b = int(problem.group_village[i]), int(problem.group_band[i])
            zh, en = _reason(problem, plan, by_school, before, after, b, t, names)
            rows.append(
                {
                    "village_id": problem.village_ids[v],
                    "village": name[v],
                    "township": township[v],
                    "band": problem.bands[b],
                    "year": year,
                    "from_site": problem.site_ids[before] if before >= 0 else "",
                    "from_name": names.get(problem.site_ids[before], "") if before >= 0 else "",
                    "to_site": problem.site_ids[after] if after >= 0 else "",
                    "to_name": names.get(problem.site_ids[after], "") if after >= 0 else "",
                    "minutes_before": _minutes(problem, i, before, 0),
                    "minutes_after": _minutes(problem, i, after, t),
                    "mode_before": _mode(problem, int(today.mode_of[i, 0])),
                    "mode_after": _mode(problem, int(plan.mode_of[i, t])),
                    "students": int(demand[i, t]),
                    "reason_zh": zh,
                    "reason_en": en,
                }
            )
            before = after
    columns = [
        "village_id", "village", "township", "band", "year", "from_site", "from_name", "to_site",
        "to_name", "minutes_before", "minutes_after", "mode_before", "mode_after", "students",
        "reason_zh", "reason_en",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def names_of_sites(region: Region) -> dict[str, str]:
    """Names of schools and candidate sites by id.

    Parameters
    ----------
    region : Region
        The county.

    Returns
    -------
    dict of str to str
        Names.
    """
    schools = zip(region.schools["school_id"], region.schools["name"], strict=True)
    sites = zip(region.sites["site_id"], region.sites["name"], strict=True)
    return {str(k): str(v) for k, v in (*schools, *sites)}


def _minutes(problem: Problem, i: int, site: int, t: int) -> float:
    if site < 0:
        return float("nan")
    return round(float(problem.minutes[problem.network[t], i, site]), 1)


def _mode(problem: Problem, mode: int) -> str:
    return problem.modes[mode] if mode >= 0 else ""


def _reason(
    problem: Problem,
    plan: Plan,
    by_school: dict[Any, Any],
    before: int,
    after: int,
    band: int,
    t: int,
    names: dict[str, str],
) -> tuple[str, str]:
    """One sentence on why a group leaves its school."""
    if after < 0:
        return "没有可到达的学校", "no school can be reached"
    if before < 0:
        return "原先没有可到达的学校", "no school could be reached before"
    left, target = problem.site_ids[before], names.get(problem.site_ids[after], "")
    action = None
    for year in problem.years[: t + 1]:
        for (school, when), each in by_school.items():
            if (
                school == left
                and when is not None
                and when <= year
                and each.do
                in (
                    "merge",
                    "downgrade",
                )
            ):
                action = each
    if not plan.open[before, band, t]:
        note = f"（{action.reason}）" if action is not None and action.reason else ""
        what_zh = "撤并" if action is None or action.do == "merge" else "改为教学点"
        what_en = "closed" if action is None or action.do == "merge" else "made a teaching point"
        year = action.year if action is not None else problem.years[t]
        return (
            f"{names.get(left, left)}{year}年{what_zh}，改到{target}{note}",
            f"{names.get(left, left)} is {what_en} in {year}; goes to {target}",
        )
    nearer = "就近" if plan.method == "nearest" else "按学位和距离"
    return (
        f"{nearer}调整到{target}",
        f"assigned to {target} by {'distance' if plan.method == 'nearest' else 'places and distance'}",
    )


def _provenance(
    scenario: Scenario, region: Region, recipe: str, book: Sequence[Any]
) -> dict[str, Any]:
    sources = [
        {
            "layer": s.layer,
            "file": s.file,
            "sha256": s.sha256,
            "rows": s.rows,
            "crs": s.crs,
            "encoding": s.encoding,
            "notes": list(s.notes),
        }
        for s in region.sources
    ]
    packages = ("geopandas", "shapely", "pyproj", "numpy", "scipy", "numba", "pandas", "osmium")
    facts = {
        "catchment": __version__,
        "python": platform.python_version(),
        "packages": {p: version(p) for p in packages},
        "recipe_sha256": recipe,
        "sources": sources,
        "crs": region.crs.to_string(),
        "seed": scenario.seed,
        "rule_books": list(scenario.rules.books),
        "rules": len(book),
    }
    text = json.dumps([recipe, sources, __version__, scenario.seed], ensure_ascii=False)
    return {"digest": hashlib.sha256(text.encode()).hexdigest(), **facts}
