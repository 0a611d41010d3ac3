"""What there is to do: one task a county and recipe, known by the digest of its input."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from catchment import __version__
from catchment.errors import InputError, NotFoundError
from catchment.scenario import read_scenario

_RECIPES = ("scenario*.toml", "scenarios/*.toml")
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
        SHA-256 of every file of the county, the recipe, the options and the version.
    full : bool
        Whether maps and documents are written too.
    set_aside : bool
        Whether rows in error are set aside and counted.
    lang : str
        ``zh`` or ``en``.
    """

    name: str
    recipe: str
    region: str
    digest: str
    full: bool = False
    set_aside: bool = False
    lang: str = "zh"

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
    for path in _recipes(folder):
        if recipe and path.stem != recipe:
            continue
        county = _county_of(path)
        place = county.resolve().relative_to(folder.resolve()).as_posix()
        name = "/".join(_PLAIN.sub("_", part) for part in (place.replace("/", "."), path.stem))
        if name in tasks:
            raise InputError(
                f"{path}: 与 {tasks[name].recipe} 的结果位置相同（{name}）；请改名 / "
                "would write to the same place; rename one of them"
            )
        tasks[name] = Task(
            name=name,
            recipe=str(path),
            region=str(county),
            digest=_digest(county, path, f"{full} {set_aside} {lang}"),
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


def _digest(county: Path, recipe: Path, options: str) -> str:
    found = hashlib.sha256(f"{__version__} {options}".encode())
    for path in sorted(p for p in county.rglob("*") if p.is_file()):
        inside = path.relative_to(county).as_posix()
        if path.suffix == ".toml" and path.name != "region.toml" and path != recipe.resolve():
            continue  # another recipe of the county does not change this task
        found.update(f"\n{inside} ".encode("utf-8", "surrogateescape"))
        found.update(hashlib.sha256(path.read_bytes()).digest())
    found.update(hashlib.sha256(recipe.read_bytes()).digest())
    return found.hexdigest()
