"""Road classes: what may be walked and driven, read from ``roads.csv``, and how tags say so."""

from __future__ import annotations

import csv
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from catchment.errors import InputError
from catchment.region.model import Region

Drive = Literal["yes", "no", "tagged"]

_ALLOWED = frozenset({"yes", "designated", "permissive", "official", "destination", "public"})
_REFUSED = frozenset(
    {
        "no",
        "private",
        "agricultural",
        "forestry",
        "agricultural;forestry",
        "military",
        "emergency",
        "delivery",
        "customers",
        "permit",
        "use_sidepath",
        "residents",
    }
)
_YES = frozenset({"yes", "true", "1", "1.0", "是", "有", "单行", "y", "t"})
_REVERSED = frozenset({"-1", "-1.0", "reverse", "反向"})
_HAZARDS = frozenset(
    {
        "curve",
        "curves",
        "steep",
        "slippery",
        "falling_rocks",
        "rock_slide",
        "rockfall",
        "landslide",
        "cliff",
        "ice",
        "flood",
        "narrow",
    }
)
_SPEED = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(km/h|kmh|kph|mph|公里)?")


@dataclass(frozen=True)
class RoadClass:
    """One class of road.

    Attributes
    ----------
    code : str
        Class as in OpenStreetMap's ``highway``.
    aliases : tuple of str
        Other spellings, Chinese administrative classes among them.
    walk : bool
        Whether it may be walked unless tags say otherwise.
    drive : {"yes", "no", "tagged"}
        Whether it may be driven; ``tagged`` = only where a tag says so.
    stop : bool
        Whether a school bus may stop on it.
    bus_kmh : float
        Speed of a school bus, km/h.
    cap_kmh : float
        Highest speed of a school bus on it, km/h.
    oneway : bool
        Whether it runs one way unless tags say otherwise.
    rank : int
        Importance, 1 first.
    zh, en : str
        Names shown to people.
    ebike : bool
        Whether a parent's e-bike may use it.
    """

    code: str
    aliases: tuple[str, ...]
    walk: bool
    drive: Drive
    stop: bool
    bus_kmh: float
    cap_kmh: float
    oneway: bool
    rank: int
    zh: str
    en: str
    ebike: bool = False


@dataclass(frozen=True)
class RoadUse:
    """What one line of road is and how it may be used.

    Attributes
    ----------
    road_class : int
        Position in the table of classes.
    walk, forward, backward : bool
        Whether it may be walked, driven along the line and driven against it.
    hazard : bool
        Whether school buses keep to the hazard speed.
    maxspeed : float
        Posted limit in km/h, nan where unknown.
    bridge : bool
        Bridge or tunnel: its heights are not those of the ground.
    name : str
        Name of the road.
    """

    road_class: int
    walk: bool
    forward: bool
    backward: bool
    hazard: bool
    maxspeed: float
    bridge: bool
    name: str


def read_road_classes(path: Path | None = None) -> tuple[RoadClass, ...]:
    """Read the table of road classes.

    Parameters
    ----------
    path : Path, optional
        A county's own table; the shipped one when left out.

    Returns
    -------
    tuple of RoadClass
        Classes in order of rank.

    Raises
    ------
    InputError
        When a row cannot be read or a name stands for two classes.

    Examples
    --------
    >>> [c.code for c in read_road_classes() if "省道" in c.aliases]
    ['secondary']
    """
    if path is None:
        text = files("catchment.network").joinpath("roads.csv").read_text(encoding="utf-8")
        where = "roads.csv"
    else:
        text = path.read_text(encoding="utf-8-sig")
        where = path.name
    classes: list[RoadClass] = []
    for number, row in enumerate(csv.DictReader(text.splitlines()), start=2):
        try:
            classes.append(_class_of(row))
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            raise InputError(
                f"{where} 第 {number} 行无法读取 / row cannot be read: {fault}"
            ) from fault
    classes.sort(key=lambda c: c.rank)
    seen: dict[str, str] = {}
    for item in classes:
        for name in (item.code, *item.aliases):
            if name in seen:
                raise InputError(
                    f"{where}: “{name}”同时属于 {seen[name]} 与 {item.code} / "
                    "one name stands for two classes"
                )
            seen[name] = item.code
    return tuple(classes)


def road_classes_of(region: Region) -> tuple[RoadClass, ...]:
    """Read a county's own ``road_classes.csv`` beside its road file, else the shipped table.

    Parameters
    ----------
    region : Region
        County.

    Returns
    -------
    tuple of RoadClass
        Table of classes.

    Raises
    ------
    InputError
        When the county's table cannot be read.
    """
    own = region.folder / "road_classes.csv" if region.folder is not None else None
    return read_road_classes(own if own is not None and own.is_file() else None)


def class_index(classes: Sequence[RoadClass]) -> dict[str, int]:
    """Positions of classes by code and by every alias.

    Parameters
    ----------
    classes : sequence of RoadClass
        Table of classes.

    Returns
    -------
    dict of str to int
        Position by lower-case name.
    """
    return {
        name.lower(): k for k, item in enumerate(classes) for name in (item.code, *item.aliases)
    }


def road_use(
    tags: Mapping[str, str],
    position: int,
    road_class: RoadClass,
    *,
    respect_access: bool = True,
) -> RoadUse:
    """Read how a road may be used from its tags.

    Parameters
    ----------
    tags : mapping of str to str
        Tags with OpenStreetMap's keys (``oneway``, ``access``, ``foot``, ``motor_vehicle``,
        ``junction``, ``maxspeed``, ``hazard``, ``bridge``, ``tunnel``, ``name``).
    position : int
        Position of the class in its table.
    road_class : RoadClass
        Class of the road.
    respect_access : bool, default True
        False = by class alone, whatever the access tags say.

    Returns
    -------
    RoadUse
        Class, directions, limits and name.
    """
    walk = road_class.walk
    drive = road_class.drive == "yes"
    if respect_access:
        said = _decided(tags, ("foot", "access"))
        if said in _ALLOWED and (walk or "foot" in tags):
            walk = True
        elif said in _REFUSED:
            walk = False
        said = _decided(tags, ("bus", "psv", "motor_vehicle", "vehicle", "access"))
        if said in _ALLOWED and road_class.drive == "tagged" and "motor_vehicle" in tags:
            drive = True
        elif said in _REFUSED:
            drive = False
    forward, backward = _directions(tags, road_class)
    bridge = tags.get("bridge", ""), tags.get("tunnel", "")
    return RoadUse(
        road_class=position,
        walk=walk,
        forward=drive and forward,
        backward=drive and backward,
        hazard=truth(tags.get("hazard", "")) or tags.get("hazard", "").strip() in _HAZARDS,
        maxspeed=speed_kmh(tags.get("maxspeed", "")),
        bridge=any(value.strip() not in ("", "no", "否", "nan", "0") for value in bridge),
        name=tags.get("name", "") or tags.get("ref", ""),
    )


def speed_kmh(text: str) -> float:
    """Read a posted speed limit.

    Parameters
    ----------
    text : str
        For example ``40``, ``40 km/h``, ``30 mph``.

    Returns
    -------
    float
        km/h, 5 to 150; nan where there is no number or it cannot be a limit.

    Examples
    --------
    >>> speed_kmh("40"), round(speed_kmh("30 mph"), 1)
    (40.0, 48.3)
    """
    found = _SPEED.match(unicodedata.normalize("NFKC", text))
    if found is None:
        return math.nan
    value = float(found.group(1)) * (1.609344 if found.group(2) == "mph" else 1.0)
    return value if 5.0 <= value <= 150.0 else math.nan


def truth(text: str) -> bool:
    """Whether a tag or cell says yes.

    Parameters
    ----------
    text : str
        Value, for example ``yes``, ``是``, ``1``, ``True``.

    Returns
    -------
    bool
        True for yes.
    """
    return text.strip().lower() in _YES


def _class_of(row: Mapping[str, str]) -> RoadClass:
    drive = row["drive"].strip()
    if drive not in ("yes", "no", "tagged"):
        raise ValueError(f"drive = {drive!r}; yes, no, tagged")
    walks = row["walk"].strip() == "yes"
    bus, cap = float(row["bus_kmh"]), float(row["cap_kmh"])
    if not (0 < bus <= 120 and 0 < cap <= 120):
        raise ValueError(f"bus_kmh = {bus}, cap_kmh = {cap}; 0-120")
    return RoadClass(
        code=row["class"].strip(),
        aliases=tuple(a.strip() for a in row["aliases"].split("|") if a.strip()),
        walk=walks,
        drive="yes" if drive == "yes" else "tagged" if drive == "tagged" else "no",
        stop=row["stop"].strip() == "yes",
        bus_kmh=bus,
        cap_kmh=cap,
        oneway=row["oneway"].strip() == "yes",
        rank=int(row["rank"]),
        zh=row["zh"].strip(),
        en=row["en"].strip(),
        # A county's own table from before the column: where people walk and vehicles go.
        ebike=(row.get("ebike") or ("yes" if walks and drive != "no" else "no")).strip() == "yes",
    )


def _decided(tags: Mapping[str, str], keys: Sequence[str]) -> str:
    """Value of the most specific key that says anything known."""
    for key in keys:
        value = tags.get(key, "").strip().lower()
        if value in _ALLOWED or value in _REFUSED:
            return value
    return ""


def _directions(tags: Mapping[str, str], road_class: RoadClass) -> tuple[bool, bool]:
    """Whether vehicles may go along the line and against it."""
    if tags.get("oneway:bus", tags.get("oneway:psv", "")).strip().lower() == "no":
        return True, True
    said = tags.get("oneway", "").strip().lower()
    if said in _REVERSED:
        return False, True
    if said in _YES:
        return True, False
    if said in ("no", "false", "0", "0.0", "否", "reversible", "alternating"):
        return True, True
    circular = tags.get("junction", "").strip().lower() in ("roundabout", "circular")
    return True, not (road_class.oneway or circular)
