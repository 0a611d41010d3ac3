"""Tables as CSV that Excel and WPS open rightly: UTF-8 with a mark, text never a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from catchment.network.travel import TravelTimes
from catchment.views.plain import guarded


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Write rows as CSV.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : iterable of sequences
        Values; numbers stay numbers, missing values are empty, text is guarded against being
        read as a formula.

    Returns
    -------
    str
        CSV with a byte order mark and Windows line ends.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(v) for v in row] for row in rows)
    return "\ufeff" + out.getvalue()


def _cell(value: Any) -> Any:
    if value is None or value is pd.NA:
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return "" if not np.isfinite(value) else f"{value:.6g}"
    if isinstance(value, int | np.integer):
        return int(value)
    return guarded(value)


def frame_csv(table: pd.DataFrame) -> str:
    """Write a table as CSV.

    Parameters
    ----------
    table : DataFrame
        Any table without geometry.

    Returns
    -------
    str
        CSV text.
    """
    return csv_text([str(c) for c in table.columns], table.itertuples(index=False))


def times_csv(times: TravelTimes) -> str:
    """Write travel times, one row a mode, village and site that can be reached.

    Parameters
    ----------
    times : TravelTimes
        Travel times.

    Returns
    -------
    str
        CSV text with ``mode, village_id, site_id, minutes, metres``; a village that reaches no
        site by a mode has one row with empty ``site_id``.
    """

    def rows() -> Iterable[Sequence[Any]]:
        for k, mode in enumerate(times.modes):
            for i, village in enumerate(times.villages):
                reached = np.flatnonzero(np.isfinite(times.minutes[k, i]))
                if not len(reached):
                    yield mode, village, "", None, None
                for j in reached:
                    yield (
                        mode,
                        village,
                        times.sites[j],
                        f"{times.minutes[k, i, j]:.2f}",
                        f"{times.metres[k, i, j]:.0f}",
                    )

    return csv_text(("mode", "village_id", "site_id", "minutes", "metres"), rows())
