"""The register of indicators, read from ``indicators.csv``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType


@dataclass(frozen=True)
class Indicator:
    """One measure.

    Attributes
    ----------
    indicator : str
        Code.
    unit : str
        Unit of the value.
    zh, en : str
        Names shown to people.
    definition_zh, definition_en : str
        What exactly is counted.
    range : str
        Range of the value.
    source : str
        Document that defines it, where there is one.
    """

    indicator: str
    unit: str
    zh: str
    en: str
    definition_zh: str
    definition_en: str
    range: str
    source: str


@cache
def registry() -> MappingProxyType[str, Indicator]:
    """Every indicator by its code, in the order of the table.

    Returns
    -------
    mapping of str to Indicator
        Read-only.
    """
    text = files("catchment.indicators").joinpath("indicators.csv").read_text(encoding="utf-8")
    rows = (Indicator(**row) for row in csv.DictReader(text.splitlines()))
    return MappingProxyType({row.indicator: row for row in rows})
