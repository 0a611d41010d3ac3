"""An opened county: everything that a change of a plan leaves as it is, reckoned once and kept.

The county is read once and never changed. What depends on years, limits, own candidate sites or
roads of a variant is laid as a *ground* and kept for the variants that share it, so that a toggle
pays for the toggle alone.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_matrix

from catchment import indicators
from catchment.assemble import assemble, used_bands
from catchment.demand import StudentsByVillage, students_by_village
from catchment.network import build
from catchment.network.cells import neighbours, village_cells
from catchment.network.graph import RoadNetwork
from catchment.network.load import load_network
from catchment.network.travel import TravelTimes, travel_times
from catchment.optimise.layout import today_plan
from catchment.places import ClassLimits
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.region.bands import Band
from catchment.region.model import Region
from catchment.rules import books
from catchment.rules.clause import Rule
from catchment.rules.facts import Facts, facts_of
from catchment.run.designate import settle_designations
from catchment.scenario import Road, Scenario, county_of, roads_of

_KEPT = 12
_T = TypeVar("_T")

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Figures: TypeAlias = dict[tuple[str, str, str], float]
"""Value by indicator, scope and id, for the county and its bands."""


class Shelf(Generic[_T]):
    """The last few things that were made, each made once even when two threads ask.

    Parameters
    ----------
    most : int
        How many.
    """

    def __init__(self, most: int = _KEPT) -> None:
        self._most = most
        self._things: OrderedDict[Hashable, _T] = OrderedDict()
        self._lock = threading.RLock()

    def get(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """Return what is kept under a key, made now if need be.

        Parameters
        ----------
        key : hashable
            Name of the thing.
        make : callable
            Makes it.

        Returns
        -------
        object
            The thing.
        """
        with self._lock:
            if key in self._things:
                self._things.move_to_end(key)
                return self._things[key]
            made = make()
            self._things[key] = made
            while len(self._things) > self._most:
                self._things.popitem(last=False)
            return made


@dataclass(frozen=True)
class Sites:
    """What every site is before any action (m sites, in the order of the problem).

    Attributes
    ----------
    working : (m,) bool
        Whether it is a working school.
    school : (m,) bool
        Whether the table of schools holds it.
    first, last : (m,) int64
        First and last grade; 99 and 0 where it has none.
    own_first, own_last : (m,) int64
        Grades of a candidate site.
    rooms, beds, seats, naps, rooms_max : (m,) float64
        Classrooms, beds, dining seats, nap places, most classrooms of a candidate site; nan where unknown.
    """

    working: Bool
    school: Bool
    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]
    own_first: npt.NDArray[np.int64]
    own_last: npt.NDArray[np.int64]
    rooms: Float
    beds: Float
    seats: Float
    naps: Float
    rooms_max: Float


@dataclass(frozen=True)
class Ground:
    """What all variants of the same years, limits, own sites and roads share.

    Attributes
    ----------
    region : Region
        The county with the recipe's own sites and limits.
    county : Region
        The same, a school settled for every village-band that can reach one.
    bands : tuple of Band
        Bands in use.
    students : StudentsByVillage
        Students by village.
    base : Problem
        The question of today's arrangement.
    today : Plan
        Today's arrangement.
    question : Problem
        The question on the recipe's roads before any other action.
    times : TravelTimes
        Travel times on today's roads.
    sites : Sites
        What every site is before any action.
    site : dict of str to int
        Position of each site.
    village : dict of str to int
        Position of each village.
    facts : Facts
        Names and tables for the rules.
    figures : dict of int to Figures
        Figures of today's arrangement by year.
    notes : tuple of str
        What had to be assumed.
    class_rows, evidence_rows : dict of str to list of int
        Rows of each school in the tables of classes and of evidence of ``facts``.
    """

    region: Region
    county: Region
    bands: tuple[Band, ...]
    students: StudentsByVillage
    base: Problem
    today: Plan
    question: Problem
    times: TravelTimes
    sites: Sites
    site: dict[str, int]
    village: dict[str, int]
    facts: Facts
    figures: dict[int, Figures]
    notes: tuple[str, ...]
    class_rows: dict[str, list[int]]
    evidence_rows: dict[str, list[int]]


class OpenCounty:
    """A county held open.

    Parameters
    ----------
    region : Region
        The county as read.
    scenario : Scenario
        The recipe that new variants start from: years, stages, method, rule books, seed.

    Attributes
    ----------
    region, scenario
        As given.
    network : RoadNetwork
        Roads of today.
    touching : csr_matrix of bool
        (v, v) villages whose cells touch.
    book : list of Rule
        Rules of the recipe's books.
    class_limits : ClassLimits
        Limits of class and school size among them.
    codes, village_codes : frozenset of str
        Codes of schools and candidate sites, and of villages.
    bounds : (float, float, float, float)
        West, south, east, north of villages and schools, degrees.
    """

    def __init__(self, region: Region, scenario: Scenario) -> None:
        self.region = region
        self.scenario = scenario
        self.network: RoadNetwork = load_network(region)
        self.cells = village_cells(region)
        self.touching: csr_matrix = neighbours(self.cells)
        self.book: list[Rule] = list(
            books.read_books(scenario.rules.books, county_folder=region.folder)
        )
        self.class_limits: ClassLimits = books.class_limits(self.book)
        self.codes = frozenset(
            (*region.schools["school_id"].astype(str), *region.sites["site_id"].astype(str))
        )
        self.village_codes = frozenset(region.villages["village_id"].astype(str))
        boxes = [
            t.geometry.to_crs("EPSG:4490").total_bounds for t in (region.villages, region.schools)
        ]
        west, south = np.nanmin(boxes, axis=0)[:2].tolist()
        east, north = np.nanmax(boxes, axis=0)[2:].tolist()
        self.bounds: tuple[float, float, float, float] = (west, south, east, north)
        self._grounds: Shelf[Ground] = Shelf()
        self._networks: Shelf[RoadNetwork] = Shelf(24)
        self._times: Shelf[TravelTimes] = Shelf(16)
        self._students: Shelf[StudentsByVillage] = Shelf()

    @property
    def folder(self) -> Path | None:
        """Folder of the county."""
        return self.region.folder

    def ground(self, scenario: Scenario) -> Ground:
        """Lay the ground of a recipe, or take the one that is kept.

        Parameters
        ----------
        scenario : Scenario
            The recipe, ids and years everywhere.

        Returns
        -------
        Ground
            What does not depend on its other actions.
        """
        return self._grounds.get(_ground_key(scenario), lambda: self._lay(scenario))

    def times_on(self, region: Region, roads: tuple[Road, ...]) -> TravelTimes:
        """Travel times on today's roads with some built or closed.

        Parameters
        ----------
        region : Region
            The county with the recipe's own sites.
        roads : tuple of Road
            Road actions carried out, in order.

        Returns
        -------
        TravelTimes
            All schools, candidate sites and own sites; a site added costs one search.
        """
        network = self._networks.get(_road_key(roads), lambda: self._change(roads))
        times = self._times.get(_road_key(roads), lambda: travel_times(self.region, network))
        known = set(times.sites)
        for code in region.sites["site_id"].astype(str):
            if code in known:
                continue
            place = region.sites.geometry[region.sites["site_id"].astype(str) == code].iloc[0]
            key = (_road_key(roads), code, place.x, place.y)
            search = functools.partial(travel_times, region, network, sites=[code])
            one = self._times.get(key, search)
            times = _beside(times, one)
        return times

    def _change(self, roads: tuple[Road, ...]) -> RoadNetwork:
        if not roads:
            return self.network
        before = self._networks.get(_road_key(roads[:-1]), lambda: self._change(roads[:-1]))
        last, region = roads[-1], self.region
        if last.road == "closed" or last.end is None:
            return build.close_road(before, last.start, region.crs)
        return build.build_road(
            before, last.start, last.end, region.crs, last.road_class, region.elevation
        )

    def _lay(self, scenario: Scenario) -> Ground:
        region = county_of(scenario, self.region)
        bands = used_bands(region.bands, scenario.method.stages)
        years = scenario.years
        students = self._students.get(years, lambda: students_by_village(self.region, years))
        plain = self.times_on(region, ())
        still = [region] * len(years)
        base = assemble(still, years, [plain], [0] * len(years), students, self.touching, bands)
        today = today_plan(base)
        county, assumed = settle_designations(region, base, today)
        times, which = self._years_of_roads(scenario, region)
        question = assemble(
            [county] * len(years), years, times, which, students, self.touching, bands,
            county=county,
        )  # fmt: skip
        table = indicators.compute(
            base,
            today,
            which="today",
            townships=region.villages["township"].astype(str).tolist(),
            bands=bands,
            limits=self.class_limits,
            actual=region.classes,
        )
        facts = facts_of(
            [county.replace(classes=county.classes.astype(object))],
            question,
            None if region.folder is None else books.read_evidence(region.folder),
            None,
            None if region.folder is None else books.read_resources(region.folder),
        )
        return Ground(
            region=region,
            county=county,
            bands=bands,
            students=students,
            base=base,
            today=today,
            question=question,
            times=plain,
            sites=_sites(county, question),
            site={s: j for j, s in enumerate(question.site_ids)},
            village={v: i for i, v in enumerate(question.village_ids)},
            facts=facts,
            figures=county_figures(table),
            notes=(*students.notes, *plain.notes, *assumed),
            class_rows=_rows_of(facts.classes),
            evidence_rows=_rows_of(facts.evidence),
        )

    def _years_of_roads(
        self, scenario: Scenario, region: Region
    ) -> tuple[list[TravelTimes], list[int]]:
        """Return the times of the different road networks, and which holds in each year."""
        times, which = [self.times_on(region, ())], []
        done: tuple[Road, ...] = ()
        for year in scenario.years:
            roads = roads_of(scenario, year)
            if roads != done:
                times.append(self.times_on(region, roads))
                done = roads
            which.append(len(times) - 1)
        return times, which


def county_figures(table: pd.DataFrame) -> dict[int, Figures]:
    """Pick the figures of the county and its bands from a table of indicators.

    Parameters
    ----------
    table : DataFrame
        As :func:`catchment.indicators.compute` gives it.

    Returns
    -------
    dict of int to Figures
        By year; rounded to four decimals.
    """
    columns = (table[c].tolist() for c in ("indicator", "scope", "id", "year", "value"))
    out: dict[int, Figures] = {}
    for name, scope, ident, year, value in zip(*columns, strict=True):
        if scope in ("county", "band"):
            out.setdefault(int(year), {})[(str(name), str(scope), str(ident))] = round(
                float(value), 4
            )
    return out


def _road_key(roads: tuple[Road, ...]) -> Hashable:
    return ("roads", *((r.road, r.start, r.end, r.road_class) for r in roads))


def _ground_key(scenario: Scenario) -> Hashable:
    own = tuple(
        (a.site, a.at, a.name, a.grades)
        for a in scenario.actions
        if a.do == "build" and a.at is not None
    )
    roads = tuple(
        (a.year, a.road, a.start, a.end, a.road_class) for a in scenario.actions if a.do == "road"
    )
    limits = tuple(sorted(scenario.limits.items()))
    return (scenario.years, scenario.method.stages, limits, own, roads)


def _beside(times: TravelTimes, one: TravelTimes) -> TravelTimes:
    return dataclasses.replace(
        times,
        sites=(*times.sites, *one.sites),
        minutes=np.concatenate([times.minutes, one.minutes], axis=2),
        metres=np.concatenate([times.metres, one.metres], axis=2),
        site_m=np.concatenate([times.site_m, one.site_m], axis=1),
    )


def _rows_of(table: pd.DataFrame) -> dict[str, list[int]]:
    """Positions of the rows of each school."""
    out: dict[str, list[int]] = {}
    for k, code in enumerate(table["school_id"].tolist()):
        out.setdefault(str(code).strip(), []).append(k)
    return out


def _sites(county: Region, problem: Problem) -> Sites:
    schools = county.schools.set_index(county.schools["school_id"].astype(str))
    schools = schools.reindex(list(problem.site_ids))
    own = county.sites.set_index(county.sites["site_id"].astype(str))
    own = own.reindex(list(problem.site_ids))

    def column(table: Any, name: str) -> Float:
        if name not in table.columns:
            return np.full(len(problem.site_ids), np.nan)
        return np.asarray(
            pd.to_numeric(table[name]).astype("Float64").to_numpy(np.float64, na_value=np.nan)
        )

    def whole(table: Any, name: str, missing: int) -> npt.NDArray[np.int64]:
        found = column(table, name)
        return np.where(np.isnan(found), missing, found).astype(np.int64)

    status = schools["status"]
    listed = schools["school_id"].notna().to_numpy()
    return Sites(
        working=((status == "existing") | (status.isna() & listed)).to_numpy(
            dtype=bool, na_value=False
        ),
        school=listed,
        first=whole(schools, "grade_from", 99),
        last=whole(schools, "grade_to", 0),
        own_first=whole(own, "grade_from", 99),
        own_last=whole(own, "grade_to", 0),
        rooms=column(schools, "rooms"),
        beds=column(schools, "beds"),
        seats=column(schools, "dining_seats"),
        naps=column(schools, "nap_places"),
        rooms_max=column(own, "rooms_max"),
    )
