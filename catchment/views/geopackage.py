"""The plan as a GeoPackage that opens styled and with readable column names in QGIS."""

from __future__ import annotations

import importlib.util
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from catchment.errors import InputError
from catchment.files import STAMP, settle_geopackage
from catchment.run import Run
from catchment.views import charts
from catchment.views.facts import Facts, figure, read_facts, rows_of
from catchment.views.files import write_atomically
from catchment.views.plain import plain
from catchment.views.story import origin_of
from catchment.views.words import name_of, word


def write_geopackage(run: Run, path: Path, *, lang: str = "zh") -> Path:
    """Write villages, schools, catchments and roads, with their styles and column aliases.

    Students' home points are in no layer.

    Parameters
    ----------
    run : Run
        A finished run.
    path : Path
        The ``.gpkg`` file.
    lang : {"zh", "en"}
        Language of the aliases and of the words in the columns.

    Returns
    -------
    Path
        ``path``; written whole or not at all.
    """
    layers = _layers(run, lang)

    def fill(beside: Path) -> None:
        written = []
        for name, table in layers.items():
            if table is None:
                continue
            table.to_file(beside, layer=name, driver="GPKG", engine="pyogrio", index=False)
            written.append(name)
        _finish(beside, {name: layers[name] for name in written}, run, lang)

    return write_atomically(path, fill)


def write_geoparquet(run: Run, folder: Path, *, lang: str = "zh") -> list[Path]:
    """Write the layers of ``plan.gpkg`` as GeoParquet, one file each.

    Parameters
    ----------
    run : Run
        A finished run.
    folder : Path
        Folder to write to.
    lang : {"zh", "en"}
        Language of the words in the columns.

    Returns
    -------
    list of Path
        ``catchments.parquet``, ``roads.parquet``, ``villages.parquet`` and ``schools.parquet``;
        layers that the run does not have are left out. Each is written whole or not at all.

    Raises
    ------
    InputError
        When the package ``pyarrow`` is not installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise InputError(
            "写 GeoParquet 需要 pyarrow：pip install pyarrow / GeoParquet needs the package pyarrow"
        )
    written = []
    for name, table in _layers(run, lang).items():
        if table is not None:
            path = folder / f"{name}.parquet"
            written.append(write_atomically(path, partial(_parquet, table)))
    return written


def _parquet(table: gpd.GeoDataFrame, path: Path) -> None:
    table.to_parquet(path)


def _layers(run: Run, lang: str) -> dict[str, gpd.GeoDataFrame | None]:
    facts = read_facts(run)
    return {
        "catchments": _catchments(run, facts, lang),
        "roads": _roads(run, lang),
        "villages": _villages(run, facts, lang),
        "schools": _schools(run, facts, lang),
    }


def _villages(run: Run, facts: Facts, lang: str) -> gpd.GeoDataFrame:
    rows: dict[str, dict[str, Any]] = {
        row["village_id"]: {
            "village_id": row["village_id"], "village": row["name"], "township": row["township"]
        }
        for row in rows_of(facts.villages)
    }  # fmt: skip
    trips = facts.trips
    for plan, year, end in (("today", facts.first, "now"), ("plan", facts.focus, "plan")):
        chosen = trips[(trips["plan"] == plan) & (trips["year"] == year)]
        for trip in rows_of(chosen):
            row, band = rows[trip["village_id"]], trip["band"]
            row[f"students_{end}"] = row.get(f"students_{end}", 0) + int(trip["students"])
            if trip["own"]:
                row[f"{band}_school_{end}"] = trip["site"]
                row[f"{band}_min_{end}"] = _rounded(trip["minutes"])
                row[f"{band}_mode_{end}"] = name_of("mode", trip["mode"], lang)
            elif trip["part"] == "shared":
                row[f"{band}_school_{end}"] += word("separator", lang) + trip["site"]
            if end == "plan":
                served = trip["students"] > 0
                row["worst_min"] = np.nanmax(
                    [row.get("worst_min", np.nan), trip["minutes"] if served else np.nan, -1.0]
                )
                row["over_limit"] = row.get("over_limit", 0) + int(
                    trip["students"] if trip["over_limit"] else 0
                )
                row["unserved"] = row.get("unserved", 0) + int(
                    0 if trip["site_id"] else trip["students"]
                )
    for row in rows.values():
        row["worst_min"] = None if row.get("worst_min", -1.0) < 0 else _rounded(row["worst_min"])
    points = shapely.points(facts.villages["x"].to_numpy(), facts.villages["y"].to_numpy())
    return gpd.GeoDataFrame(pd.DataFrame(list(rows.values())), geometry=points, crs=run.region.crs)


def _schools(run: Run, facts: Facts, lang: str) -> gpd.GeoDataFrame:
    states = charts.site_states(run, facts)
    sums = facts.classes.groupby(["site_id", "year", "plan"])[["students", "classes"]].sum()
    known = sums.to_dict("index")
    rows = []
    for j, row in enumerate(rows_of(facts.sites)):
        code, state = row["site_id"], states.get(row["site_id"], row["kind"])
        now = known.get((code, facts.first, "today"), {})
        then = known.get((code, facts.focus, "plan"), {})
        rows.append(
            {
                "school_id": code, "school": row["name"], "township": row["township"],
                "role": name_of("role", row["role"], lang), "state": state,
                "state_name": name_of("state", state, lang),
                "rooms_now": row["rooms"], "rooms_plan": int(run.problem.rooms[j, facts.focus_at]),
                "students_now": int(now.get("students", 0)),
                "students_plan": int(then.get("students", 0)),
                "classes_now": int(now.get("classes", 0)),
                "classes_plan": int(then.get("classes", 0)),
                "places_now": figure(facts, "places", facts.first, "today", scope="site", key=code),
                "places_plan": figure(facts, "places", facts.focus, "plan", scope="site", key=code),
                "shortfall_plan": figure(facts, "place_shortfall", facts.focus, "plan", scope="site", key=code
                ),
            }
        )  # fmt: skip
    points = shapely.points(facts.sites["x"].to_numpy(float), facts.sites["y"].to_numpy(float))
    table = pd.DataFrame(rows)
    for column in ("places_now", "places_plan", "shortfall_plan"):
        table[column] = pd.to_numeric(table[column], errors="coerce")
    return gpd.GeoDataFrame(table, geometry=points, crs=run.region.crs)


def _catchments(run: Run, facts: Facts, lang: str) -> gpd.GeoDataFrame | None:
    table = run.catchments
    if len(table) == 0 or "geometry" not in table.columns:
        return None
    names = dict(zip(facts.sites["site_id"], facts.sites["name"], strict=True))
    table = table.sort_values(["plan", "year", "band", "site_id"], kind="stable").reset_index(
        drop=True
    )
    result = table.assign(
        school=[names.get(code, code) for code in table["site_id"]],
        band_name=[_band_name(run, band, lang) for band in table["band"]],
        plan_name=[word("today" if plan == "today" else "plan", lang) for plan in table["plan"]],
        colour=np.minimum(table["colour"].to_numpy(), len(charts.LADDER) - 1),
    )
    shapes = [_multi(shape) for shape in result.geometry]
    order = ["plan", "plan_name", "year", "band", "band_name", "site_id", "school", "villages",
             "students", "pieces", "shared", "colour"]  # fmt: skip
    kept = [name for name in order if name in result.columns]
    return gpd.GeoDataFrame(pd.DataFrame(result[kept]), geometry=shapes, crs=table.crs)


def _roads(run: Run, lang: str) -> gpd.GeoDataFrame | None:
    network = run.network
    if len(network.length) == 0:
        return None
    pieces = [
        shapely.linestrings(network.shape[start:stop])
        for start, stop in zip(network.offsets[:-1], network.offsets[1:], strict=True)
    ]
    classes = np.array(network.classes, dtype=object)[network.road_class.astype(int)]
    return gpd.GeoDataFrame(
        pd.DataFrame(
            {
                "name": [plain(name) for name in network.names],
                "road_class": [plain(kind) for kind in classes],
                "metres": np.round(network.length, 1),
                "hazard": network.hazard.astype(int),
            }
        ),
        geometry=pieces,
        crs=run.region.crs,
    )


def _multi(shape: Any) -> Any:
    if shape is None or shape.geom_type == "MultiPolygon":
        return shape
    parts = [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon"]
    return shapely.MultiPolygon(parts)


def _rounded(value: float) -> float | None:
    return round(float(value), 1) if np.isfinite(value) else None


def _band_name(run: Run, band: str, lang: str) -> str:
    for known in run.region.bands:
        if known.band == band:
            return plain(known.zh if lang == "zh" else known.en)
    return name_of("band", band, lang)


def _aliases(run: Run, columns: Sequence[str], lang: str) -> dict[str, str]:
    result = {}
    for column in columns:
        for known in run.region.bands:
            if column.startswith(f"{known.band}_"):
                rest = column.removeprefix(f"{known.band}_")
                result[column] = f"{_band_name(run, known.band, lang)} {word(f'g.{rest}', lang)}"
                break
        else:
            if column != "geometry":
                result[column] = word(f"g.{column}", lang)
    return result


def _finish(path: Path, layers: dict[str, gpd.GeoDataFrame | None], run: Run, lang: str) -> None:
    """Add styles, aliases and fixed dates to a finished file."""
    with closing(sqlite3.connect(path)) as base:
        base.execute(
            "CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, "
            "f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256), "
            "f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT, "
            "useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30), "
            "update_time DATETIME DEFAULT CURRENT_TIMESTAMP)"
        )
        base.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, "
            "last_change) VALUES ('layer_styles', 'attributes', 'layer_styles', '', ?)",
            (STAMP,),
        )
        base.execute(
            "CREATE TABLE IF NOT EXISTS gpkg_data_columns (table_name TEXT NOT NULL, "
            "column_name TEXT NOT NULL, name TEXT, title TEXT, description TEXT, mime_type TEXT, "
            "constraint_name TEXT, CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name), "
            "CONSTRAINT gdc_tn UNIQUE (table_name, name))"
        )
        base.execute(
            "INSERT OR IGNORE INTO gpkg_extensions (table_name, column_name, extension_name, "
            "definition, scope) VALUES ('gpkg_data_columns', NULL, 'gpkg_schema', "
            "'http://www.geopackage.org/spec121/#extension_schema', 'read-write')"
        )
        for name, table in layers.items():
            assert table is not None
            aliases = _aliases(run, [str(c) for c in table.columns], lang)
            base.execute(
                "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, "
                "f_geometry_column, styleName, styleQML, styleSLD, useAsDefault, description, "
                "owner, update_time) VALUES ('', '', ?, 'geom', ?, ?, '', 1, ?, '', ?)",
                (name, name, _style(run, name, aliases, lang), word(f"layer.{name}", lang), STAMP),
            )
            for column, alias in aliases.items():
                base.execute(
                    "INSERT OR REPLACE INTO gpkg_data_columns (table_name, column_name, name, "
                    "title) VALUES (?, ?, ?, ?)",
                    (name, column, column, alias),
                )
            base.execute(
                "UPDATE gpkg_contents SET identifier = ?, description = ? WHERE table_name = ?",
                (name, f"{word(f'layer.{name}', lang)} - {word('internal', lang)}", name),
            )
        _tell_origin(base, run)
        base.commit()
    settle_geopackage(path)


def _tell_origin(base: sqlite3.Connection, run: Run) -> None:
    """Say in the file's own metadata what it was made from."""
    base.execute(
        "CREATE TABLE gpkg_metadata (id INTEGER CONSTRAINT m_pk PRIMARY KEY ASC NOT NULL, "
        "md_scope TEXT NOT NULL DEFAULT 'dataset', md_standard_uri TEXT NOT NULL, "
        "mime_type TEXT NOT NULL DEFAULT 'text/xml', metadata TEXT NOT NULL DEFAULT '')"
    )
    base.execute(
        "CREATE TABLE gpkg_metadata_reference (reference_scope TEXT NOT NULL, table_name TEXT, "
        "column_name TEXT, row_id_value INTEGER, timestamp DATETIME NOT NULL, "
        "md_file_id INTEGER NOT NULL, md_parent_id INTEGER, "
        "CONSTRAINT crmr_mfi_fk FOREIGN KEY (md_file_id) REFERENCES gpkg_metadata(id), "
        "CONSTRAINT crmr_mpi_fk FOREIGN KEY (md_parent_id) REFERENCES gpkg_metadata(id))"
    )
    base.execute(
        "INSERT INTO gpkg_metadata (id, md_scope, md_standard_uri, mime_type, metadata) "
        "VALUES (1, 'dataset', 'http://purl.org/dc/terms/provenance', 'text/plain', ?)",
        (origin_of(run),),
    )
    base.execute(
        "INSERT INTO gpkg_metadata_reference (reference_scope, timestamp, md_file_id) "
        "VALUES ('geopackage', ?, 1)",
        (STAMP,),
    )
    base.executemany(
        "INSERT OR IGNORE INTO gpkg_extensions (table_name, column_name, extension_name, "
        "definition, scope) VALUES (?, NULL, 'gpkg_metadata', "
        "'http://www.geopackage.org/spec121/#extension_metadata', 'read-write')",
        [("gpkg_metadata",), ("gpkg_metadata_reference",)],
    )


def _style(run: Run, layer: str, aliases: dict[str, str], lang: str) -> str:
    names = "".join(
        f"<alias field={quoteattr(column)} index={quoteattr(str(k + 1))} name={quoteattr(alias)}/>"
        for k, (column, alias) in enumerate(aliases.items())
    )
    label = {"villages": "village", "schools": "school", "catchments": "", "roads": ""}[layer]
    if layer == "catchments":
        renderer = _catchment_renderer(run, lang)
    else:
        draw = {"villages": _village_renderer, "schools": _school_renderer, "roads": _road_renderer}
        renderer = draw[layer](lang)
    labelling = _labels(label, 8 if layer == "schools" else 6) if label else ""
    switched = "1" if label else "0"
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>"
        f'<qgis version="3.28.0" labelsEnabled="{switched}" '
        'styleCategories="Symbology|Labeling|Fields">'
        f"{renderer}{labelling}<aliases>{names}</aliases></qgis>"
    )


def _labels(field: str, size: int) -> str:
    return (
        '<labeling type="simple"><settings calloutType="simple">'
        f'<text-style fieldName="{field}" fontSize="{size}" fontFamily="Microsoft YaHei" '
        'textColor="20,20,20,255" isExpression="0">'
        '<text-buffer bufferDraw="1" bufferSize="0.8" bufferColor="255,255,255,255"/>'
        '</text-style><placement placement="6" dist="1"/></settings></labeling>'
    )


def _option(name: str, value: str) -> str:
    return f'<Option type="QString" name={quoteattr(name)} value={quoteattr(value)}/>'


def _symbol(kind: str, name: str, layer: str, options: dict[str, str], alpha: str = "1") -> str:
    inner = "".join(_option(key, value) for key, value in options.items())
    return (
        f'<symbol type="{kind}" name="{name}" alpha="{alpha}" clip_to_extent="1" '
        f'force_rhr="0"><layer class="{layer}" enabled="1" locked="0" pass="0">'
        f'<Option type="Map">{inner}</Option></layer></symbol>'
    )


def _marker(name: str, shape: str, fill: str, size: str) -> str:
    return _symbol(
        "marker", name, "SimpleMarker",
        {"name": shape, "color": _rgb(fill), "outline_color": "20,20,20,255",
         "outline_width": "0.2", "size": size, "size_unit": "MM"},
    )  # fmt: skip


def _rgb(colour: str) -> str:
    return ",".join(str(int(colour[k : k + 2], 16)) for k in (1, 3, 5)) + ",255"


def _categorized(field: str, entries: list[tuple[str, str, str]]) -> str:
    categories = "".join(
        f'<category symbol="{k}" value={quoteattr(value)} label={quoteattr(label)} '
        'render="true" type="string"/>'
        for k, (value, label, _) in enumerate(entries)
    )
    symbols = "".join(symbol for _, _, symbol in entries)
    return (
        f'<renderer-v2 type="categorizedSymbol" attr="{field}" symbollevels="0" '
        f'enableorderby="0" forceraster="0"><categories>{categories}</categories>'
        f"<symbols>{symbols}</symbols></renderer-v2>"
    )


def _rules(entries: list[tuple[str, str, str]]) -> str:
    rules = "".join(
        f'<rule key="{{r{k}}}" symbol="{k}" filter={quoteattr(test)} label={quoteattr(label)}/>'
        for k, (test, label, _) in enumerate(entries)
    )
    symbols = "".join(symbol for _, _, symbol in entries)
    return (
        '<renderer-v2 type="RuleRenderer" symbollevels="0" enableorderby="0" forceraster="0">'
        f'<rules key="{{r}}">{rules}</rules><symbols>{symbols}</symbols></renderer-v2>'
    )


def _village_renderer(lang: str) -> str:
    steps = (
        ('"unserved" > 0', word("unserved", lang), "#000000"),
        ('"worst_min" <= 20', "≤ 20 min", "#F5E6A8"),
        ('"worst_min" > 20 AND "worst_min" <= 30', "20-30 min", "#7FB8E0"),
        ('"worst_min" > 30 AND "worst_min" <= 40', "30-40 min", "#C4622D"),
        ('"worst_min" > 40', "> 40 min", "#0B3C6F"),
    )
    entries = []
    for k, (test, label, colour) in enumerate(steps):
        if k:
            test = f'"unserved" = 0 AND {test}'
        entries.append((test, label, _marker(str(k), "circle", colour, "2")))
    entries.append(("ELSE", word("g.none", lang), _marker("5", "circle", "#FFFFFF", "1.4")))
    return _rules(entries)


def _school_renderer(lang: str) -> str:
    shapes = {"kept": "circle", "central": "square", "close": "cross_fill", "downgrade":
              "equilateral_triangle", "build": "star", "reopen": "star", "expand": "pentagon",
              "extend": "pentagon", "closed": "cross_fill", "candidate": "diamond"}  # fmt: skip
    colours = {"kept": "#FFFFFF", "central": "#FFFFFF", "close": "#C00000", "downgrade": "#F2B200",
               "build": "#00A050", "reopen": "#00A050", "expand": "#2E75B6", "extend": "#2E75B6",
               "closed": "#9A9A9A", "candidate": "#DDDDDD"}  # fmt: skip
    entries = [
        (state, word(f"state.{state}", lang), _marker(str(k), shape, colours[state], "3.4"))
        for k, (state, shape) in enumerate(shapes.items())
    ]
    return _categorized("state", entries)


def _catchment_renderer(run: Run, lang: str) -> str:
    """Show one plan, year and band: the layer holds all of them, one upon the other."""
    year, band = read_facts(run).focus, run.problem.bands[0] if run.problem.bands else ""
    chosen = f'"plan" = \'plan\' AND "year" = {year} AND "band" = \'{band}\''
    title = f"{word('plan', lang)} {year} {_band_name(run, band, lang)}"
    entries = []
    for k, colour in enumerate(charts.LADDER):
        style = {"color": _rgb(colour), "style": "solid" if k < 4 else "f_diagonal",
                 "outline_color": "60,60,60,255", "outline_width": "0.3"}  # fmt: skip
        test = f'{chosen} AND "colour" = {k}'
        entries.append(
            (test, f"{title} {k + 1}", _symbol("fill", str(k), "SimpleFill", style, "0.45"))
        )
    return _rules(entries)


def _road_renderer(lang: str) -> str:
    kinds = (
        ("motorway', 'trunk', 'primary", "#404040", "0.7"),
        ("secondary', 'tertiary", "#707070", "0.45"),
    )
    entries = [
        (f"\"road_class\" IN ('{names}')", word("map.road", lang) + f" {k + 1}",
         _symbol("line", str(k), "SimpleLine",
                 {"line_color": _rgb(colour), "line_width": width, "capstyle": "round"}))
        for k, (names, colour, width) in enumerate(kinds)
    ]  # fmt: skip
    rest = _symbol("line", "2", "SimpleLine", {"line_color": _rgb("#9A9A9A"), "line_width": "0.2"})
    entries.append(("ELSE", word("map.road", lang) + " 3", rest))
    return _rules(entries)
