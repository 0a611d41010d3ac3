"""Tables as CSV that Excel and WPS open rightly: UTF-8 with a mark, text never a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from catchment.network.travel import TravelTimes
from catchment.run import Run
from catchment.views.files import write_text
from catchment.views.plain import guarded

INDICATOR_COLUMNS = ("indicator", "unit", "scope", "id", "year", "value", "plan")


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    r"""Write rows as CSV.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : iterable of sequences
        Values. Numbers stand in full: as many decimals as tell them apart, never an exponent.
        Missing and infinite values are empty, truth is ``true`` or ``false``, text is guarded
        against being read as a formula.

    Returns
    -------
    str
        CSV with a byte order mark and Windows line ends.

    Examples
    --------
    >>> csv_text(["a", "b"], [[1234567.8, None], [True, "=1+1"]])
    "\ufeffa,b\r\n1234567.8,\r\ntrue,'=1+1\r\n"
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([guarded(column) for column in columns])
    writer.writerows([_cell(v) for v in row] for row in rows)
    return "\ufeff" + out.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return guarded(value)
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        # A spreadsheet rounds exponents, and shortest digits read back as the same number.
        return np.format_float_positional(value, trim="-") if np.isfinite(value) else ""
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
        CSV text (see :func:`csv_text`).
    """
    return csv_text([str(c) for c in table.columns], table.itertuples(index=False, name=None))


def write_tables(run: Run, folder: Path) -> list[Path]:
    """Write ``indicators.csv`` and ``findings.csv`` for spreadsheets and other programs.

    Parameters
    ----------
    run : Run
        A finished run.
    folder : Path
        Folder of the run.

    Returns
    -------
    list of Path
        The two files, with their headings even where there is nothing to list.
    """
    found = run.findings if len(run.findings.columns) else pd.DataFrame(columns=["code", "result"])
    figures = run.indicators.reindex(columns=list(INDICATOR_COLUMNS))
    return [
        write_text(folder / "indicators.csv", frame_csv(figures)),
        write_text(folder / "findings.csv", frame_csv(found)),
    ]


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
                        round(float(times.minutes[k, i, j]), 2),
                        round(float(times.metres[k, i, j])),
                    )

    return csv_text(("mode", "village_id", "site_id", "minutes", "metres"), rows())
