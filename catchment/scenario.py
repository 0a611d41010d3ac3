"""Scenario: a TOML recipe of named actions, and the county as it would be in a year.

Unknown keys are refused. Every action is checked against the county before anything is computed:
a merger into a school that is closed by then, a ring of mergers, an expansion of nothing are
errors that name the action, the school, the year and the remedy.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import geopandas as gpd
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from catchment.errors import InputError, NotFoundError
from catchment.region.bands import Band
from catchment.region.model import Region


class _Strict(BaseModel):
    """A part of the recipe; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class _Action(_Strict):
    year: int | None = None
    reason: str = ""


class Keep(_Action):
    """Keep a school as it is (保留), whatever the method would like."""

    do: Literal["keep"]
    school: str


class Downgrade(_Action):
    """Make a school a teaching point of the lowest band (改教学点)."""

    do: Literal["downgrade"]
    school: str
    into: str | None = None


class Merge(_Action):
    """Close a school and send its villages to another (撤并)."""

    do: Literal["merge"]
    school: str
    into: str | None = None


class Expand(_Action):
    """Add classrooms, beds, dining seats and nap places to a school (扩建)."""

    do: Literal["expand"]
    school: str
    rooms: int = Field(default=0, ge=0, le=200)
    beds: int = Field(default=0, ge=0, le=10_000)
    dining_seats: int = Field(default=0, ge=0, le=20_000)
    nap_places: int = Field(default=0, ge=0, le=20_000)


class Build(_Action):
    """Build a school on a candidate site (新建).

    With ``at`` (longitude, latitude) the recipe brings its own candidate site, which the county's
    table does not hold; ``grades`` are then its first and last grade.
    """

    do: Literal["build"]
    site: str
    at: tuple[float, float] | None = None
    name: str | None = Field(default=None, max_length=120)
    grades: tuple[int, int] = (1, 6)
    rooms: int = Field(ge=1, le=300)
    beds: int = Field(default=0, ge=0, le=10_000)
    dining_seats: int = Field(default=0, ge=0, le=20_000)
    nap_places: int = Field(default=0, ge=0, le=20_000)


class Reopen(_Action):
    """Reopen a closed school (恢复)."""

    do: Literal["reopen"]
    school: str
    rooms: int | None = Field(default=None, ge=1, le=300)


class Road(_Action):
    """Build a road between two places, or close the road nearest to a place (修路)."""

    do: Literal["road"]
    road: Literal["new", "closed"] = "new"
    start: tuple[float, float] = Field(alias="from")
    end: tuple[float, float] | None = Field(default=None, alias="to")
    road_class: str = Field(default="tertiary", alias="class")


class Move(_Action):
    """Send villages to a school that teaches their bands (调整学区).

    ``bands`` left out are all bands that the school teaches in that year.
    """

    do: Literal["move"]
    villages: tuple[str, ...] = Field(min_length=1, max_length=5000)
    to: str
    bands: tuple[str, ...] = ()


Action = Annotated[
    Keep | Downgrade | Merge | Expand | Build | Reopen | Road | Move, Field(discriminator="do")
]


class Method(_Strict):
    """How students are assigned to the schools that are open.

    ``stay_minutes`` is what a village's staying at today's school is worth: another school must be
    so many minutes better (or today's be full) before the village moves. ``start`` is the first
    year in which the method may move villages that no action names: the second year of the recipe
    where it has several, so that its first year is today.
    """

    assignment: Literal["today", "nearest", "capacity"] = "today"
    stay_minutes: float = Field(default=10.0, ge=0, le=600)
    connected: bool = True
    start: int | None = None
    stages: tuple[Literal["primary", "junior"], ...] = ("primary", "junior")


class Size(_Strict):
    """Fewest and most students of a school (学校规模).

    Without ``bands`` the school's figure is shared among its bands like its rooms, in proportion to
    the grades taught.
    """

    school: str
    bands: tuple[str, ...] = ()
    least: int | None = Field(default=None, alias="min", ge=1, le=20_000)
    most: int | None = Field(default=None, alias="max", ge=0, le=20_000)


class Villages(_Strict):
    """Villages that must, or must not, go to one school; all bands where none is named."""

    villages: tuple[str, ...] = Field(min_length=2, max_length=5000)
    bands: tuple[str, ...] = ()


class Never(_Strict):
    """Villages that must not go to a school (不得划入)."""

    villages: tuple[str, ...] = Field(min_length=1, max_length=5000)
    school: str
    bands: tuple[str, ...] = ()


class SharedCatchment(_Strict):
    """Villages that several schools share (多校划片).

    ``shares`` are the parts of each school, in their order; left out, places and travel decide.
    """

    villages: tuple[str, ...] = Field(min_length=1, max_length=5000)
    schools: tuple[str, ...] = Field(min_length=2, max_length=20)
    shares: tuple[Annotated[float, Field(gt=0, le=1)], ...] = ()
    bands: tuple[str, ...] = ()


class Catchments(_Strict):
    """What planners add to the catchments (学区要求), from the first year of the method on.

    Villages that must go to a school are a ``move`` among the actions.

    Attributes
    ----------
    size : tuple of Size
        Fewest and most students of schools.
    together, apart : tuple of Villages
        Villages that go to one school; of which no two go to one school.
    never : tuple of Never
        Villages that must not go to a school.
    shared : tuple of SharedCatchment
        Villages that several schools share.
    strict_limits : tuple of str
        Bands in which no daily trip may exceed its limit.
    border : {"none", "township", "area"}
        Which borders are dear to cross.
    border_minutes : float
        Minutes that a school across such a border counts farther.
    compactness : float
        Minutes that every straight kilometre to the school counts besides the trip.
    ride_minutes : float
        Minutes that a ride counts longer than a walk: walking before the bus.
    grandfather : bool or "band"
        Whether students stay at the school they began at, and only new entrants move; ``"band"``:
        to the end of their band, after which they go where their village is assigned.
    siblings : float
        Share of new entrants who follow an elder child to the school that it keeps.
    """

    size: tuple[Size, ...] = ()
    together: tuple[Villages, ...] = ()
    apart: tuple[Villages, ...] = ()
    never: tuple[Never, ...] = ()
    shared: tuple[SharedCatchment, ...] = ()
    strict_limits: tuple[str, ...] = ()
    border: Literal["none", "township", "area"] = "none"
    border_minutes: float = Field(default=10.0, ge=0, le=600)
    compactness: float = Field(default=0.0, ge=0, le=600)
    ride_minutes: float = Field(default=30.0, ge=0, le=600)
    grandfather: bool | Literal["band"] = False
    siblings: float = Field(default=0.0, ge=0, le=1)


class Consolidation(_Strict):
    """What every plan of the optimiser has to keep (撤并要求), where ``catchment propose`` plans.

    What is left out is not limited, or takes the model's own figure.

    Attributes
    ----------
    closures_per_year, closures_total, moved_per_year : int or None
        Most schools closed in a year and in all, most students who change school in a year.
    min_size, max_size : int or None
        Fewest students of a school that may be closed or opened, most of any school.
    boarding_minutes : float or None
        Longest weekly trip of a boarder.
    kept_share : float or None
        Share of today's children that a school which stays keeps in each band.
    finish : bool
        Whether current students finish their band where they are and only new entrants move.
    """

    closures_per_year: int | None = Field(default=None, ge=0, le=10_000)
    closures_total: int | None = Field(default=None, ge=0, le=10_000)
    moved_per_year: int | None = Field(default=None, ge=0, le=1_000_000)
    min_size: int | None = Field(default=None, ge=0, le=20_000)
    max_size: int | None = Field(default=None, ge=1, le=20_000)
    boarding_minutes: float | None = Field(default=None, ge=5, le=600)
    kept_share: float | None = Field(default=None, ge=0, le=1)
    finish: bool = False


class RuleBooks(_Strict):
    """Which rule books judge the plan."""

    books: tuple[str, ...] = ("national",)


class Publication(_Strict):
    """What every sheet says about itself; what is left out is shown as missing.

    ``privacy_limit``: fewer students than this are told in no public file.
    """

    author: str = Field(default="", max_length=120)
    review_number: str = Field(default="", max_length=60)
    data_dates: str = Field(default="", max_length=200)
    privacy_limit: int = Field(default=10, ge=5, le=10)


class Notice(_Strict):
    """How parents respond (公告): on the parents' page, its sheets and the slides; blank lines else."""

    place: str = Field(default="", max_length=120)
    contact: str = Field(default="", max_length=120)
    phone: str = Field(default="", max_length=120)
    until: str = Field(default="", max_length=120)


class Scenario(_Strict):
    """A recipe (方案): which county, which years, which actions, which method.

    Attributes
    ----------
    name : str
        Name shown on every output.
    region : str
        Folder or GeoPackage of the county, relative to the recipe.
    years : tuple of int
        School years in order; the first is today.
    actions : tuple of Action
        Named actions, in the order of the recipe (key ``action`` in TOML).
    method : Method
        Assignment method and stages.
    rules : RuleBooks
        Rule books.
    publication : Publication
        Author, map review number (审图号) and dates of the data, for every sheet; privacy limit.
    notice : Notice
        How parents respond: place, contact, telephone, closing date.
    seed : int
        Seed of the method.
    effort : float
        How long the method searches; 1 is the standard, 5 five times the work. The same recipe
        gives the same plan on every run.
    time_limit : float
        Seconds the method may take, should the machine be too slow for its work.
    class_size : int or None
        Target of smaller classes (小班化): no class is planned above it; today is judged by the
        standard.
    limits : dict of str to float
        Minutes one way, by band, that stand in for the county's own limit of a daily trip.
    catchments : Catchments or None
        What planners add to the catchments.
    consolidation : Consolidation or None
        What the plans of the optimiser have to keep.
    """

    name: str = Field(min_length=1, max_length=200)
    region: str = "."
    years: tuple[int, ...] = Field(min_length=1, max_length=30)
    actions: tuple[Action, ...] = Field(default=(), alias="action")
    method: Method = Method()
    rules: RuleBooks = RuleBooks()
    publication: Publication = Publication()
    notice: Notice = Notice()
    seed: int = Field(default=0, ge=0)
    effort: float = Field(default=1.0, gt=0, le=10_000)
    time_limit: float = Field(default=120.0, gt=0, le=86_400)
    class_size: int | None = Field(default=None, ge=10, le=60)
    limits: dict[str, Annotated[float, Field(ge=5, le=240)]] = {}
    catchments: Catchments | None = None
    consolidation: Consolidation | None = None

    def replace(self, **changes: Any) -> Scenario:
        """Return a copy with some fields replaced; the original is untouched.

        Parameters
        ----------
        **changes
            Fields and their new values.

        Returns
        -------
        Scenario
            The changed copy.
        """
        return self.model_copy(update=changes)


def read_scenario(path: Path) -> Scenario:
    """Read a recipe.

    Parameters
    ----------
    path : Path
        TOML file in UTF-8.

    Returns
    -------
    Scenario
        The recipe, its own form checked (not yet against a county).

    Raises
    ------
    NotFoundError
        When the file does not exist.
    InputError
        When it is not TOML, a key is unknown or a value is out of range.
    """
    if not path.is_file():
        raise NotFoundError(f"找不到方案文件 {path.name} / recipe not found: {path.name}")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise InputError(
            f"{path.name} 不是有效的 UTF-8 TOML：{fault}。请对照模板修改 / not valid TOML: {fault}"
        ) from fault
    return parse_scenario(data, path.name)


def parse_scenario(data: dict[str, Any], where: str = "scenario") -> Scenario:
    """Turn the plain values of a recipe into a Scenario.

    Parameters
    ----------
    data : dict
        Values as TOML gives them.
    where : str
        Name used in errors.

    Returns
    -------
    Scenario
        The recipe.

    Raises
    ------
    InputError
        Naming the key, the value and the remedy.

    Examples
    --------
    >>> parse_scenario({"name": "现状", "years": [2026]}).method.assignment
    'today'
    """
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as fault:
        raise InputError(_explain(fault, where)) from fault
    years = scenario.years
    if list(years) != sorted(set(years)) or not all(1990 <= y <= 2100 for y in years):
        raise InputError(
            f"{where}: years = {list(years)} 应为 1990–2100 间递增且不重复的年份 / "
            "must be distinct years in order"
        )
    if not scenario.method.stages:
        raise InputError(
            f"{where}: method.stages 为空；至少写 primary 或 junior / name at least one stage"
        )
    start = scenario.method.start
    if start is not None and start not in years:
        raise InputError(
            f"{where}: method.start = {start} 不在 years = {list(years)} 中 / must be one of the years"
        )
    if scenario.catchments is not None:
        _check_catchments(scenario.catchments, scenario.method.assignment, where)
    for number, action in enumerate(scenario.actions, start=1):
        if action.year is not None and not years[0] <= action.year <= years[-1]:
            raise InputError(
                f"{where}: 第 {number} 个行动（{action.do}）year = {action.year} 不在 "
                f"{years[0]}–{years[-1]} 内；改年份或扩展 years / action year lies outside the years"
            )
    return scenario


_BY_SEARCH = ("size", "together", "apart", "never", "shared", "strict_limits", "compactness")


def _check_catchments(wanted: Catchments, assignment: str, where: str) -> None:
    """Refuse wishes that contradict themselves or that the method does not know."""
    given = [key for key in _BY_SEARCH if getattr(wanted, key)]
    given += ["border"] if wanted.border != "none" else []
    if given and assignment != "capacity":
        raise InputError(
            f'{where}: catchments.{given[0]} 只对 method.assignment = "capacity" 有效，现为 '
            f'"{assignment}"；请改方法或删去该键 / needs the method "capacity", not "{assignment}"'
        )
    for number, size in enumerate(wanted.size, start=1):
        if size.least is None and size.most is None:
            raise InputError(
                f"{where}: catchments.size 第 {number} 项（{size.school}）未写 min 或 max / give min or max"
            )
        if size.least is not None and size.most is not None and size.least > size.most:
            raise InputError(
                f"{where}: catchments.size 第 {number} 项（{size.school}）min = {size.least} 大于 max = "
                f"{size.most}；请改其一 / min is above max"
            )
    for number, shared in enumerate(wanted.shared, start=1):
        place = f"{where}: catchments.shared 第 {number} 项 / entry {number}"
        if shared.shares and len(shared.shares) != len(shared.schools):
            raise InputError(
                f"{place}: schools 有 {len(shared.schools)} 所，shares 有 {len(shared.shares)} 个；应一一对应 "
                "/ one share for each school"
            )
        if shared.shares and abs(sum(shared.shares) - 1) > 1e-6:
            raise InputError(
                f"{place}: shares 合计 {sum(shared.shares):g}，应为 1 / shares must sum to 1"
            )
        if len(set(shared.schools)) < len(shared.schools):
            raise InputError(f"{place}: schools 有重复 / a school stands twice")
    if wanted.siblings and not wanted.grandfather:
        raise InputError(
            f"{where}: catchments.siblings 须与 grandfather = true 同用 / needs grandfather = true"
        )


_KEYS_ZH = {
    "extra_forbidden": "未知的键，请删除或改正拼写 / unknown key",
    "missing": "缺少必填的键 / required key is missing",
    "union_tag_invalid": "未知的行动 / unknown action",
    "union_tag_not_found": "行动缺少 do / action lacks `do`",
}


def _explain(fault: ValidationError, where: str) -> str:
    models: list[type[BaseModel]] = [Scenario, Method, RuleBooks, *_ACTIONS, *_WANTED]
    known = {
        name
        for model in models
        for field_name, info in model.model_fields.items()
        for name in (info.alias or field_name,)
    }
    lines = []
    for error in fault.errors():
        path = ".".join(str(p + 1) if isinstance(p, int) else str(p) for p in error["loc"])
        what = _KEYS_ZH.get(error["type"], error["msg"])
        line = f"{where}: {path}: {what}"
        if error["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(error["loc"][-1]), sorted(known), n=1)
            if near:
                line += f"（是否为 {near[0]}？/ did you mean {near[0]}?）"
        elif error["type"] != "missing":
            line += f"（值 / value: {str(error.get('input'))[:80]!r}）"
        lines.append(line)
    return "\n".join(lines)


_ACTIONS: tuple[type[_Strict], ...] = (Keep, Downgrade, Merge, Expand, Build, Reopen, Road, Move)
_WANTED: tuple[type[_Strict], ...] = (
    Catchments, Size, Villages, Never, SharedCatchment, Consolidation,
)  # fmt: skip


def county_of(scenario: Scenario, region: Region) -> Region:
    """Return the county with what the recipe itself brings: candidate sites and limits.

    Parameters
    ----------
    scenario : Scenario
        A recipe.
    region : Region
        The county as read.

    Returns
    -------
    Region
        The county itself where the recipe brings nothing; a site it holds already is left as it is.

    Raises
    ------
    InputError
        When a site bears the code of a school, lies nowhere, or a limit names no band.
    """
    sites = _own_sites(scenario, region)
    unknown = sorted(set(scenario.limits) - {b.band for b in region.bands})
    if unknown:
        raise InputError(
            f"limits: 没有学段 {', '.join(unknown)}；请用 {', '.join(b.band for b in region.bands)} / "
            f"no such band: {', '.join(unknown)}"
        )
    bands = tuple(
        dataclasses.replace(b, trip_limit_min=scenario.limits.get(b.band, b.trip_limit_min))
        for b in region.bands
    )
    if sites is None:
        return region if bands == region.bands else region.replace(bands=bands)
    return region.replace(bands=bands, sites=sites)


def _own_sites(scenario: Scenario, region: Region) -> gpd.GeoDataFrame | None:
    """Table of candidate sites with those that builds bring along, None where none does."""
    known = set(region.sites["site_id"].astype(str)) if len(region.sites) else set()
    schools = set(region.schools["school_id"].astype(str))
    rows: dict[str, dict[str, Any]] = {}
    for action in scenario.actions:
        if not isinstance(action, Build) or action.at is None or action.site in known:
            continue
        lon, lat = action.at
        if action.site in schools:
            raise InputError(
                f"新建校点 {action.site} 与学校代码重复；请换一个代码 / the new site bears the code of a school"
            )
        if not (-180 <= lon <= 180 and -85 <= lat <= 85):
            raise InputError(
                f"新建校点 {action.site}: at = {[lon, lat]} 应为 [经度, 纬度] / must be [longitude, latitude]"
            )
        first, last = action.grades
        if not any(first <= b.grade_from and b.grade_to <= last for b in region.bands):
            raise InputError(
                f"新建校点 {action.site}: grades = {[first, last]} 不含任何完整学段 / holds no whole band"
            )
        point = gpd.GeoSeries.from_xy([lon], [lat], crs="EPSG:4326").to_crs(region.crs).iloc[0]
        if not (math.isfinite(point.x) and math.isfinite(point.y)):
            raise InputError(
                f"新建校点 {action.site}: at = {[lon, lat]} 不在本县坐标系内 / lies outside the county's system"
            )
        township = ""
        if len(region.villages):
            nearest = region.villages.geometry.distance(point).to_numpy().argmin()
            township = str(region.villages["township"].iloc[int(nearest)])
        rows[action.site] = {
            "site_id": action.site,
            "name": action.name or action.site,
            "township": township,
            "grade_from": first,
            "grade_to": last,
            "geometry": point,
        }
    if not rows:
        return None
    more = pd.DataFrame(list(rows.values()))
    for column in region.sites.columns.difference(more.columns):
        more[column] = pd.NA
    more = more.reindex(columns=list(region.sites.columns))
    joined = pd.concat([region.sites.astype(object), more.astype(object)], ignore_index=True)
    return gpd.GeoDataFrame(joined, geometry="geometry", crs=region.crs)


def resolve(scenario: Scenario, region: Region) -> Scenario:
    """Check a recipe against a county and replace names by ids and absent years by the first year.

    Parameters
    ----------
    scenario : Scenario
        The recipe.
    region : Region
        The county.

    Returns
    -------
    Scenario
        The same recipe with ids and years everywhere, actions in order of year.

    Raises
    ------
    NotFoundError
        When a school or site does not exist.
    InputError
        When an action cannot be carried out: merging into a closed school, a ring of mergers, two
        contradictory actions, downgrading a school without higher grades and so on.
    """
    final = identify(scenario, region)
    # Walking through the years is the check itself: every action meets the county of its year.
    for year in sorted({a.year for a in final.actions if a.year is not None}):
        apply(final, region, year)
    return final


def identify(scenario: Scenario, region: Region) -> Scenario:
    """Replace names by ids and absent years by the first year, without walking through the years.

    Parameters
    ----------
    scenario : Scenario
        The recipe.
    region : Region
        The county, with the recipe's own sites (see :func:`county_of`).

    Returns
    -------
    Scenario
        The same recipe with ids and years everywhere, actions in order of year.

    Raises
    ------
    NotFoundError
        When a school, site or village does not exist.
    InputError
        When mergers form a ring.
    """
    resolved: list[Any] = []
    built = {a.site for a in scenario.actions if isinstance(a, Build)}
    for number, action in enumerate(scenario.actions, start=1):
        year = scenario.years[0] if action.year is None else action.year
        changes: dict[str, Any] = {"year": year}
        where = f"第 {number} 个行动 {action.do}（{year}）/ action {number}"
        if isinstance(action, Build):
            changes["site"] = _find(action.site, region.sites, "site_id", where, "备选校址", "site")
        elif isinstance(action, Move):
            changes |= _find_move(action, region, where)
        elif not isinstance(action, Road):
            changes["school"] = _find_school(action.school, region, built, where)
        if isinstance(action, Merge | Downgrade) and action.into is not None:
            changes["into"] = _find_target(action.into, region, where)
        resolved.append(action.model_copy(update=changes))
    resolved.sort(key=lambda a: a.year)
    _refuse_rings(resolved)
    changed: dict[str, Any] = {"actions": tuple(resolved)}
    if scenario.catchments is not None:
        changed["catchments"] = _identified(scenario.catchments, region, built)
    return scenario.model_copy(update=changed)


def _identified(wanted: Catchments, region: Region, built: set[str]) -> Catchments:
    """Replace the names of villages and schools in the wishes by ids."""
    bands = {b.band for b in region.bands}
    known = set(region.villages["village_id"].astype(str))

    def one(key: str, number: int, entry: Any) -> Any:
        where = f"catchments.{key} 第 {number} 项 / entry {number}"
        for band in entry.bands:
            if band not in bands:
                raise NotFoundError(f"{where}: 没有学段 {band} / no such band")
        changes: dict[str, Any] = {}
        if hasattr(entry, "villages"):
            changes["villages"] = tuple(
                v if v in known else _find(v, region.villages, "village_id", where, "村", "village")
                for v in dict.fromkeys(entry.villages)
            )
        if hasattr(entry, "school"):
            changes["school"] = _find_school(entry.school, region, built, where)
        if hasattr(entry, "schools"):
            changes["schools"] = tuple(_find_school(s, region, built, where) for s in entry.schools)
        return entry.model_copy(update=changes)

    for band in wanted.strict_limits:
        if band not in bands:
            raise NotFoundError(f"catchments.strict_limits: 没有学段 {band} / no such band")
    keys = ("size", "together", "apart", "never", "shared")
    return wanted.model_copy(
        update={
            key: tuple(one(key, k, e) for k, e in enumerate(getattr(wanted, key), start=1))
            for key in keys
        }
    )


def _find_move(action: Move, region: Region, where: str) -> dict[str, Any]:
    bands = {b.band for b in region.bands}
    wrong = [b for b in action.bands if b not in bands]
    if wrong:
        raise NotFoundError(f"{where}: 没有学段 {', '.join(wrong)} / no such band")
    known = set(region.villages["village_id"].astype(str))
    villages = tuple(
        v if v in known else _find(v, region.villages, "village_id", where, "村", "village")
        for v in dict.fromkeys(action.villages)
    )
    return {"villages": villages, "to": _find_target(action.to, region, where)}


def _find(wanted: str, table: pd.DataFrame, key: str, where: str, zh: str, en: str) -> str:
    ids = table[key].astype(str)
    if (ids == wanted).any():
        return wanted
    named = ids[table["name"].astype(str) == wanted]
    if len(named) == 1:
        return str(named.iloc[0])
    if len(named) > 1:
        raise InputError(
            f"{where}: 名称“{wanted}”对应 {len(named)} 个{zh}（{', '.join(named)}），请改用代码 / "
            f"{len(named)} {en}s bear this name; use the code"
        )
    near = difflib.get_close_matches(wanted, [*ids, *table["name"].astype(str)], n=3, cutoff=0.5)
    hint = f"；相近的有 / close: {', '.join(near)}" if near else ""
    raise NotFoundError(f"{where}: 没有{zh}“{wanted}” / no such {en}{hint}")


def _find_school(wanted: str, region: Region, built: set[str], where: str) -> str:
    """Find a school, or a site that the recipe itself builds."""
    try:
        return _find(wanted, region.schools, "school_id", where, "学校", "school")
    except NotFoundError:
        sites = region.sites
        mine = sites[sites["site_id"].isin(built) | sites["name"].isin(built)]
        if not len(mine):
            raise
        return _find(wanted, mine, "site_id", where, "学校或拟建校址", "school or site to be built")


def _find_target(wanted: str, region: Region, where: str) -> str:
    try:
        return _find(wanted, region.schools, "school_id", where, "学校", "school")
    except NotFoundError:
        if not len(region.sites):
            raise
        return _find(wanted, region.sites, "site_id", where, "学校或备选校址", "school or site")


def _refuse_rings(actions: Sequence[Any]) -> None:
    reopened = {a.school for a in actions if isinstance(a, Reopen)}
    into = {
        a.school: a.into
        for a in actions
        if isinstance(a, Merge) and a.into is not None and a.school not in reopened
    }
    for start in into:
        seen = [start]
        while seen[-1] in into:
            following = into[seen[-1]]
            if following in seen:
                ring = " → ".join([*seen[seen.index(following) :], following])
                raise InputError(
                    f"撤并成环：{ring}；请保留其中一所 / mergers form a ring: {ring}; keep one of them"
                )
            seen.append(following)


def _grades_of(bands: Sequence[Band], grade_from: int, grade_to: int) -> tuple[str, ...]:
    return tuple(b.band for b in bands if grade_from <= b.grade_from and b.grade_to <= grade_to)


def apply(scenario: Scenario, region: Region, year: int) -> Region:
    """Return the county as it would be in a year, all actions up to that year carried out.

    Roads are left to the network: see :func:`roads_of`.

    Parameters
    ----------
    scenario : Scenario
        A resolved recipe (see :func:`resolve`).
    region : Region
        The county of today.
    year : int
        School year.

    Returns
    -------
    Region
        With ``schools`` (status, role, grades, rooms, beds, dining seats) and the villages'
        schools as they would be. A built site is a school with the site's id.

    Raises
    ------
    InputError
        When an action meets a county in which it cannot be carried out.
    """
    schools = region.schools.copy()
    schools["status"] = schools["status"].fillna("existing")
    schools = schools.set_index("school_id", drop=False)
    villages = region.villages.copy()
    due = [
        a
        for a in scenario.actions
        if a.year is not None and a.year <= year and not isinstance(a, Road)
    ]
    for step in sorted({a.year for a in due if a.year is not None}):
        actions = [a for a in due if a.year == step]
        _refuse_contradictions(actions, schools)
        before = schools.reset_index(drop=True)
        # Targets are judged after all actions of the year: a school may be built in the year that
        # it receives, but may not close in it.
        opening = (Build, Reopen)
        for action in sorted(actions, key=lambda a: not isinstance(a, opening)):
            schools = _carry_out(schools, region, action)
        for action in actions:
            if isinstance(action, Reopen):
                villages = _return(villages, region, action.school)
        for action in actions:
            if isinstance(action, Merge | Downgrade):
                villages = _redirect(villages, schools, action, region.bands, before)
        # A hand has the last word of its year.
        for action in actions:
            if isinstance(action, Move):
                villages = _move(villages, schools, action, region.bands)
    return region.replace(schools=schools.reset_index(drop=True), villages=villages)


def _refuse_contradictions(actions: Sequence[Any], schools: pd.DataFrame) -> None:
    decided: dict[str, str] = {}
    for action in actions:
        if isinstance(action, Expand | Move):
            continue
        subject = action.site if isinstance(action, Build) else action.school
        if subject in decided:
            raise InputError(
                f"{_label(schools, subject)} 在 {action.year} 年有两个互相矛盾的行动："
                f"{decided[subject]} 与 {action.do}；请删去一个 / two contradictory actions in a year"
            )
        decided[subject] = action.do


def _carry_out(schools: gpd.GeoDataFrame, region: Region, action: Any) -> gpd.GeoDataFrame:
    if isinstance(action, Build):
        return _build(schools, region, action)
    if isinstance(action, Reopen):
        return _reopen(schools, action)
    if isinstance(action, Move):
        return schools
    _require_open(schools, action.school, action.year, action.do)
    if isinstance(action, Expand):
        return _expand(schools, action)
    if isinstance(action, Downgrade):
        return _downgrade(schools, action, region.bands)
    if isinstance(action, Merge):
        schools = schools.copy()
        schools.loc[action.school, "status"] = "closed"
    return schools


def start_of(scenario: Scenario) -> int:
    """Position of the first year in which the method may move villages that no action names.

    Parameters
    ----------
    scenario : Scenario
        A recipe.

    Returns
    -------
    int
        Position in ``scenario.years``.
    """
    if scenario.method.start is not None:
        return scenario.years.index(scenario.method.start)
    return min(1, len(scenario.years) - 1)


def roads_of(scenario: Scenario, year: int) -> tuple[Road, ...]:
    """Road actions carried out by a year.

    Parameters
    ----------
    scenario : Scenario
        A resolved recipe.
    year : int
        School year.

    Returns
    -------
    tuple of Road
        In order.
    """
    return tuple(
        a for a in scenario.actions if isinstance(a, Road) and a.year is not None and a.year <= year
    )


def _label(schools: pd.DataFrame, school: str) -> str:
    name = schools["name"].get(school)
    return f"“{name}”（{school}）" if name is not None else f"“{school}”"


def _require_open(schools: pd.DataFrame, school: str, year: int | None, do: str) -> None:
    if school not in schools.index:
        raise InputError(
            f"拟建校址“{school}”在 {year} 年尚未建成，不能 {do}；把该行动改到 build 之后的年份 / site is "
            f"not built yet in {year}, cannot {do}; let the action come after its build"
        )
    if schools.loc[school, "status"] != "existing":
        raise InputError(
            f"{_label(schools, school)} 在 {year} 年已不办学，不能 {do}；先写 reopen 或删去该行动 / "
            f"school is closed in {year}, cannot {do}; reopen it first"
        )


def _build(schools: gpd.GeoDataFrame, region: Region, action: Build) -> gpd.GeoDataFrame:
    site = region.sites.set_index("site_id").loc[action.site]
    if action.site in schools.index:
        raise InputError(
            f"备选校址“{site['name']}”（{action.site}）已经建成；扩建请用 expand / site is built already"
        )
    most = site.get("rooms_max")
    if most is not None and not pd.isna(most) and action.rooms > int(most):
        raise InputError(
            f"备选校址“{site['name']}”最多建 {int(most)} 间教室，方案要求 {action.rooms} 间；请减少 rooms / "
            f"site holds at most {int(most)} classrooms"
        )
    first, last = int(site["grade_from"]), int(site["grade_to"])
    role = "nine_year" if first <= 6 < last else "junior" if first > 6 else "complete"
    row = gpd.GeoDataFrame(
        {
            "school_id": [action.site],
            "name": [site["name"]],
            "township": [site["township"]],
            "role": [role],
            "grade_from": [first],
            "grade_to": [last],
            "rooms": [action.rooms],
            "beds": [action.beds],
            "dining_seats": [action.dining_seats],
            "nap_places": [action.nap_places],
            "boarding": [action.beds > 0],
            "status": ["existing"],
            "geometry": [site["geometry"]],
        },
        geometry="geometry",
        crs=region.crs,
        index=[action.site],
    )
    for column in schools.columns.difference(row.columns):
        row[column] = pd.Series([pd.NA], index=row.index, dtype="object")
    return gpd.GeoDataFrame(
        pd.concat([schools.astype(object), row[schools.columns].astype(object)]),
        geometry="geometry",
        crs=region.crs,
    )


def _reopen(schools: gpd.GeoDataFrame, action: Reopen) -> gpd.GeoDataFrame:
    if schools.loc[action.school, "status"] == "existing":
        raise InputError(
            f"{_label(schools, action.school)} 在 {action.year} 年仍在办学，不必恢复 / "
            "school is open; nothing to reopen"
        )
    schools = schools.copy()
    schools.loc[action.school, "status"] = "existing"
    if action.rooms is not None:
        schools.loc[action.school, "rooms"] = action.rooms
    return schools


def _expand(schools: gpd.GeoDataFrame, action: Expand) -> gpd.GeoDataFrame:
    added = {
        "rooms": action.rooms,
        "beds": action.beds,
        "dining_seats": action.dining_seats,
        "nap_places": action.nap_places,
    }
    if not any(added.values()):
        raise InputError(
            f"扩建 {_label(schools, action.school)} 未写 rooms、beds、dining_seats 或 nap_places / "
            "expand adds nothing; give rooms, beds, dining_seats or nap_places"
        )
    schools = schools.copy()
    for column, more in added.items():
        if more:
            now = schools.loc[action.school, column]
            schools.loc[action.school, column] = (0 if pd.isna(now) else int(now)) + more
    return schools


def _downgrade(
    schools: gpd.GeoDataFrame, action: Downgrade, bands: Sequence[Band]
) -> gpd.GeoDataFrame:
    row = schools.loc[action.school]
    taught = _grades_of(bands, int(row["grade_from"]), int(row["grade_to"]))
    lowest = bands[0]
    if lowest.band not in taught or len(taught) < 2:
        raise InputError(
            f"{_label(schools, action.school)} 现办 {row['grade_from']}–{row['grade_to']} 年级，"
            f"不能改为教学点（须同时办 {lowest.zh} 及更高年级）/ cannot become a teaching point: it must "
            f"teach {lowest.en} and higher grades today"
        )
    schools = schools.copy()
    schools.loc[action.school, "role"] = "teaching_point"
    schools.loc[action.school, "grade_to"] = lowest.grade_to
    return schools


def _return(villages: gpd.GeoDataFrame, region: Region, school: str) -> gpd.GeoDataFrame:
    """Villages that a merger has sent away come back when their school reopens."""
    villages = villages.copy()
    for band in region.bands:
        column = f"school_{band.band}"
        if column in villages.columns:
            own = (region.villages[column].astype("object") == school).to_numpy()
            villages.loc[own, column] = school
    return villages


def _redirect(
    villages: gpd.GeoDataFrame,
    schools: gpd.GeoDataFrame,
    action: Merge | Downgrade,
    bands: Sequence[Band],
    before: gpd.GeoDataFrame,
) -> gpd.GeoDataFrame:
    """Villages of a school that gives up a band go where the action says (blank: to be found)."""
    given_up = [b for b in bands if isinstance(action, Merge) or b is not bands[0]]
    if action.into is not None:
        _check_target(schools, action, given_up, before)
    villages = villages.copy()
    for band in given_up:
        column = f"school_{band.band}"
        if column in villages.columns:
            leaving = villages[column].astype("object") == action.school
            villages.loc[leaving, column] = action.into
    return villages


def _move(
    villages: gpd.GeoDataFrame,
    schools: gpd.GeoDataFrame,
    action: Move,
    bands: Sequence[Band],
) -> gpd.GeoDataFrame:
    """Villages sent by hand; the school must teach the bands that are sent."""
    if action.to not in schools.index or schools.loc[action.to, "status"] != "existing":
        raise InputError(
            f"{_label(schools, action.to)} 在 {action.year} 年不办学，不能接收调整来的村；请换学校或先 "
            f"build/reopen / school is closed in {action.year} and cannot take villages"
        )
    row = schools.loc[action.to]
    taught = _grades_of(bands, int(row["grade_from"]), int(row["grade_to"]))
    wrong = [b for b in action.bands if b not in taught]
    if wrong:
        raise InputError(
            f"{_label(schools, action.to)} 不办 {', '.join(wrong)}，不能接收调整来的村 / "
            f"school does not teach {', '.join(wrong)}"
        )
    villages = villages.copy()
    mine = villages["village_id"].astype(str).isin(action.villages)
    for band in action.bands or taught:
        column = f"school_{band}"
        if column not in villages.columns:
            villages[column] = pd.Series([None] * len(villages), index=villages.index, dtype=object)
        villages.loc[mine, column] = action.to
    return villages


def _check_target(
    schools: gpd.GeoDataFrame,
    action: Merge | Downgrade,
    given_up: Sequence[Band],
    before: gpd.GeoDataFrame,
) -> None:
    target, year = action.into, action.year
    if target == action.school:
        raise InputError(
            f"{_label(schools, action.school)} 不能并入自身 / a school cannot be merged into itself"
        )
    if target not in schools.index or schools.loc[target, "status"] != "existing":
        raise InputError(
            f"{_label(schools, action.school)} 在 {year} 年并入 {_label(schools, str(target))}，"
            "而后者当年不办学；请换接收学校、先 build/reopen，或提前其时间 / merged into a school that is "
            f"closed in {year}; choose another receiver or open it first"
        )
    own = before.set_index("school_id")
    taught_by = own if action.school in own.index else schools
    first = int(taught_by.loc[action.school, "grade_from"])
    last = int(taught_by.loc[action.school, "grade_to"])
    moved = set(_grades_of(given_up, first, last))
    row = schools.loc[target]
    taught = set(_grades_of(given_up, int(row["grade_from"]), int(row["grade_to"])))
    missing = [b for b in given_up if b.band in moved - taught]
    if missing:
        names = "、".join(b.zh for b in missing)
        raise InputError(
            f"{_label(schools, str(target))} 不办 {names}，不能接收 {_label(schools, action.school)} 的学生 / "
            f"receiver does not teach {', '.join(b.en for b in missing)}"
        )
