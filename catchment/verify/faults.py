"""What can be wrong with a plan, in words."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import pandas as pd

from catchment.errors import CatchmentError


@dataclass(frozen=True)
class Fault:
    """One thing that does not hold.

    Attributes
    ----------
    code : str
        Row of ``faults.csv``.
    year : int or None
        School year, None where it concerns all.
    site, village, band, grade : str
        Where; empty where it does not apply.
    found, expected : str
        What the plan says and what it should say.
    what : str
        Anything else.
    """

    code: str
    year: int | None = None
    site: str = ""
    village: str = ""
    band: str = ""
    grade: str = ""
    found: str = ""
    expected: str = ""
    what: str = ""

    def severity(self) -> str:
        """Say how bad it is.

        Returns
        -------
        str
            ``broken`` (the plan contradicts itself or the question), ``limit`` (a limit the plan
            exceeds) or ``note``.
        """
        return _words()[self.code][0]

    def said(self) -> tuple[str, str]:
        """Put it into words.

        Returns
        -------
        tuple of str
            The sentence in Chinese and in English.
        """
        _, zh, en = _words()[self.code]
        parts = {k: getattr(self, k) for k in ("site", "village", "band", "grade", "found")}
        parts |= {"expected": self.expected, "what": self.what}
        when = "" if self.year is None else f"{self.year}: "
        return when + zh.format(**parts), when + en.format(**parts)


@lru_cache(maxsize=1)
def _words() -> dict[str, tuple[str, str, str]]:
    text = files("catchment.verify").joinpath("faults.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {row["code"]: (row["severity"], row["zh"], row["en"]) for row in rows}


def fault_table(faults: Iterable[Fault]) -> pd.DataFrame:
    """Return faults as a table, the worst first.

    Parameters
    ----------
    faults : iterable of Fault
        What was found.

    Returns
    -------
    DataFrame
        ``severity, code, year, site, village, band, grade, found, expected, what_zh, what_en``.
    """
    order = {"broken": 0, "limit": 1, "note": 2}
    rows = [
        (
            fault.severity(),
            fault.code,
            fault.year,
            fault.site,
            fault.village,
            fault.band,
            fault.grade,
            fault.found,
            fault.expected,
            *fault.said(),
        )
        for fault in faults
    ]
    rows.sort(key=lambda row: order[row[0]])
    columns = ["severity", "code", "year", "site", "village", "band", "grade", "found"]
    columns += ["expected", "what_zh", "what_en"]
    return pd.DataFrame(rows, columns=columns).astype({"year": "Int64"})


def demand_sound(faults: Iterable[Fault], most: int = 5, *, limits: bool = False) -> None:
    """Refuse a plan that contradicts itself or its question.

    Parameters
    ----------
    faults : iterable of Fault
        What was found.
    most : int
        How many to name.
    limits : bool
        Whether limits bind too: the plan was chosen to keep them.

    Raises
    ------
    CatchmentError
        Where one is ``broken``: it would be a fault of the program, so the plan is not shown.
    """
    binding = ("broken", "limit") if limits else ("broken",)
    broken = [fault for fault in faults if fault.severity() in binding]
    if not broken:
        return
    zh = "；".join(fault.said()[0] for fault in broken[:most])
    en = "; ".join(fault.said()[1] for fault in broken[:most])
    raise CatchmentError(
        f"方案未通过独立复核，不予采用（{len(broken)} 处）：{zh} / "
        f"the plan failed the independent check and is not used ({len(broken)} faults): {en}"
    )
