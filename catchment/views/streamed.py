"""Times of a large county or a province written to disk as they are reckoned."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from catchment.errors import InputError
from catchment.files import write_atomically, write_text
from catchment.network.graph import RoadNetwork
from catchment.network.journey import Prepare
from catchment.network.places import Places, sites_of, villages_of
from catchment.network.shortest import prepare
from catchment.network.snap import coordinates
from catchment.network.streaming import TimesBlock, stream_times
from catchment.region.model import Region
from catchment.views.tables import frame_csv

FORMATS = ("csv", "parquet")
HEADS = ("mode", "site_id", "village_id", "minutes")
LIMITS = (15.0, 30.0, 40.0, 60.0)
FEWEST = 5
"""Counts of students below this are not written, others in whole steps of it."""

Progress = Callable[[int, int], None]


def write_stream(
    region: Region,
    network: RoadNetwork,
    folder: Path,
    *,
    kind: str = "csv",
    cutoff: float = math.inf,
    prepare: Prepare = prepare,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Path:
    """Write minutes from every village to every site within a limit, in bounded memory.

    Parameters
    ----------
    region : Region
        County or province.
    network : RoadNetwork
        Its roads.
    folder : Path
        Folder to write to.
    kind : {"csv", "parquet"}, default "csv"
        Format; parquet needs the package ``pyarrow``.
    cutoff : float, default inf
        Minutes above which a trip is left out.
    prepare, progress
        As of ``stream_times``.
    note : callable, optional
        Told what people must know: who joins no road, what lies apart.

    Returns
    -------
    Path
        ``times.csv`` or ``times.parquet``: columns ``mode, site_id, village_id, minutes``, a row a
        pair that is within the limit; whole or not there at all. Beside it ``snaps.csv`` lists
        where every village and site joins the roads, and which do not.

    Raises
    ------
    InputError
        When the format is unknown or its package missing.
    """
    if kind not in FORMATS:
        raise InputError(f"--format {kind}：应为 csv 或 parquet / must be csv or parquet")
    writer = _parquet if kind == "parquet" else _csv
    if kind == "parquet":
        _arrow()
    homes = villages_of(region)
    site_ids = np.array(sites_of(region).ids, dtype=object)
    village_ids = np.array(homes.ids, dtype=object)
    tables: list[str] = []

    def _joined(snaps: pd.DataFrame, notes: tuple[str, ...]) -> None:
        tables.append(frame_csv(snaps))
        if note is not None:
            for text in notes:
                note(text)

    blocks = stream_times(
        region, network, homes, cutoff=cutoff, prepare=prepare, progress=progress, joined=_joined
    )
    rows = (_rows(block, site_ids, village_ids) for block in blocks)
    written = write_atomically(folder / f"times.{kind}", lambda part: writer(part, rows))
    write_text(folder / "snaps.csv", tables[0])
    return written


def write_homes(
    region: Region,
    network: RoadNetwork,
    folder: Path,
    *,
    cutoff: float = math.inf,
    prepare: Prepare = prepare,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Path:
    """Write how many students live within some minutes of every site; never who, nor where.

    Parameters
    ----------
    region : Region
        County with students' homes.
    network : RoadNetwork
        Its roads.
    folder : Path
        Folder to write to.
    cutoff : float, default inf
        Minutes above which a trip does not matter.
    prepare, progress, note
        As of ``write_stream``; homes are counted, never named.

    Returns
    -------
    Path
        ``homes.csv``: ``mode, site_id, minutes, students``. Counts of 1 to 4 are written ``<5``,
        larger ones rounded down to a multiple of 5: the difference of two rows (another limit,
        another band) would otherwise tell of a single home.

    Raises
    ------
    InputError
        When the county has no students' homes.
    """
    table = region.students
    if not len(table):
        raise InputError(
            "students：没有学生住址图层 / there is no layer of students' homes; give one or leave out "
            "--homes"
        )
    x, y = coordinates(table.geometry.to_numpy())
    homes = Places(("",) * len(x), ("point",) * len(x), x, y)
    sites = sites_of(region).ids
    limits = [limit for limit in LIMITS if limit < cutoff] + [cutoff] * (cutoff < math.inf)

    def _joined(_: pd.DataFrame, notes: tuple[str, ...]) -> None:
        if note is not None:
            for text in notes:
                note(text)

    def _fill(part: Path) -> None:
        with part.open("w", encoding="utf-8-sig", newline="") as file:
            out = csv.writer(file)
            out.writerow(("mode", "site_id", "minutes", "students"))
            for block in stream_times(
                region, network, homes, cutoff=cutoff, prepare=prepare, progress=progress,
                joined=_joined,
            ):  # fmt: skip
                for k, minutes in enumerate(block.minutes):
                    for limit in limits:
                        said = _rounded(int(np.count_nonzero(minutes <= limit)))
                        out.writerow((block.mode, sites[block.first + k], f"{limit:g}", said))

    return write_atomically(folder / "homes.csv", _fill)


def _rounded(count: int) -> str:
    """Count of students as it may be written."""
    return f"<{FEWEST}" if 0 < count < FEWEST else str(count - count % FEWEST)


_Rows = tuple[str, np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]


def _rows(block: TimesBlock, sites: Any, villages: Any) -> _Rows:
    """Mode, sites, villages and minutes of the pairs within the limit."""
    site, village = np.nonzero(np.isfinite(block.minutes))
    return block.mode, sites[block.first + site], villages[village], block.minutes[site, village]


def _csv(part: Path, rows: Iterator[_Rows]) -> None:
    with part.open("w", encoding="utf-8-sig", newline="") as file:
        out = csv.writer(file)
        out.writerow(HEADS)
        for mode, sites, villages, minutes in rows:
            shown = np.char.mod("%.2f", minutes)
            out.writerows(
                zip([mode] * len(sites), _text(sites), _text(villages), shown, strict=True)
            )


def _text(ids: Iterable[Any]) -> list[str]:
    """Ids as text that no spreadsheet takes for a formula."""
    return [f"'{k}" if str(k)[:1] in "=+-@\t\r" else str(k) for k in ids]


def _parquet(part: Path, rows: Iterator[_Rows]) -> None:
    arrow, parquet = _arrow()
    kinds = [("mode", arrow.string()), ("site_id", arrow.string()), ("village_id", arrow.string()),
             ("minutes", arrow.float32())]  # fmt: skip
    schema = arrow.schema(kinds)
    with parquet.ParquetWriter(part, schema, compression="zstd") as out:
        for mode, sites, villages, minutes in rows:
            columns = [[mode] * len(sites), sites, villages, minutes]
            arrays = [arrow.array(c, type=k) for c, (_, k) in zip(columns, kinds, strict=True)]
            out.write_table(arrow.Table.from_arrays(arrays, schema=schema))


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as fault:
        raise InputError(
            "写 parquet 需要安装 pyarrow，或改用 --format csv / parquet needs the package pyarrow; "
            "install it or use --format csv"
        ) from fault
    return pa, parquet
