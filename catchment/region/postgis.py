"""Layers from an office's PostGIS, read-only; the only importer of the database's library.

The address comes from the environment (``CATCHMENT_POSTGIS``) or is asked for at the terminal. It
is neither stored nor printed: faults name the table, never the server, the user or the password.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import sys
from functools import lru_cache
from typing import Any

import numpy as np
import shapely

from catchment.region.faults import Fault, LayerError
from catchment.region.raw import Place, Raw, cell_text

VARIABLE = "CATCHMENT_POSTGIS"
MAX_ROWS = 1_000_000
_TABLE = re.compile(r"(?:[^\W\d]\w{0,62}\.)?[^\W\d]\w{0,62}")
_SECONDS = 120
_SPATIAL = {"geometry", "geography"}


def table_name(text: str) -> bool:
    """Say whether a text is the plain name of a table, with or without its schema.

    Parameters
    ----------
    text : str
        ``schema.table`` or ``table``.

    Returns
    -------
    bool
        False for anything with quotes, blanks or more than one dot.
    """
    return _TABLE.fullmatch(text) is not None


def read_postgis(place: Place) -> Raw:
    """Read one table in a read-only transaction.

    Parameters
    ----------
    place : Place
        Its ``table`` names the table.

    Returns
    -------
    Raw
        Text cells and geometry, in the order of the text cells, so that the same content gives the
        same rows.

    Raises
    ------
    LayerError
        When the library or the address is missing, the server cannot be reached, or the table does
        not exist, is too large or may not be read.
    """
    try:
        import psycopg
    except ImportError as fault:
        raise _fault(place, "database_library") from fault
    address = os.environ.get(VARIABLE) or _asked(sys.stdin.isatty())
    if not address:
        raise _fault(place, "database_address")
    # The library's own words name server and user: only the kind of its error is passed on.
    said = ""
    try:
        with psycopg.connect(
            address,
            connect_timeout=10,
            application_name="catchment",
            options=f"-c default_transaction_read_only=on -c statement_timeout={_SECONDS}s",
        ) as base:
            base.read_only = True
            return _read(place, base)
    except psycopg.Error as fault:
        said = type(fault).__name__
        if fault.sqlstate and fault.diag.message_primary:
            # What the server says of a table is no secret; what it says of a login may be.
            login = fault.sqlstate.startswith(("28", "08", "3D"))
            said = said if login else fault.diag.message_primary[:120]
    raise _fault(place, "database_failed", detail=said)


@lru_cache(maxsize=1)
def _asked(at_terminal: bool) -> str:
    """Ask once a process, without echo."""
    if not at_terminal:
        return ""
    return getpass.getpass("PostGIS（postgresql://…，不显示、不保存 / not shown, not stored）: ")


def _read(place: Place, base: Any) -> Raw:
    from psycopg import sql

    schema, _, name = place.table.rpartition(".")
    names = sql.Identifier(*filter(None, (schema, name)))
    known = base.execute(
        "SELECT a.attname, t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
        "WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped "
        "ORDER BY a.attnum",
        (names.as_string(base),),
    ).fetchall()
    if not known:
        raise _fault(place, "database_failed", detail=f"{place.table}: no such table")
    shapes = [column for column, kind in known if kind in _SPATIAL]
    if len(shapes) > 1:
        raise _fault(place, "database_failed", detail=f"geometry columns: {', '.join(shapes)}")
    texts = [column for column, kind in known if kind not in _SPATIAL]
    wanted = [sql.SQL("{}::text").format(sql.Identifier(c)) for c in texts]
    order = [sql.SQL('{}::text COLLATE "C"').format(sql.Identifier(c)) for c in texts]
    shape = sql.Identifier(shapes[0]) if shapes else sql.NULL
    ends = [
        sql.SQL("ST_AsBinary({}::geometry)").format(shape),
        sql.SQL("ST_SRID({}::geometry)").format(shape),
    ]
    query = sql.SQL("SELECT {} FROM {} {} LIMIT {}").format(
        sql.SQL(", ").join([*wanted, *(ends if shapes else [])]),
        names,
        sql.SQL("ORDER BY {}").format(sql.SQL(", ").join(order)) if order else sql.SQL(""),
        sql.Literal(MAX_ROWS + 1),
    )
    rows = base.execute(query).fetchall()
    if len(rows) > MAX_ROWS:
        raise _fault(place, "file_too_large", detail=f"> {MAX_ROWS:,} rows")
    n = len(texts)
    geometry = _geometry(place, rows, n) if shapes else None
    return Raw(
        headings=tuple(texts),
        cells=[[cell_text(v) for v in row[:n]] for row in rows],
        rows=[k + 1 for k in range(len(rows))],
        geometry=geometry,
        crs=_crs(place, base, {row[n + 1] for row in rows} - {None}) if shapes else "",
        encoding="utf-8",
    )


def _geometry(place: Place, rows: list[Any], at: int) -> Any:
    result = np.full(len(rows), None, dtype=object)
    try:
        for k, row in enumerate(rows):
            if row[at] is not None:
                result[k] = shapely.from_wkb(bytes(row[at]))
    except shapely.errors.ShapelyError as fault:
        raise _fault(place, "database_failed", detail=f"row {k + 1}: {fault}"[:120]) from fault
    return result


def _crs(place: Place, base: Any, found: set[int]) -> str:
    if len(found) > 1:
        raise _fault(place, "database_failed", detail=f"SRID {sorted(found)}")
    srid = found.pop() if found else 0
    if not srid:
        return ""
    row = base.execute(
        "SELECT auth_name, auth_srid, srtext FROM spatial_ref_sys WHERE srid = %s", (srid,)
    ).fetchone()
    if row is None:
        return ""
    return f"{row[0]}:{row[1]}" if row[0] else str(row[2])


def content_digest(raw: Raw) -> str:
    """Digest what was read, since a table has no bytes of its own.

    Parameters
    ----------
    raw : Raw
        Cells and geometry.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    total = hashlib.sha256(repr((raw.headings, raw.cells, raw.crs)).encode("utf-8"))
    if raw.geometry is not None:
        for shape in raw.geometry:
            total.update(b"-" if shape is None else shapely.to_wkb(shape))
    return total.hexdigest()


def _fault(place: Place, code: str, **details: Any) -> LayerError:
    return LayerError(
        Fault(code, place.layer, file=place.file, details={"variable": VARIABLE, **details})
    )
