"""Pictures for documents: maps of the county and of a township, and charts of the figures.

Drawn by matplotlib's objects without its global state; the same run gives the same bytes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import shapely
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path
from PIL import Image

from catchment.network.graph import RoadNetwork
from catchment.run import Run
from catchment.views.base_map import BaseMap
from catchment.views.facts import Facts, figure, indicator_name
from catchment.views.plain import plain
from catchment.views.story import mark_of
from catchment.views.words import name_of, word

FONTS = ("Microsoft YaHei", "SimHei", "Noto Sans CJK SC", "WenQuanYi Micro Hei", "DejaVu Sans")
LADDER = ("#0B3C6F", "#C4622D", "#7FB8E0", "#F5E6A8", "#7A7A7A")
"""Four colours told apart by colour-blind readers and in grey, and a fifth that is hatched."""
DPI = 200

_Box = tuple[float, float, float, float]

_STATE_LOOKS: dict[str, tuple[str, str, float]] = {
    # state: marker, fill, size
    "kept": ("o", "#FFFFFF", 26),
    "central": ("s", "#FFFFFF", 40),
    "close": ("X", "#C00000", 46),
    "downgrade": ("v", "#F2B200", 44),
    "build": ("*", "#00A050", 80),
    "reopen": ("*", "#00A050", 80),
    "expand": ("P", "#2E75B6", 46),
    "extend": ("P", "#2E75B6", 46),
}


STATES = tuple(_STATE_LOOKS)
"""States of a site under the plan, in the order of a legend."""


@dataclass(frozen=True)
class Window:
    """Part of the county that a map shows.

    Attributes
    ----------
    box : tuple of float
        West, south, east and north in metres.
    township : str
        Township whose villages are labelled; empty for the whole county.
    plan : {"plan", "today"}
        The plan in its focus year, or today in the first year.
    base : BaseMap, optional
        Picture below everything.
    named : frozenset of str
        Sites that are named whatever their state.
    """

    box: _Box
    township: str = ""
    plan: str = "plan"
    base: BaseMap | None = None
    named: frozenset[str] = frozenset()


def county_map(
    run: Run, facts: Facts, *, lang: str, plan: str = "plan", base: BaseMap | None = None
) -> bytes:
    """Draw the county: roads, catchments of the lowest band, schools.

    Parameters
    ----------
    run : Run
        A finished run.
    facts : Facts
        Its tables.
    lang : {"zh", "en"}
        Language of the words.
    plan : {"plan", "today"}
        The plan in its focus year, or today in the first year.
    base : BaseMap, optional
        A picture in the county's metric system, drawn below everything, instead of the roads.

    Returns
    -------
    bytes
        PNG, 156 mm wide at 200 dots per inch.
    """
    window = Window(_extent(run, facts), plan=plan, base=base)
    return _map(run, facts, window, lang, (6.14, 5.1), DPI)


def township_map(
    run: Run, facts: Facts, township: str, *, lang: str, base: BaseMap | None = None
) -> bytes:
    """Draw one township in the plan's focus year, its villages and schools by name.

    Parameters
    ----------
    run : Run
        A finished run.
    facts : Facts
        Its tables.
    township : str
        Name of the township.
    lang : {"zh", "en"}
        Language of the words.
    base : BaseMap, optional
        The user's own base map, in the county's metric system, under the maps.

    Returns
    -------
    bytes
        PNG, 156 mm wide at 200 dots per inch.
    """
    here = facts.villages[facts.villages["township"] == township]
    schools = facts.sites[facts.sites["township"] == township]
    box = _box(np.r_[here["x"], schools["x"]], np.r_[here["y"], schools["y"]])
    return _map(run, facts, Window(box, township, base=base), lang, (6.14, 4.4), DPI)


def area_map(
    run: Run, facts: Facts, codes: Sequence[str], *, lang: str, base: BaseMap | None = None
) -> bytes:
    """Draw the schools of an area and the villages that go to them in the plan's focus year.

    Parameters
    ----------
    run : Run
        A finished run.
    facts : Facts
        Its tables.
    codes : sequence of str
        Sites of the area.
    lang : {"zh", "en"}
        Language of the words.
    base : BaseMap, optional
        The user's own base map, in the county's metric system, under the maps.

    Returns
    -------
    bytes
        PNG, 156 mm wide at 200 dots per inch.
    """
    sites = facts.sites[facts.sites["site_id"].isin(codes)]
    # Junior schools draw from half the county: the area is where its primary pupils live.
    first = run.problem.bands[0] if run.problem.bands else ""
    trips = facts.trips
    mine = trips[
        trips["site_id"].isin(codes) & (trips["plan"] == "plan") & (trips["year"] == facts.focus)
        & (trips["band"] == first)
    ]["village_id"]  # fmt: skip
    here = facts.villages[facts.villages["village_id"].isin(set(mine))]
    box = _box(np.r_[here["x"], sites["x"]], np.r_[here["y"], sites["y"]])
    return _map(run, facts, Window(box, base=base, named=frozenset(codes)), lang, (6.14, 4.0), DPI)


def school_map(
    run: Run,
    facts: Facts,
    code: str,
    *,
    lang: str,
    trips: pd.DataFrame | None = None,
    base: BaseMap | None = None,
) -> bytes:
    """Draw one school with the villages that come to it now and under the plan.

    Parameters
    ----------
    run : Run
        A finished run.
    facts : Facts
        Its tables.
    code : str
        Id of the site.
    lang : {"zh", "en"}
        Language of the words.
    trips : DataFrame, optional
        Rows of ``Facts.trips`` of this site with students, where they are at hand.
    base : BaseMap, optional
        The user's own base map, in the county's metric system, under the maps.

    Returns
    -------
    bytes
        PNG, 156 mm wide at 200 dots per inch: roads, a line from the school to every village
        that comes in the focus year (broken where it comes today and will not).
    """
    site = facts.sites[facts.sites["site_id"] == code].iloc[0]
    if trips is None:
        trips = facts.trips[(facts.trips["site_id"] == code) & (facts.trips["students"] > 0)]
    after = trips[(trips["plan"] == "plan") & (trips["year"] == facts.focus)]["village_id"]
    before = trips[(trips["plan"] == "today") & (trips["year"] == facts.first)]["village_id"]
    mine = facts.villages[facts.villages["village_id"].isin({*after, *before})]
    inches = (6.14, 1.5)
    paper = Figure(figsize=inches, dpi=DPI)
    canvas = FigureCanvasAgg(paper)
    axes = paper.add_axes((0.005, 0.01, 0.99, 0.98))
    axes.set_xticks([])
    axes.set_yticks([])
    west, south, east, north = _box(np.r_[mine["x"], site["x"]], np.r_[mine["y"], site["y"]])
    # Scale bar and review number stand below the lowest village, names above the highest.
    room = (north - south) * 0.2
    box = _fit(
        (west, south - 1.3 * room, east, north + 0.7 * room), inches[0] * 0.99 / (inches[1] * 0.98)
    )
    axes.set_xlim(box[0], box[2])
    axes.set_ylim(box[1], box[3])
    axes.set_autoscale_on(False)
    if base is None:
        _draw_roads(axes, run, box)
    else:
        _draw_base(axes, base, box, lang)
    spot, come = (float(site["x"]), float(site["y"])), set(after)
    for style, colour, chosen in (
        ("-", LADDER[0], mine["village_id"].isin(come)),
        ((0, (3, 2)), LADDER[1], ~mine["village_id"].isin(come)),
    ):
        ends = mine.loc[chosen, ["x", "y"]].to_numpy(float)
        lines = [(spot, (x, y)) for x, y in ends.tolist()]
        if lines:
            axes.add_collection(
                LineCollection(lines, colors=colour, linestyles=[style], linewidths=0.9, zorder=4)
            )
    axes.scatter(mine["x"], mine["y"], s=9, c="#222222", linewidths=0, zorder=5)
    axes.scatter([spot[0]], [spot[1]], s=46, c="#FFFFFF", marker="s", edgecolors="#111111",
                 linewidths=0.9, zorder=6)  # fmt: skip
    step, taken = (box[3] - box[1]) / 16, list[_Box]()
    _place_label(axes, spot, site["name"], 7.0, box, step, taken, bold=True)
    for row in mine.head(40).to_dict("records"):
        _place_label(axes, (row["x"], row["y"]), row["name"], 5.5, box, step, taken, bold=False)
    _furniture(axes, box, lang, run)
    return png_bytes(canvas, DPI)


def minutes_chart(run: Run, facts: Facts, *, lang: str) -> bytes:
    """Draw how many students travel how long in the focus year, today's arrangement and the plan.

    Parameters
    ----------
    run : Run
        A finished run.
    facts : Facts
        Its tables.
    lang : {"zh", "en"}
        Language of the words.

    Returns
    -------
    bytes
        PNG with one panel a band.
    """
    edges = np.array([10.0, 20.0, 30.0, 40.0, 60.0])
    names = ["≤10", "–20", "–30", "–40", "–60", ">60"]
    bands = [b for b in run.problem.bands if _has_students(facts, b)]
    canvas, panels = _panels(max(len(bands), 1), 2.3, 0.32)
    trips = facts.trips[(facts.trips["year"] == facts.focus) & (facts.trips["students"] > 0)]
    for axes, band in zip(panels, bands, strict=False):
        for k, (plan, colour) in enumerate((("today", LADDER[2]), ("plan", LADDER[0]))):
            rows = trips[(trips["plan"] == plan) & (trips["band"] == band)].dropna(
                subset=["minutes"]
            )
            # A trip of exactly the limit belongs below it, so the upper edge is inside.
            where = np.searchsorted(edges, rows["minutes"].to_numpy(float), side="left")
            count = np.bincount(where, rows["students"].to_numpy(float), len(names))
            spots = np.arange(len(names)) + (k - 0.5) * 0.4
            axes.bar(spots, count, 0.4, color=colour, edgecolor="#333333", linewidth=0.4)
        _label_axes(
            axes, _band_name(run, band, lang), word("chart.minutes", lang),
            word("chart.students", lang), names,
        )  # fmt: skip
    handles = [
        Patch(facecolor=LADDER[2], edgecolor="#333333", label=drawable(word("today_kept", lang))),
        Patch(facecolor=LADDER[0], edgecolor="#333333", label=drawable(word("plan", lang))),
    ]
    canvas.figure.legend(
        handles=handles, loc="lower center", ncols=2, frameon=False, prop=typeface(8)
    )
    sign(canvas.figure, mark_of((run.provenance,), lang))
    return png_bytes(canvas, DPI)


def years_chart(run: Run, facts: Facts, *, lang: str, plan: str = "plan") -> bytes:
    """Draw students, places and classes over the standard by year.

    Parameters
    ----------
    run : Run
        A finished run.
    facts : Facts
        Its tables.
    lang : {"zh", "en"}
        Language of the words.
    plan : {"plan", "today"}
        The plan, or today's arrangement kept.

    Returns
    -------
    bytes
        PNG with two panels.
    """
    canvas, panels = _panels(2, 2.2, 0.25)
    years = list(run.problem.years)
    spots = np.arange(len(years))
    for name, colour, style in (("students", LADDER[0], "o-"), ("places", LADDER[1], "s--")):
        values = [figure(facts, name, year, plan) for year in years]
        axis = np.array([np.nan if v is None else v for v in values], dtype=float)
        panels[0].plot(spots, axis, style, color=colour, linewidth=1.2, markersize=3.5,
                       label=drawable(indicator_name(name, lang)))  # fmt: skip
    panels[0].set_ylim(bottom=0)
    panels[0].legend(frameon=False, prop=typeface(7), loc="lower left")
    for k, (name, colour) in enumerate(
        (("over_standard_classes", LADDER[2]), ("large_classes", LADDER[1]))
    ):
        heights = [figure(facts, name, year, plan) or 0.0 for year in years]
        panels[1].bar(spots + (k - 0.5) * 0.4, heights, 0.4, color=colour, edgecolor="#333333",
                      linewidth=0.4, label=drawable(indicator_name(name, lang)))  # fmt: skip
    # Room above the bars for the legend.
    panels[1].set_ylim(bottom=0, top=max(panels[1].get_ylim()[1] * 1.35, 1.0))
    panels[1].legend(frameon=False, prop=typeface(7), loc="upper right", ncols=2, columnspacing=1.0)
    labels = [str(year) for year in years]
    for axes, title in zip(panels, ("chart.places", "chart.classes"), strict=True):
        _label_axes(axes, word(title, lang), word("year", lang), "", labels)
    sign(canvas.figure, mark_of((run.provenance,), lang))
    return png_bytes(canvas, DPI)


def _map(
    run: Run, facts: Facts, window: Window, lang: str, inches: tuple[float, float], dpi: int
) -> bytes:
    paper = Figure(figsize=inches, dpi=dpi)
    canvas = FigureCanvasAgg(paper)
    axes = paper.add_axes((0.005, 0.095, 0.99, 0.9))
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    # The window takes the shape of the picture, so that nothing is squeezed and nothing is blank.
    box = _fit(window.box, inches[0] * 0.99 / (inches[1] * 0.9))
    axes.set_xlim(box[0], box[2])
    axes.set_ylim(box[1], box[3])
    axes.set_autoscale_on(False)
    _draw_catchments(axes, run, facts, window.plan)
    taken = _draw_boundaries(axes, run, window, box)
    if window.base is None:
        _draw_roads(axes, run, box)
    else:
        _draw_base(axes, window.base, box, lang)
    states = _draw_places(axes, run, facts, window, box, taken)
    _furniture(axes, box, lang, run)
    handles = _legend(states, lang, villages=True, roads=window.base is None)
    paper.legend(
        handles=handles, loc="lower center", ncols=min(len(handles), 5), frameon=False,
        prop=typeface(7), handletextpad=0.4, columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip
    return png_bytes(canvas, dpi)


def _draw_catchments(axes: Axes, run: Run, facts: Facts, plan: str) -> None:
    table = run.catchments
    needed = {"plan", "site_id", "band", "year", "colour", "geometry"}
    if len(table) == 0 or not needed <= set(table.columns):
        return
    year = facts.focus if plan == "plan" else facts.first
    chosen = table[(table["plan"] == plan) & (table["year"] == year)]
    bands = [b for b in run.problem.bands if (chosen["band"] == b).any()]
    if not bands:
        return
    chosen = chosen[chosen["band"] == bands[0]].sort_values("site_id", kind="stable")
    some = [s is not None and not s.is_empty for s in chosen["geometry"]]
    shapes, colours = list(chosen["geometry"][some]), chosen["colour"][some].tolist()
    for number, colour in enumerate(LADDER):
        rings: list[np.ndarray[Any, Any]] = []
        for shape, mine in zip(shapes, colours, strict=True):
            if mine % len(LADDER) == number:
                parts = shapely.get_parts(shape)
                rings += [np.asarray(p.exterior.coords)[:, :2] for p in parts
                          if p.geom_type == "Polygon"]  # fmt: skip
        if rings:
            axes.add_collection(
                PolyCollection(
                    rings, facecolors=colour, edgecolors="#444444", linewidths=0.5, alpha=0.38,
                    hatch="////" if number == 4 else None, zorder=1,
                )
            )  # fmt: skip


def _draw_boundaries(axes: Axes, run: Run, window: Window, box: _Box) -> list[_Box]:
    """Draw boundaries and the names of townships; tell where the names stand."""
    table, taken = run.region.boundaries, list[_Box]()
    if len(table) == 0 or "geometry" not in table.columns:
        return taken
    looks = {"county": (1.2, "#333333", "-"), "township": (0.7, "#555555", (0, (4, 2)))}
    for row in table.sort_values("boundary_id", kind="stable").to_dict("records"):
        shape, look = row["geometry"], looks.get(str(row.get("kind")))
        if look is None or shape is None or shape.is_empty:
            continue
        if window.township and plain(row.get("name")) == window.township:
            look = (1.8, "#222222", "-")
        edge = shape.boundary
        lines = [np.asarray(p.coords)[:, :2] for p in shapely.get_parts(edge)]
        axes.add_collection(
            LineCollection(
                lines, linewidths=look[0], colors=look[1], linestyles=[look[2]], zorder=2
            )
        )
        spot = shape.representative_point()
        if not window.township and row["kind"] == "township" and _inside(spot.x, spot.y, box):
            step = (box[3] - box[1]) / 45
            _place_label(axes, (spot.x, spot.y), row.get("name"), 7.0, box, step, taken, bold=True)
    return taken


def _draw_base(axes: Axes, base: BaseMap, box: _Box, lang: str) -> None:
    """Lay the user's picture below everything, with the number it was reviewed under."""
    west, south, east, north = base.box
    high, wide = base.picture.shape[:2]
    # Only what is seen is resampled: a book draws a hundred small windows of one large picture.
    across, down = (east - west) / wide, (north - south) / high
    left, right = (
        min(max(math.floor((box[0] - west) / across) - 1, 0), wide),
        min(max(math.ceil((box[2] - west) / across) + 1, 0), wide),
    )
    top, bottom = (
        min(max(math.floor((north - box[3]) / down) - 1, 0), high),
        min(max(math.ceil((north - box[1]) / down) + 1, 0), high),
    )
    if left < right and top < bottom:
        axes.imshow(
            base.picture[top:bottom, left:right],
            extent=(
                west + left * across, west + right * across,
                north - bottom * down, north - top * down,
            ),
            aspect="equal", zorder=0,
        )  # fmt: skip
    if base.number:
        axes.text(
            0.99, 0.075, drawable(word("map.base", lang, number=base.number)), ha="right",
            va="bottom", transform=axes.transAxes, fontproperties=typeface(5.5), color="#444444",
            zorder=9, parse_math=False,
        )  # fmt: skip


def _draw_roads(axes: Axes, run: Run, box: _Box) -> None:
    network = run.network
    if len(network.length) == 0:
        return
    rank = np.array([_rank(name) for name in network.classes], dtype=np.int64)[network.road_class]
    # A segment is drawn where one of its ends lies in the window or a fifth of it beyond.
    wide, high = (box[2] - box[0]) * 0.2, (box[3] - box[1]) * 0.2
    x, y = network.x[network.tail], network.y[network.tail]
    near = (x > box[0] - wide) & (x < box[2] + wide) & (y > box[1] - high) & (y < box[3] + high)
    for kind, width, colour in ((0, 0.25, "#9A9A9A"), (1, 0.6, "#707070"), (2, 1.0, "#404040")):
        chosen = np.flatnonzero(near & (rank == kind))
        if len(chosen):
            # One path of many pieces: a county has more segments than matplotlib likes objects, and
            # add_patch would look for the limits of each piece.
            axes.add_artist(
                PathPatch(
                    _joined(network, chosen), fill=False, linewidth=width, edgecolor=colour,
                    joinstyle="round", zorder=3,
                )
            )  # fmt: skip


def _joined(network: RoadNetwork, chosen: np.ndarray[Any, Any]) -> Path:
    """Lay segments of the road network one behind the other in one path."""
    first, count = network.offsets[chosen], np.diff(network.offsets)[chosen]
    chosen, first, count = (values[count > 0] for values in (chosen, first, count))
    starts = np.cumsum(count) - count
    rows = np.repeat(first - starts, count) + np.arange(int(count.sum()))
    codes = np.full(len(rows), Path.LINETO, dtype=Path.code_type)
    codes[starts] = Path.MOVETO
    return Path(network.shape[rows], codes)


def _rank(road_class: str) -> int:
    name = road_class.removesuffix("_link")
    if name in ("motorway", "trunk", "primary"):
        return 2
    return 1 if name in ("secondary", "tertiary") else 0


def site_states(run: Run, facts: Facts) -> dict[str, str]:
    """State of each site in the plan's focus year.

    Parameters
    ----------
    run : Run
        A finished run.
    facts : Facts
        Its tables.

    Returns
    -------
    dict
        Site id to ``kept``, ``central``, ``close``, ``downgrade``, ``build``, ``reopen``,
        ``expand`` or ``extend``; sites that are closed before and after are left out.
    """
    changed = {
        row["site_id"]: row["kind"]
        for row in facts.changes.to_dict("records")
        if row["kind"] in _STATE_LOOKS
    }
    # A school that is expanded and later closed ends closed; the changes are in order of year.
    states = {}
    roles = dict(zip(facts.sites["site_id"], facts.sites["role"], strict=True))
    for j, code in enumerate(run.problem.site_ids):
        if code in changed:
            states[code] = changed[code]
        elif run.plan.open[j].any():
            main = roles.get(code) in ("central", "nine_year", "junior")
            states[code] = "central" if main else "kept"
    return states


def _states_today(run: Run, facts: Facts) -> dict[str, str]:
    main = facts.sites["role"].isin(["central", "nine_year", "junior"])
    opened: list[bool] = np.asarray(run.problem.today_open, dtype=bool).max(axis=1).tolist()
    return {
        code: "central" if central else "kept"
        for code, central, now in zip(facts.sites["site_id"], main, opened, strict=True)
        if now
    }


def _draw_places(
    axes: Axes, run: Run, facts: Facts, window: Window, box: _Box, taken: list[_Box]
) -> list[str]:
    villages = facts.villages.dropna(subset=["x", "y"])
    size = 7 if window.township else 2
    axes.scatter(villages["x"], villages["y"], s=size, c="#222222", linewidths=0, zorder=4)
    states = site_states(run, facts) if window.plan == "plan" else _states_today(run, facts)
    sites = facts.sites.dropna(subset=["x", "y"])
    seen = []
    for state, (marker, fill, area) in _STATE_LOOKS.items():
        mine = sites[sites["site_id"].map(states) == state]
        inside = [_inside(x, y, box) for x, y in zip(mine["x"], mine["y"], strict=True)]
        mine = mine[inside]
        if mine.empty:
            continue
        seen.append(state)
        axes.scatter(mine["x"], mine["y"], s=area, c=fill, marker=marker, edgecolors="#111111",
                     linewidths=0.6, zorder=6)  # fmt: skip
    step = (box[3] - box[1]) / 45
    named = [
        (row["x"], row["y"], row["name"], 6.0 if window.township else 5.2, True)
        for row in sites.to_dict("records")
        if states.get(row["site_id"])
        and (
            window.township
            or row["site_id"] in window.named
            or (not window.named and states[row["site_id"]] != "kept")
        )
    ]
    if window.township:
        own = villages[villages["township"] == window.township]
        named += [(r["x"], r["y"], r["name"], 5.0, False) for r in own.to_dict("records")]
    for x, y, name, points, bold in named:
        if _inside(x, y, box):
            _place_label(axes, (x, y), name, points, box, step, taken, bold=bold)
    return seen


def _place_label(
    axes: Axes,
    spot: tuple[float, float],
    name: Any,
    points: float,
    box: _Box,
    step: float,
    taken: list[_Box],
    *,
    bold: bool,
) -> None:
    """Put a name above, below, right or left of its point, or leave it out where none is free."""
    text = plain(name, longest=14)
    height = step * points / 5.5
    width = height * sum(1.0 if ord(c) > 0x2000 else 0.55 for c in text)
    for dx, dy in ((0.0, 1.0), (0.0, -1.0), (1.0, 0.0), (-1.0, 0.0)):
        x = spot[0] + dx * (width / 2 + height * 0.6)
        y = spot[1] + dy * height * 1.05
        area = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        free = all(area[2] < t[0] or area[0] > t[2] or area[3] < t[1] or area[1] > t[3]
                   for t in taken)  # fmt: skip
        if free and box[0] < area[0] and area[2] < box[2] and box[1] < area[1] and area[3] < box[3]:
            taken.append(area)
            _label(axes, x, y, text, points, "#111111", bold=bold)
            return


def _label(
    axes: Axes, x: float, y: float, name: Any, points: float, colour: str, *, bold: bool = False,
    longest: int = 24,
) -> None:  # fmt: skip
    font = typeface(points)
    label = axes.text(
        x, y, drawable(plain(name, longest=longest)), fontproperties=font, color=colour, ha="center",
        va="center", zorder=8, parse_math=False, clip_on=True,
    )  # fmt: skip
    if bold:
        label.set_bbox({"facecolor": "white", "alpha": 0.65, "pad": 0.6, "linewidth": 0})


def sign(paper: Figure, text: str) -> None:
    """Write the review number, or the note that it is internal, in the corner of a picture.

    Parameters
    ----------
    paper : Figure
        The picture.
    text : str
        What :func:`catchment.views.story.mark_of` says.
    """
    paper.text(
        0.995, 0.008, drawable(text), ha="right", va="bottom", fontproperties=typeface(6),
        color="#9C1C10", parse_math=False,
    )  # fmt: skip


def _furniture(axes: Axes, box: _Box, lang: str, run: Run) -> None:
    """Scale bar, north arrow and the review number, or the note that the picture is internal."""
    width, height = box[2] - box[0], box[3] - box[1]
    step = next(
        s for s in (100_000, 50_000, 20_000, 10_000, 5_000, 2_000, 1_000, 500, 200, 100, 1)
        if s <= width / 5 or s == 1
    )  # fmt: skip
    x, y = box[0] + width * 0.03, box[1] + height * 0.035
    axes.add_collection(
        LineCollection(
            [[(x, y), (x + step, y)], [(x, y), (x, y + height * 0.012)],
             [(x + step, y), (x + step, y + height * 0.012)]],
            colors="black", linewidths=1.2, zorder=9,
        )
    )  # fmt: skip
    text = f"{step // 1000} km" if step >= 1000 else f"{step} m"
    _label(axes, x + step / 2, y + height * 0.025, text, 6.5, "black", bold=True)
    axes.annotate(
        "N", (box[0] + width * 0.96, box[1] + height * 0.97),
        (box[0] + width * 0.96, box[1] + height * 0.88), ha="center", va="center",
        fontproperties=typeface(8), arrowprops={"arrowstyle": "->", "linewidth": 1.0}, zorder=9,
        parse_math=False,
    )  # fmt: skip
    _label(
        axes,
        box[0] + width * 0.72,
        y,
        mark_of((run.provenance,), lang),
        6.5,
        "#9C1C10",
        bold=True,
        longest=90,
    )


def _legend(states: list[str], lang: str, *, villages: bool, roads: bool) -> list[Any]:
    handles: list[Any] = [
        Line2D([], [], linestyle="", marker=_STATE_LOOKS[state][0], markersize=6,
               markerfacecolor=_STATE_LOOKS[state][1], markeredgecolor="#111111",
               label=drawable(word(f"state.{state}", lang)))
        for state in states
    ]  # fmt: skip
    if villages:
        handles.append(Line2D([], [], linestyle="", marker="o", markersize=2.5, color="#222222",
                              label=drawable(word("village", lang))))  # fmt: skip
    handles.append(
        Patch(facecolor=LADDER[2], alpha=0.5, edgecolor="#444444",
              label=drawable(word("map.catchment", lang)))
    )  # fmt: skip
    if roads:
        handles.append(
            Line2D([], [], color="#505050", linewidth=1, label=drawable(word("map.road", lang)))
        )
    return handles


def _panels(count: int, height: float, below: float) -> tuple[FigureCanvasAgg, list[Axes]]:
    paper = Figure(figsize=(6.14, height), dpi=DPI)
    canvas = FigureCanvasAgg(paper)
    panels = []
    for k in range(count):
        left = 0.09 + k * 0.9 / count
        panels.append(paper.add_axes((left, below, 0.9 / count - 0.075, 0.88 - below)))
    return canvas, panels


def _label_axes(axes: Axes, title: str, across: str, up: str, labels: list[str]) -> None:
    axes.set_title(drawable(title), fontproperties=typeface(8.5))
    axes.set_xlabel(drawable(across), fontproperties=typeface(7))
    axes.set_ylabel(drawable(up), fontproperties=typeface(7))
    every = max(1, -(-len(labels) // 7))
    axes.set_xticks(list(range(0, len(labels), every)), labels[::every])
    for tick in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
        tick.set_fontproperties(typeface(6.5))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", linewidth=0.3, color="#BBBBBB")
    axes.set_axisbelow(True)


def _has_students(facts: Facts, band: str) -> bool:
    trips = facts.trips
    return bool(((trips["band"] == band) & (trips["students"] > 0)).any())


def _band_name(run: Run, band: str, lang: str) -> str:
    for known in run.region.bands:
        if known.band == band:
            return known.zh if lang == "zh" else known.en
    return name_of("band", band, lang)


def _extent(run: Run, facts: Facts) -> _Box:
    return _box(
        np.r_[facts.villages["x"], facts.sites["x"]], np.r_[facts.villages["y"], facts.sites["y"]]
    )


def _box(x: Any, y: Any) -> _Box:
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    x, y = x[np.isfinite(x)], y[np.isfinite(y)]
    if len(x) == 0:
        return (0.0, 0.0, 1000.0, 1000.0)
    margin = max(float(np.ptp(x)), float(np.ptp(y)), 1000.0) * 0.06
    return (x.min() - margin, y.min() - margin, x.max() + margin, y.max() + margin)


def _fit(box: _Box, ratio: float) -> _Box:
    width, height = box[2] - box[0], box[3] - box[1]
    wide, high = max(width, height * ratio), max(height, width / ratio)
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)


def _inside(x: float, y: float, box: _Box, slack: float = 0.0) -> bool:
    more_x, more_y = (box[2] - box[0]) * slack, (box[3] - box[1]) * slack
    return bool(box[0] - more_x <= x <= box[2] + more_x and box[1] - more_y <= y <= box[3] + more_y)


@cache
def _families() -> tuple[str, ...]:
    known = set(font_manager.get_font_names())
    return tuple(name for name in FONTS if name in known) or ("DejaVu Sans",)


def typeface(points: float) -> FontProperties:
    """Choose the fonts of this machine that have Chinese characters.

    Parameters
    ----------
    points : float
        Size.

    Returns
    -------
    FontProperties
        For matplotlib.
    """
    return FontProperties(family=list(_families()), size=points)


@cache
def _faces() -> tuple[FT2Font, ...]:
    found = [font_manager.findfont(FontProperties(family=[name])) for name in _families()]
    return tuple(font_manager.get_font(path) for path in found)


@cache
def _known(character: str) -> bool:
    return any(face.get_char_index(ord(character)) for face in _faces())


def drawable(text: str) -> str:
    """Replace characters that no font here has, so that nothing is lost without a sign.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        Plain text with question marks for what cannot be drawn.
    """
    return "".join(c if _known(c) else "?" for c in plain(text))


def png_bytes(canvas: FigureCanvasAgg, dpi: int) -> bytes:
    """Save with a palette of 256 colours: a third of the size, no difference to be seen.

    Parameters
    ----------
    canvas : FigureCanvasAgg
        The drawing.
    dpi : int
        Dots per inch.

    Returns
    -------
    bytes
        PNG; equal drawings give equal bytes.
    """
    raw, out = io.BytesIO(), io.BytesIO()
    canvas.figure.savefig(raw, format="rgba", dpi=dpi)
    size = canvas.get_width_height()
    picture = Image.frombytes("RGBA", size, raw.getvalue()).convert("RGB")
    flat = picture.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    flat.save(out, "PNG", dpi=(dpi, dpi))
    return out.getvalue()
