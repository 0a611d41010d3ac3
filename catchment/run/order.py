"""The order of one run, from a scenario to everything there is to show."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from catchment import __version__, indicators
from catchment.assemble import assemble, used_bands
from catchment.demand import StudentsByVillage, students_by_village
from catchment.errors import InputError
from catchment.network import build
from catchment.network.cells import neighbours, village_cells
from catchment.network.graph import RoadNetwork
from catchment.network.kept import Kept
from catchment.network.load import load_network
from catchment.network.notices import odd_change
from catchment.network.travel import TravelTimes, travel_times
from catchment.optimise.layout import recorded_plan, scenario_plan, today_plan
from catchment.optimise.wishes import NoPlanError, Wishes
from catchment.places.needs import smaller_classes
from catchment.plan import Elsewhere, Plan, split
from catchment.problem import Problem
from catchment.region.bands import Band
from catchment.region.model import Region
from catchment.region.read import read_region
from catchment.rules import books, rule
from catchment.rules.ground import Grounds
from catchment.run.account import conserve
from catchment.run.change import ImpossibleError, impossible
from catchment.run.designate import settle_designations
from catchment.run.draw import catchments_of
from catchment.run.explain import explain
from catchment.run.model import Run
from catchment.run.screen import grounds_of
from catchment.run.wanted import named_by_wishes, wishes_of
from catchment.run.ways import ways_of_parts
from catchment.run.why import why_schools, why_villages
from catchment.scenario import (
    Scenario,
    apply,
    county_of,
    read_scenario,
    resolve,
    roads_of,
    start_of,
)
from catchment.verify import Fault, check_plan, demand_sound, fault_table

Progress = Callable[[str], None]

OWN_TABLES = (
    "band_modes.csv",
    "bands.csv",
    "evidence.csv",
    "modes.csv",
    "need_factors.csv",
    "region.toml",
    "resources.csv",
    "road_classes.csv",
    "rules.csv",
)


def execute(
    path: Path,
    *,
    set_aside: bool = False,
    recorded: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    kept: Kept | None = None,
) -> Run:
    """Read a recipe and its county, and carry out the whole main job.

    Parameters
    ----------
    path : Path
        Recipe (TOML); the county's place is relative to it.
    set_aside : bool
        Whether rows in error are set aside and counted as rejected; otherwise they stop the run.
    recorded : mapping, optional
        Record of an earlier run (``run.json``): its plan is taken as it is, nothing is searched.
    progress : callable, optional
        Told a line of text before each step.
    kept : Kept, optional
        Memory of road networks and searches; the run is the same with and without.

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
    return run_scenario(
        scenario, region, recipe=recipe, recorded=recorded, progress=progress, kept=kept
    )


@dataclass(frozen=True)
class Posed:
    """A recipe on a county, brought to the point where a plan can be made.

    Attributes
    ----------
    scenario : Scenario
        The recipe, ids and years everywhere.
    regions : tuple of Region
        The county of each year.
    bands : tuple of Band
        Bands in use.
    students : StudentsByVillage
        Students by village.
    network : RoadNetwork
        Roads of today.
    times : TravelTimes
        Travel times on today's roads.
    every : tuple of (RoadNetwork, TravelTimes)
        Roads and times of every network that holds in some year, today's first.
    cells : GeoDataFrame
        Village cells.
    base : Problem
        The question of today's arrangement.
    today : Plan
        Today's arrangement.
    problem : Problem
        The question of the recipe.
    notes : tuple of str
        What had to be assumed.
    """

    scenario: Scenario
    regions: tuple[Region, ...]
    bands: tuple[Band, ...]
    students: StudentsByVillage
    network: RoadNetwork
    times: TravelTimes
    cells: gpd.GeoDataFrame
    base: Problem
    today: Plan
    problem: Problem
    notes: tuple[str, ...]
    every: tuple[tuple[RoadNetwork, TravelTimes], ...] = ()


def pose(
    scenario: Scenario,
    region: Region,
    *,
    progress: Progress | None = None,
    kept: Kept | None = None,
    roads: RoadNetwork | None = None,
) -> Posed:
    """Bring a recipe and a county together into the questions of today and of the recipe.

    Parameters
    ----------
    scenario : Scenario
        The recipe.
    region : Region
        The county.
    progress : callable, optional
        Told a line of text before each step.
    kept : Kept, optional
        Memory of road networks and searches.
    roads : RoadNetwork, optional
        Roads of today, in the county's CRS, where they are not those of its own layers.

    Returns
    -------
    Posed
        Everything a plan is made from.
    """
    region = county_of(scenario, region)
    scenario = resolve(scenario, region)
    bands = used_bands(region.bands, scenario.method.stages)
    years = scenario.years
    _tell(progress, "学生数 / students")
    students = students_by_village(region, years)
    _tell(progress, "道路网络 / road network")
    if roads is not None:
        network = roads
    else:
        network = load_network(region) if kept is None else kept.network(region)
    networks, which = _networks(scenario, region, network)
    _tell(progress, "出行时间 / travel times")
    search = None if kept is None else kept.door_to_door
    times = [travel_times(region, each, search=search) for each in networks]
    for note in [] if kept is None else kept.notes:
        _tell(progress, note)
    _tell(progress, "邻接关系 / neighbours")
    cells = village_cells(region)
    touching = neighbours(cells)
    still = [region] * len(years)
    base = assemble(still, years, times[:1], [0] * len(years), students, touching, bands)
    today = today_plan(base)
    county, assumed = settle_designations(region, base, today)
    regions = [apply(scenario, county, year) for year in years]
    problem = assemble(regions, years, times, which, students, touching, bands, county=county)
    if scenario.class_size is not None:
        problem = problem.replace(
            class_size=smaller_classes(problem.class_size, scenario.class_size)
        )
    return Posed(
        scenario=scenario,
        regions=tuple(regions),
        bands=bands,
        students=students,
        network=network,
        times=times[0],
        cells=cells,
        base=base,
        today=today,
        problem=problem,
        notes=(*students.notes, *times[0].notes, *assumed, *_odd_changes(scenario, times, which)),
        every=tuple(zip(networks, times, strict=True)),
    )


def run_scenario(
    scenario: Scenario,
    region: Region,
    *,
    recipe: str = "",
    recorded: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    kept: Kept | None = None,
) -> Run:
    """Carry out a recipe on a county that has been read.

    Parameters
    ----------
    scenario : Scenario
        The recipe.
    region : Region
        The county.
    recipe : str
        SHA-256 of the recipe's file, for provenance.
    recorded : mapping, optional
        Record of an earlier run of the same recipe on the same layers.
    progress : callable, optional
        Told a line of text before each step.
    kept : Kept, optional
        Memory of road networks and searches; the run is the same with and without.

    Returns
    -------
    Run
        Everything there is to show.
    """
    region = county_of(scenario, region)
    posed = pose(scenario, region, progress=progress, kept=kept)
    scenario, bands, students = posed.scenario, posed.bands, posed.students
    base, today, problem = posed.base, posed.today, posed.problem
    _tell(progress, "方案 / plan")
    wishes = wishes_of(problem, region, scenario)
    plan = (
        _planned(posed, region, wishes, progress)
        if recorded is None
        else (_recorded(problem, recorded))
    )
    _tell(progress, "独立复核 / independent check")
    faults = _check_again(posed, plan, wishes)
    counted, going = split(problem, plan)
    _tell(progress, "回程与途中障碍 / ways home and crossings")
    ways = ways_of_parts(
        counted,
        going,
        len(problem.group_band),
        region,
        [network for network, _ in posed.every],
        [times for _, times in posed.every],
        search=None if kept is None else kept.door_to_door,
    )
    _tell(progress, "核查 / checks")
    conservation = conserve(counted, going, region, students)
    book = books.read_books(scenario.rules.books, county_folder=region.folder)
    limits = books.class_limits(book)
    measures = pd.concat(
        [
            indicators.compute(
                question,
                answer,
                which=label,
                townships=region.villages["township"].astype(str).tolist(),
                bands=bands,
                limits=limits,
                actual=region.classes,
            )
            for label, question, answer in (("today", base, today), ("plan", counted, going))
        ],
        ignore_index=True,
    )
    return Run(
        name=scenario.name,
        scenario=scenario.model_dump(mode="json", by_alias=True),
        region=region,
        network=posed.network,
        times=posed.times,
        problem=problem,
        today=today,
        plan=plan,
        indicators=measures,
        findings=rule.check(
            counted,
            going,
            today,
            posed.regions,
            book,
            measures,
            base=base,
            evidence=None if region.folder is None else books.read_evidence(region.folder),
            resources=None if region.folder is None else books.read_resources(region.folder),
            ways=ways,
            grounds=_grounds(problem, plan, region, posed.network),
        ),
        ledger=indicators.class_ledger(counted, going, region, limits),
        base=base,
        notes=posed.notes,
        catchments=catchments_of(problem, today, plan, posed.cells),
        conservation=conservation,
        checks=fault_table(faults),
        explanations=explain(problem, today, plan, region, scenario),
        why=why_villages(
            problem,
            plan,
            region,
            wishes=wishes,
            stay_minutes=scenario.method.stay_minutes,
            start=start_of(scenario),
        ),
        prices=why_schools(problem, plan, region, wishes=wishes, start=start_of(scenario)),
        provenance=_provenance(scenario, region, recipe, book),
    )


def _grounds(problem: Problem, plan: Plan, region: Region, network: RoadNetwork) -> Grounds | None:
    """Measure candidate sites against railways and main roads where the plan builds on any."""
    new = plan.open.any(axis=(1, 2)) & ~problem.existing
    return grounds_of(region, network) if new.any() else None


def _planned(posed: Posed, region: Region, wishes: Wishes, progress: Progress | None) -> Plan:
    """Search for the plan; where none does all that is asked, say why and what would."""
    scenario, problem = posed.scenario, posed.problem
    start = start_of(scenario)
    try:
        return scenario_plan(
            problem,
            scenario.method.assignment,
            connected=scenario.method.connected,
            stay_minutes=scenario.method.stay_minutes,
            start=start,
            effort=scenario.effort,
            time_limit=scenario.time_limit,
            seed=scenario.seed,
            progress=progress,
            wishes=wishes,
        )
    except NoPlanError as stuck:
        _tell(
            progress, "没有方案：寻找可行的单项改动 / no plan: looking for a change that makes one"
        )
        why = impossible(problem, region, wishes, stuck.witness, start=start, seed=scenario.seed)
        raise ImpossibleError(why) from stuck


def _check_again(posed: Posed, plan: Plan, wishes: Wishes) -> tuple[Fault, ...]:
    """Faults of the plan, counted by code that shares nothing with the search; a broken one stops."""
    method = posed.scenario.method
    whole = method.assignment == "capacity" or (method.assignment == "nearest" and method.connected)
    question = named_by_wishes(posed.problem, plan, wishes, start=start_of(posed.scenario))
    faults = check_plan(
        *split(question, plan), connected_from=start_of(posed.scenario) if whole else None
    )
    demand_sound((*faults, *check_plan(posed.base, posed.today)))
    return faults


def _tell(progress: Progress | None, text: str) -> None:
    if progress is not None:
        progress(text)


def _recorded(problem: Problem, record: Mapping[str, Any]) -> Plan:
    """Plan of a record; sites are found by code, so that nothing depends on their order."""
    site = {code: j for j, code in enumerate(problem.site_ids)}
    row = {
        (problem.village_ids[v], problem.bands[b]): i
        for i, (v, b) in enumerate(zip(problem.group_village, problem.group_band, strict=True))
    }
    site_of = np.full((len(problem.group_band), len(problem.years)), -1, dtype=np.int32)
    for entry in record["assignment"]:
        for t, year in enumerate(problem.years):
            code = entry["site"][str(year)]
            if code is not None:
                site_of[row[entry["village"], entry["band"]], t] = site[code]
    made = record["plan"]
    bound = made["bound_student_minutes"]
    return recorded_plan(
        problem,
        site_of,
        made["method"],
        bound=float("nan") if bound is None else float(bound),
        seed=int(made["seed"]),
        notes=tuple(made["notes"]),
        elsewhere=_recorded_elsewhere(problem, record.get("elsewhere") or [], row, site),
    )


def _recorded_elsewhere(
    problem: Problem,
    entries: Sequence[Mapping[str, Any]],
    row: Mapping[tuple[str, str], int],
    site: Mapping[str, int],
) -> Elsewhere | None:
    if not entries:
        return None
    table = np.array(
        [
            (
                row[e["village"], e["band"]],
                problem.grades.index(e["grade"]),
                problem.years.index(e["year"]),
                site[e["site"]],
                e["students"],
                e["shared"],
            )
            for e in entries
        ],
        dtype=np.int32,
    )
    group, grade, year, place, students, shared = table.T
    return Elsewhere(group, grade, year, place, students, shared.astype(bool))


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
                        changed,
                        action.start,
                        action.end,
                        region.crs,
                        action.road_class,
                        region.elevation,
                    )
            networks.append(changed)
            done = roads
        which.append(len(networks) - 1)
    return networks, which


def _odd_changes(
    scenario: Scenario, times: Sequence[TravelTimes], which: Sequence[int]
) -> list[str]:
    """Villages whose trips grow shorter where roads are only closed: they join another road."""
    found: list[str] = []
    for k, changed in enumerate(times[1:], start=1):
        roads = roads_of(scenario, scenario.years[which.index(k)])
        if any(action.road != "closed" for action in roads):
            continue
        said = odd_change(changed.villages, times[0].minutes, changed.minutes)
        if said and said not in found:
            found.append(said)
    return found


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
    own = {
        name: hashlib.sha256((region.folder / name).read_bytes()).hexdigest()
        for name in OWN_TABLES
        if region.folder is not None and (region.folder / name).is_file()
    }
    packages = ("geopandas", "shapely", "pyproj", "numpy", "scipy", "numba", "pandas", "osmium")
    facts = {
        "catchment": __version__,
        "python": platform.python_version(),
        "packages": {p: version(p) for p in packages},
        "recipe_sha256": recipe,
        "sources": sources,
        "tables_of_the_county": own,
        "crs": region.crs.to_string(),
        "seed": scenario.seed,
        "rule_books": list(scenario.rules.books),
        "rules": len(book),
        **scenario.publication.model_dump(),
    }
    text = json.dumps([recipe, sources, own, __version__, scenario.seed], ensure_ascii=False)
    return {"digest": hashlib.sha256(text.encode()).hexdigest(), **facts}
