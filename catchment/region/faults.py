"""Faults of the layers, collected in one table: where, what is wrong, what to do.

The wording of every kind of fault is a row of ``faults.csv``, which also says how grave it is and
what it spoils: the whole layer (``refuse``), its row, its cell, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import pandas as pd

from catchment.english import counted
from catchment.errors import InputError
from catchment.region.schema import read_rows

SHOWN = 10
_COLUMNS = (
    "layer",
    "row",
    "column",
    "value",
    "severity",
    "what_zh",
    "what_en",
    "remedy_zh",
    "remedy_en",
    "x",
    "y",
    "code",
    "file",
)
_ORDER = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Fault:
    """One thing wrong with one place of one layer.

    Attributes
    ----------
    code : str
        Kind of fault, a row of ``faults.csv``.
    layer : str
        Canonical layer name.
    row : int or None
        Row as people see it: the sheet's or file's line, or the feature's number from 1.
    column : str
        Column as the file names it, may be empty.
    value : str
        Offending value as text.
    details : mapping
        What the wording needs besides layer, column and value.
    effect : {"refuse", "row", "cell", "none"}
        What it spoils.
    place : tuple of float or None
        WGS84 longitude and latitude of the row, where it has them.
    file : str
        File name relative to the region.
    """

    code: str
    layer: str
    row: int | None = None
    column: str = ""
    value: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    effect: str = ""
    place: tuple[float, float] | None = None
    file: str = ""

    @property
    def severity(self) -> str:
        """``error``, ``warning`` or ``note``."""
        return wordings()[self.code]["severity"]

    @property
    def spoils(self) -> str:
        """What the fault spoils, by its own effect or that of its kind."""
        return self.effect or wordings()[self.code]["effect"]

    def say(self, part: str) -> str:
        """Word one part of the fault.

        Parameters
        ----------
        part : str
            ``what_zh``, ``what_en``, ``remedy_zh`` or ``remedy_en``.

        Returns
        -------
        str
            The sentence with the values filled in.
        """
        values = {
            "layer": self.layer,
            "column": self.column,
            "value": self.value,
            "file": self.file,
        }
        return wordings()[self.code][part].format(**{**values, **self.details})

    def line(self) -> str:
        """Word the whole fault in one line, Chinese first.

        Returns
        -------
        str
            ``layer, row, column, value: what; remedy / ... in English``.
        """
        where = [self.layer]
        where_en = [self.layer]
        if self.row is not None:
            where.append(f"第 {self.row} 行")
            where_en.append(f"row {self.row}")
        if self.column:
            where.append(f"列“{self.column}”")
            where_en.append(f"column {self.column!r}")
        if self.value:
            where.append(f"值“{self.value}”")
            where_en.append(f"value {self.value!r}")
        return (
            f"{' '.join(where)}：{self.say('what_zh')}；{self.say('remedy_zh')} / "
            f"{' '.join(where_en)}: {self.say('what_en')}; {self.say('remedy_en')}"
        )


class LayerError(Exception):
    """Reading a layer stopped at a fault that leaves nothing to read; caught by the reader."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code)
        self.fault = fault


@dataclass(frozen=True)
class Problems:
    """Everything found wrong in a region, in the order of layers and rows.

    Attributes
    ----------
    faults : tuple of Fault
        All faults.
    """

    faults: tuple[Fault, ...]

    @property
    def errors(self) -> tuple[Fault, ...]:
        """Faults of severity error."""
        return tuple(f for f in self.faults if f.severity == "error")

    @property
    def warnings(self) -> tuple[Fault, ...]:
        """Faults of severity warning."""
        return tuple(f for f in self.faults if f.severity == "warning")

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not self.errors

    def __len__(self) -> int:
        return len(self.faults)

    def table(self) -> pd.DataFrame:
        """Lay the faults out as one table.

        Returns
        -------
        DataFrame
            ``layer, row, column, value, severity, what_zh, what_en, remedy_zh, remedy_en, x, y,
            code, file``; row is a nullable integer, x and y are WGS84 degrees or NaN.
        """
        rows = [
            (
                f.layer,
                f.row,
                f.column,
                f.value,
                f.severity,
                f.say("what_zh"),
                f.say("what_en"),
                f.say("remedy_zh"),
                f.say("remedy_en"),
                f.place[0] if f.place else float("nan"),
                f.place[1] if f.place else float("nan"),
                f.code,
                f.file,
            )
            for f in self.faults
        ]
        frame = pd.DataFrame(rows, columns=list(_COLUMNS))
        text = [c for c in _COLUMNS if c not in {"row", "x", "y"}]
        return frame.astype(
            {"row": "Int64", "x": "float64", "y": "float64", **dict.fromkeys(text, "str")}
        )

    def raise_if(self, faults: Iterable[Fault]) -> None:
        """Raise one error for faults, showing the first ten and the count.

        Parameters
        ----------
        faults : iterable of Fault
            Faults that stop the work; nothing happens when there are none.

        Raises
        ------
        InputError
            When there is at least one.
        """
        stop = list(faults)
        if not stop:
            return
        lines = [f"{k}. {f.line()}" for k, f in enumerate(stop[:SHOWN], start=1)]
        head = f"数据有 {len(stop)} 个错误 / the layers hold {counted(len(stop), 'error')}:"
        if len(stop) > SHOWN:
            lines.append(
                f"……另有 {len(stop) - SHOWN} 个；用 catchment check 查看全部 / "
                f"and {len(stop) - SHOWN} more; catchment check shows all"
            )
        raise InputError("\n".join([head, *lines]))


def problems(faults: Iterable[Fault], order: Iterable[str]) -> Problems:
    """Put faults in order: layer, then gravity, then row.

    Parameters
    ----------
    faults : iterable of Fault
        Faults as they were found.
    order : iterable of str
        Layer names in the order to show them.

    Returns
    -------
    Problems
        The same faults, each once.
    """
    rank = {name: k for k, name in enumerate(order)}
    unique: dict[tuple[Any, ...], Fault] = {}
    for fault in faults:
        key = (fault.layer, fault.row, fault.column, fault.value, fault.code, fault.say("what_en"))
        unique.setdefault(key, fault)
    return Problems(
        tuple(
            sorted(
                unique.values(),
                key=lambda f: (
                    _ORDER[f.severity],
                    rank.get(f.layer, len(rank)),
                    f.row if f.row is not None else -1,
                    f.column,
                    f.code,
                    f.value,
                ),
            )
        )
    )


def placed(fault: Fault, place: tuple[float, float] | None) -> Fault:
    """Give a fault the place of its row.

    Parameters
    ----------
    fault : Fault
        Any fault.
    place : tuple of float or None
        WGS84 longitude and latitude.

    Returns
    -------
    Fault
        The fault with the place, unless it already had one.
    """
    return fault if fault.place is not None or place is None else replace(fault, place=place)


@lru_cache(maxsize=1)
def wordings() -> Mapping[str, Mapping[str, str]]:
    """Read the kinds of faults.

    Returns
    -------
    mapping of str to mapping
        Code to the row of ``faults.csv``.
    """
    return {row["code"]: row for row in read_rows("faults.csv")}
