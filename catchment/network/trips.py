"""Door to door: by which mode every village's children go to their school, there and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.errors import InputError
from catchment.network.allowed import BOARD, WALK, BandMode, read_band_modes
from catchment.network.travel import TravelTimes, best_mode, mode_limits
from catchment.region.bands import Band

COLUMNS = (
    "village_id", "band", "site_id", "mode", "minutes", "minutes_back", "minutes_worst", "metres",
    "home_m", "site_m", "limit_min", "within", "weekly_min",
)  # fmt: skip


def trips(
    there: TravelTimes,
    bands: Sequence[Band],
    sites: Mapping[str, Sequence[str]],
    *,
    back: TravelTimes | None = None,
    beds: Collection[str] = (),
) -> pd.DataFrame:
    """Answer door to door: mode, minutes, metres and access legs of every village and band.

    The mode is that of ``best_mode`` for the way there; the way back goes by the same mode. A band
    that may board does so at a school with beds where the longer of both ways is beyond the limit
    of boarding in ``band_modes.csv``: it has no daily trip then, but a weekly one.

    Parameters
    ----------
    there : TravelTimes
        Times from home to school.
    bands : sequence of Band
        Bands in order.
    sites : mapping of str to sequence of str
        For each band the school or site of every village, in the order of the times; empty = none.
    back : TravelTimes, optional
        Times from school home of the same villages, sites and modes.
    beds : collection of str, default ()
        Sites with beds.

    Returns
    -------
    DataFrame
        ``village_id, band, site_id, mode`` (``walk``, ``bus``, ``ebike``, ``car``, ``board``,
        empty = no way), ``minutes, minutes_back, minutes_worst`` (nan when boarding or not asked;
        inf = no way), ``metres``, ``home_m, site_m`` (access legs; of a straight walk for want of a
        mapped road the whole way and 0), ``limit_min`` of the mode,
        ``within`` (bool: the minutes known keep to it; a boarder keeps to it) and ``weekly_min``
        (minutes of the weekly trip, nan without boarding). One row a village and band, by village.

    Raises
    ------
    InputError
        When the sites do not fit the villages or the times, or ``back`` is not of the same pairs.
    """
    if back is not None and (back.modes, back.villages, back.sites) != (
        there.modes, there.villages, there.sites,
    ):  # fmt: skip
        raise InputError(
            "往返时间的村、校点或方式不一致 / times there and back are not of the same villages, sites "
            "and modes"
        )
    minutes, metres, mode = best_mode(there, bands)
    column = {site: k for k, site in enumerate(there.sites)}
    rows: list[tuple[object, ...]] = []
    for i, village in enumerate(there.villages):
        for k, band in enumerate(bands):
            own = _site_of(sites, band, i, len(there.villages))
            if own and own not in column:
                raise InputError(f"sites：出行时间中没有校点 {own} / no site {own} in the times")
            row = i * len(bands) + k
            which = int(mode[row, column[own]]) if own else -1
            if which < 0:
                none = np.inf if own else np.nan
                rows.append((village, band.band, own, "", none, none, none, none, np.nan, np.nan,
                             np.nan, False, np.nan))  # fmt: skip
                continue
            j = column[own]
            ahead = float(minutes[row, j])
            home = float(back.minutes[which, i, j]) if back is not None else np.nan
            worst = float(np.fmax(ahead, home))
            board = _board_limit(there, band) if own in beds else np.inf
            limit = dict(mode_limits(there, band))[which]
            legs = _legs(there, which, i, j)
            name = there.modes[which]
            name = WALK if name.startswith(WALK) else name
            if worst > board:
                rows.append((village, band.band, own, BOARD, np.nan, np.nan, np.nan,
                             float(metres[row, j]), *legs, board, True, worst))  # fmt: skip
            else:
                rows.append((village, band.band, own, name, ahead, home, worst,
                             float(metres[row, j]), *legs, limit, worst <= limit,
                             np.nan))  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _site_of(sites: Mapping[str, Sequence[str]], band: Band, village: int, count: int) -> str:
    own = sites.get(band.band)
    if own is None:
        return ""
    if len(own) != count:
        raise InputError(
            f"sites[{band.band!r}]：{len(own)} 个，应与 {count} 个村一一对应 / must name one site a "
            "village"
        )
    return own[village]


def _board_limit(times: TravelTimes, band: Band) -> float:
    """Minutes of a daily trip beyond which the band boards; inf = it may not."""
    rows: Sequence[BandMode] = [row for row in times.allowed if row.band == band.band]
    for row in rows or read_band_modes([band]):
        if row.mode == BOARD and row.allowed:
            return row.limit_of(band)
    return float("inf")


def _legs(times: TravelTimes, mode: int, village: int, site: int) -> tuple[float, float]:
    if times.direct.size and times.direct[village, site] and times.modes[mode].startswith(WALK):
        return float(times.metres[mode, village, site]), 0.0
    legs: list[npt.NDArray[np.float32]] = [times.home_m, times.site_m]
    if not all(leg.size for leg in legs):
        return float("nan"), float("nan")
    return float(times.home_m[mode, village]), float(times.site_m[mode, site])
