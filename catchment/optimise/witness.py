"""Why a problem has no plan: units, the sites they can reach, and places that do not suffice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]


Said = tuple[str, str]
"""The same in Chinese and in English."""


def joined(said: list[Said]) -> str:
    """Return all that is said as one line, Chinese first.

    Parameters
    ----------
    said : list of (str, str)
        Chinese and English.

    Returns
    -------
    str
        "中文；中文 / English; English", empty where nothing is said.
    """
    if not said:
        return ""
    return "；".join(zh for zh, _ in said) + " / " + "; ".join(en for _, en in said)


def shortage(cost: Float64, demand: Float64, capacity: Float64, stuck: list[Float64]) -> list[Said]:
    """Name units whose reachable sites together hold too few places.

    Parameters
    ----------
    cost : (n, m) float64
        Cost of one unit of demand, inf = not allowed.
    demand : (n,) float64
        Demand of each unit.
    capacity : (m,) float64
        Places of each site.
    stuck : list of (m,) float64
        Reached sites of every search that found no free place (finite = reached).

    Returns
    -------
    list of (str, str)
        Chinese and English with positions; empty where nothing is short.
    """
    alone = np.flatnonzero((demand > 0) & ~np.isfinite(cost).any(axis=1))
    said: list[Said] = []
    if alone.size:
        total = _number(float(demand[alone].sum()))
        said.append(
            (
                f"单元 {listed(alone)} 没有可去的学校（共 {alone.size} 个，{total} 人）",
                f"units {listed(alone)} ({alone.size} with demand {total}) can reach no site",
            )
        )
    if stuck:
        fewest = min(stuck, key=lambda seen: int(np.isfinite(seen).sum()))
        said.append(_hall(cost, demand, capacity, np.isfinite(fewest)))
    return said


def _hall(cost: Float64, demand: Float64, capacity: Float64, sites: npt.NDArray[np.bool_]) -> Said:
    """Describe the units that can go to none but these sites."""
    possible = np.isfinite(cost)
    inside = possible.any(axis=1) & ~possible[:, ~sites].any(axis=1) & (demand > 0)
    units, where = np.flatnonzero(inside), np.flatnonzero(sites)
    wanted, places = float(demand[inside].sum()), float(capacity[sites].sum())
    short = wanted - places
    return (
        (
            f"单元 {listed(units)}（共 {units.size} 个，{_number(wanted)} 人）只能去学校"
            f" {listed(where)}，只有 {_number(places)} 个学位，缺 {_number(short)} 个"
        ),
        (
            f"units {listed(units)} ({units.size} with demand {_number(wanted)}) can go only to "
            f"sites {listed(where)} with {_number(places)} places: {_number(short)} too few"
        ),
    )


def listed(positions: npt.NDArray[np.int64], most: int = 12) -> str:
    """Return positions as text, cut off after the first ones.

    Parameters
    ----------
    positions : (k,) int
        What to list.
    most : int
        How many to spell out.

    Returns
    -------
    str
        "1, 2, 3, ..." .
    """
    text = ", ".join(str(p) for p in positions[:most])
    return text + (", ..." if positions.size > most else "")


def _number(value: float) -> str:
    return f"{value:.0f}" if value == round(value) else f"{value:.6g}"
