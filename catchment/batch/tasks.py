"""What there is to do: one task a county and recipe, known by the digest of its input."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from catchment import __version__
from catchment.batch.joint import recipe_beside
from catchment.errors import CatchmentError, InputError, NotFoundError
from catchment.region.read import village_box
from catchment.scenario import read_scenario

_RECIPES = ("scenario*.toml", "scenarios/*.toml")
_FORMAT = 3
"""Of what a task writes: a folder of another format is not taken for the answer."""
_PLAIN = re.compile(r"[^\w.-]+")


@dataclass(frozen=True)
class Task:
    """One county with one recipe.

    Attributes
    ----------
    name : str
        ``county/recipe`` in plain signs; the place of its results.
    recipe : str
        Path of the recipe.
    region : str
        Path of the county.
    digest : str
        SHA-256 of every file of the county, the recipe, the options, the version and the format.
    full : bool
        Whether maps and documents are written too.
    set_aside : bool
        Whether rows in error are set aside and counted.
    lang : str
        ``zh`` or ``en``.
    neighbours : tuple of (str, str)
        Names and folders of counties within reach across the border.
    reach_km : float
        How far across a border schools are looked for; 0 = not at all.
    """

    name: str
    recipe: str
    region: str
    digest: str
    full: bool = False
    set_aside: bool = False
    lang: str = "zh"
    neighbours: tuple[tuple[str, str], ...] = ()
    reach_km: float = 0.0

    def plain(self) -> dict[str, Any]:
        """Return the task as plain values, so that any process can be given it.

        Returns
        -------
        dict
            Attributes by name.
        """
        return asdict(self)


def find_tasks(
    folder: Path,
    *,
    recipe: str = "",
    full: bool = False,
    set_aside: bool = False,
    lang: str = "zh",
    reach_km: float = 0.0,
) -> tuple[Task, ...]:
    """Find every county below a folder and its recipes.

    Parameters
    ----------
    folder : Path
        Folder that holds counties (folders with ``region.toml`` and recipes ``scenario*.toml`` or
        ``scenarios/*.toml``).
    recipe : str
        Only recipes whose file has this stem; all where empty.
    full, set_aside, lang
        Options of the tasks.
    reach_km : float
        How far across county borders schools are looked for; 0 = not at all.

    Returns
    -------
    tuple of Task
        In order of name.

    Raises
    ------
    NotFoundError
        Where there is none.
    InputError
        Where two tasks would write to the same place.
    """
    if not folder.is_dir():
        raise NotFoundError(f"{folder} 不是文件夹 / is not a folder")
    tasks: dict[str, Task] = {}
    seen: dict[Path, str] = {}
    boxes = _boxes(folder) if reach_km else {}
    for path in _recipes(folder):
        if recipe and path.stem != recipe:
            continue
        county = _county_of(path)
        name = f"{_name_of(county, folder)}/{_PLAIN.sub('_', path.stem)}"
        if name in tasks:
            raise InputError(
                f"{path}: 与 {tasks[name].recipe} 的结果位置相同（{name}）；请改名 / "
                "would write to the same place; rename one of them"
            )
        near = _near(county.resolve(), boxes, reach_km)
        options = f"{full} {set_aside} {lang} {reach_km}"
        tasks[name] = Task(
            name=name,
            recipe=str(path),
            region=str(county),
            digest=_digest(county, path, options, near, seen),
            neighbours=tuple((_name_of(each, folder), str(each)) for each in near),
            reach_km=reach_km,
            full=full,
            set_aside=set_aside,
            lang=lang,
        )
    if not tasks:
        raise NotFoundError(
            f"{folder} 下没有找到县（region.toml）及其方案（scenario*.toml、scenarios/*.toml） / "
            "no county with a recipe was found below it"
        )
    return tuple(tasks[name] for name in sorted(tasks))


def _recipes(folder: Path) -> Iterator[Path]:
    for mark in sorted(folder.rglob("region.toml")):
        for pattern in _RECIPES:
            yield from sorted(p for p in mark.parent.glob(pattern) if p.is_file())


def _county_of(recipe: Path) -> Path:
    """Return the county that a recipe names; the folder it lies in where it cannot be read yet."""
    fallback = recipe.parent if (recipe.parent / "region.toml").is_file() else recipe.parent.parent
    try:
        return (recipe.parent / read_scenario(recipe).region).resolve()
    except (InputError, OSError):
        # The task itself will say what is wrong with its recipe.
        return fallback.resolve()


def _name_of(county: Path, folder: Path) -> str:
    place = county.resolve().relative_to(folder.resolve()).as_posix()
    return _PLAIN.sub("_", place.replace("/", "."))


def _boxes(folder: Path) -> dict[Path, tuple[float, float, float, float]]:
    """Box around the places of every county that can be read, in degrees."""
    boxes = {}
    for mark in sorted(folder.rglob("region.toml")):
        try:
            box = village_box(mark.parent)
        except CatchmentError:
            continue  # its own task says what is wrong
        if box is not None:
            boxes[mark.parent.resolve()] = box
    return boxes


def _near(
    county: Path, boxes: dict[Path, tuple[float, float, float, float]], reach_km: float
) -> tuple[Path, ...]:
    if county not in boxes:
        return ()
    west, south, east, north = boxes[county]
    up = reach_km / 111.0
    side = up / max(math.cos(math.radians(max(abs(south), abs(north)))), 0.1)
    return tuple(
        other
        for other, (w, s, e, n) in sorted(boxes.items())
        if other != county
        and w <= east + side
        and e >= west - side
        and s <= north + up
        and n >= south - up
    )


def _digest(
    county: Path, recipe: Path, options: str, near: tuple[Path, ...], seen: dict[Path, str]
) -> str:
    """Digest of all a task reads; files of a county are read once for it and all its neighbours."""
    found = hashlib.sha256(f"{__version__} {_FORMAT} {options}".encode())
    for folder in (county, *near):
        # The neighbour's recipe of the same name says which roads there are and which schools.
        own = recipe.resolve() if folder == county else recipe_beside(recipe, folder)
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            inside = path.relative_to(folder).as_posix()
            if path.suffix == ".toml" and path.name != "region.toml" and path != own:
                continue  # another recipe does not change this task
            found.update(f"\n{inside} ".encode("utf-8", "surrogateescape"))
            if path not in seen:
                seen[path] = hashlib.sha256(path.read_bytes()).hexdigest()
            found.update(seen[path].encode())
    found.update(hashlib.sha256(recipe.read_bytes()).digest())
    return found.hexdigest()
