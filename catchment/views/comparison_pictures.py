"""Pictures of a comparison: maps side by side with one legend, and the frontier of the runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyogrio
import shapely
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from catchment.views.charts import DPI, LADDER, drawable, png_bytes, sign, typeface
from catchment.views.plain import plain
from catchment.views.words import word

STEPS = (20.0, 30.0, 40.0)
_COLOURS = (LADDER[3], LADDER[2], LADDER[1], LADDER[0])
_LEFT_OUT = "#000000"
_LOOKS = {
    # state: marker, fill, size
    "kept": ("s", "#FFFFFF", 12.0), "less": ("v", "#F2B200", 24.0),
    "close": ("X", "#C00000", 26.0), "new": ("*", "#00A050", 44.0),
}  # fmt: skip

_Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Panel:
    """One map.

    Attributes
    ----------
    title : str
        Words above it.
    villages : (n, 2) float64
        Positions in metres.
    minutes : (n,) float64
        Longest one-way trip of each village over its bands; nan where it has no school.
    schools : dict of str to (k, 2) float64
        Positions by state: ``kept``, ``less``, ``close`` or ``new``.
    edges : list of (k, 2) float64
        Borders of the catchments of the lowest band.
    """

    title: str
    villages: _Points
    minutes: _Points
    schools: dict[str, _Points]
    edges: list[_Points]


def panel(
    folder: Path, record: dict[str, Any], title: str, year: int, *, today: bool = False
) -> Panel:
    """Read what one map shows.

    Parameters
    ----------
    folder : Path
        Folder of a run, with its ``plan.gpkg``.
    record : dict
        Its ``run.json``.
    title : str
        Words above the map.
    year : int
        School year.
    today : bool
        Whether today's arrangement is shown instead of the plan.

    Returns
    -------
    Panel
        Plain arrays.
    """
    path = folder / "plan.gpkg"
    villages = pyogrio.read_dataframe(path, layer="villages", columns=["village_id"])
    schools = pyogrio.read_dataframe(path, layer="schools", columns=["school_id"])
    worst: dict[str, float] = {}
    key = "today_minutes" if today else "minutes"
    for each in record["assignment"]:
        code, minutes = str(each["village"]), each.get(key, {}).get(str(year))
        if minutes is not None:
            worst[code] = max(worst.get(code, 0.0), float(minutes))
    for each in () if today else shares_of(record, year):
        trip = longest_of(each["schools"])
        if trip is not None:
            worst[str(each["village"])] = max(worst.get(str(each["village"]), 0.0), trip)
    states = {str(s["id"]): _state(s, year, today=today) for s in record["sites"]}
    spots = shapely.get_coordinates(schools.geometry.to_numpy())
    known = np.array([states.get(str(code), "") for code in schools["school_id"]], dtype=object)
    return Panel(
        title=title,
        villages=shapely.get_coordinates(villages.geometry.to_numpy()),
        minutes=np.array([worst.get(str(c), np.nan) for c in villages["village_id"]]),
        schools={state: spots[known == state] for state in _LOOKS},
        edges=_edges(path, record, year, today=today),
    )


def shares_of(record: dict[str, Any], year: int) -> list[dict[str, Any]]:
    """Village-bands whose children go to several schools in a year.

    Parameters
    ----------
    record : dict
        ``run.json`` of a run.
    year : int
        School year.

    Returns
    -------
    list of dict
        ``village``, ``band``, ``schools``; empty where every village goes to one school.
    """
    return [each for each in record.get("shares", ()) if each["year"] == year]


def longest_of(schools: Sequence[dict[str, Any]]) -> float | None:
    """Longest trip of the children of a village that several schools share.

    Parameters
    ----------
    schools : sequence of dict
        ``students`` and ``minutes`` by school.

    Returns
    -------
    float or None
        Minutes one way; None where nobody travels.
    """
    known = [
        float(each["minutes"])
        for each in schools
        if each["students"] and each["minutes"] is not None
    ]
    return max(known, default=None)


def _edges(path: Path, record: dict[str, Any], year: int, *, today: bool) -> list[_Points]:
    layers = {str(name) for name in pyogrio.list_layers(path)[:, 0]}
    if "catchments" not in layers or not record["bands"]:
        return []
    # Today's catchments are kept for one year only: they stand for all.
    table = pyogrio.read_dataframe(
        path, layer="catchments", columns=["plan", "year", "band"],
        where=f"plan = '{'today' if today else 'plan'}'",
    )  # fmt: skip
    table = table[table["band"] == record["bands"][0]]
    if (table["year"] == year).any():
        table = table[table["year"] == year]
    elif len(table):
        table = table[table["year"] == table["year"].max()]
    shapes = [s for s in table.geometry if s is not None and not s.is_empty]
    lines = shapely.get_parts(shapely.boundary(np.array(shapes, dtype=object)))
    return [np.asarray(line.coords)[:, :2] for line in lines]


def _state(site: dict[str, Any], year: int, *, today: bool) -> str:
    before = set(site["today"])
    now = before if today else set(site["open"][str(year)])
    if now and not before:
        return "new"
    if before and not now:
        return "close"
    if before - now:
        return "less"
    return "kept" if now else ""


def side_by_side(panels: Sequence[Panel], lang: str, mark: str) -> bytes:
    """Draw maps side by side, with one window and one legend.

    Parameters
    ----------
    panels : sequence of Panel
        One or more maps.
    lang : {"zh", "en"}
        Language of the words.
    mark : str
        Review numbers, or the note that the picture is internal.

    Returns
    -------
    bytes
        PNG, 156 mm wide at 200 dots per inch.
    """
    across = 2 if len(panels) <= 4 else 3
    down = -(-len(panels) // across)
    box = _window(panels)
    ratio = min(max((box[3] - box[1]) / (box[2] - box[0]), 0.6), 1.4)
    wide = 6.14 / across
    high = wide * ratio + 0.24
    foot = 0.62
    total = down * high + foot
    paper = Figure(figsize=(6.14, total), dpi=DPI)
    canvas = FigureCanvasAgg(paper)
    for k, each in enumerate(panels):
        row, column = divmod(k, across)
        bottom = (foot + (down - 1 - row) * high) / total
        axes = paper.add_axes(
            (column / across + 0.006, bottom, 1 / across - 0.012, wide * ratio / total)
        )
        # What a third of the width has room for, wide characters counted twice.
        _draw(axes, each, box, mark, 44 if across == 2 else 26)
    paper.legend(
        handles=_legend(lang), loc="lower center", ncols=5, frameon=False, prop=typeface(7),
        handletextpad=0.4, columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip
    return png_bytes(canvas, DPI)


def _window(panels: Sequence[Panel]) -> tuple[float, float, float, float]:
    spots = np.concatenate(
        [p.villages for p in panels] + [s for p in panels for s in p.schools.values()]
    )
    spots = spots[np.isfinite(spots).all(axis=1)]
    if not len(spots):
        return (0.0, 0.0, 1.0, 1.0)
    low, high = spots.min(axis=0), spots.max(axis=0)
    edge = max(float((high - low).max()), 1000.0) * 0.05
    return (low[0] - edge, low[1] - edge, high[0] + edge, high[1] + edge)


def _draw(
    axes: Axes, each: Panel, box: tuple[float, float, float, float], mark: str, room: int
) -> None:
    axes.set_xlim(box[0], box[2])
    axes.set_ylim(box[1], box[3])
    axes.set_aspect("equal", adjustable="box")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(
        drawable(_cut(plain(each.title, longest=60), room)), fontproperties=typeface(7.5), pad=3,
        parse_math=False,
    )  # fmt: skip
    if each.edges:
        axes.add_collection(LineCollection(each.edges, colors="#8A8A8A", linewidths=0.4, zorder=1))
    lost = np.isnan(each.minutes)
    step = np.searchsorted(np.array(STEPS), np.nan_to_num(each.minutes), side="left")
    for k, colour in enumerate(_COLOURS):
        mine = each.villages[(step == k) & ~lost]
        axes.scatter(mine[:, 0], mine[:, 1], s=5 + 1.5 * k, c=colour, edgecolors="#444444",
                     linewidths=0.25, zorder=3)  # fmt: skip
    gone = each.villages[lost]
    axes.scatter(gone[:, 0], gone[:, 1], s=9, c=_LEFT_OUT, marker="x", linewidths=0.7, zorder=4)
    for state, (marker, fill, size) in _LOOKS.items():
        spots = each.schools[state]
        axes.scatter(spots[:, 0], spots[:, 1], s=size, c=fill, marker=marker,
                     edgecolors="#111111", linewidths=0.45, zorder=5)  # fmt: skip
    axes.text(
        0.99, 0.01, drawable(mark), transform=axes.transAxes, ha="right",
        va="bottom", fontproperties=typeface(4.2), color="#9C1C10", parse_math=False,
    )  # fmt: skip


def _cut(text: str, room: int) -> str:
    """Cut a title to so many columns; a Chinese character takes two."""
    width = 0
    for k, character in enumerate(text):
        width += 2 if ord(character) > 0x2E7F else 1
        if width > room:
            return text[:k] + "…"
    return text


def _legend(lang: str) -> list[Line2D]:
    labels = ["≤ 20", "20-30", "30-40", "> 40"]
    handles = [
        Line2D([], [], linestyle="", marker="o", markersize=4.5, markerfacecolor=colour,
               markeredgecolor="#444444", label=drawable(word("cmp.map_minutes", lang, minutes=label)))
        for colour, label in zip(_COLOURS, labels, strict=True)
    ]  # fmt: skip
    handles.append(
        Line2D([], [], linestyle="", marker="x", markersize=4.5, color=_LEFT_OUT,
               label=drawable(word("cmp.map_none", lang)))
    )  # fmt: skip
    handles += [
        Line2D([], [], linestyle="", marker=marker, markersize=5.5, markerfacecolor=fill,
               markeredgecolor="#111111", label=drawable(word(f"cmp.map_{state}", lang)))
        for state, (marker, fill, _) in _LOOKS.items()
    ]  # fmt: skip
    return handles


def frontier(points: Sequence[tuple[str, dict[str, float | None]]], lang: str, mark: str) -> bytes:
    """Draw travel burden against schools kept, and against cost where the runs have it.

    Parameters
    ----------
    points : sequence of (label, values)
        ``minutes``, ``schools`` and ``cost`` of today and every run.
    lang : {"zh", "en"}
        Language of the words.
    mark : str
        Review numbers, or the note that the picture is internal.

    Returns
    -------
    bytes
        PNG. The line joins the plans that no other beats in both; a run beaten by another stands
        off it.
    """
    kinds = [k for k in ("schools", "cost") if any(v[k] is not None for _, v in points)]
    paper = Figure(figsize=(6.14, 3.0), dpi=DPI)
    canvas = FigureCanvasAgg(paper)
    for k, kind in enumerate(kinds):
        span = 1 / len(kinds)
        axes = paper.add_axes((k * span + 0.1, 0.17, span - 0.16, 0.72))
        known = [
            (label, v[kind], v["minutes"])
            for label, v in points
            if v[kind] is not None and v["minutes"] is not None
        ]
        _frontier_panel(axes, known, kind, lang)
    sign(paper, mark)
    return png_bytes(canvas, DPI)


def _frontier_panel(
    axes: Axes, known: Sequence[tuple[str, Any, Any]], kind: str, lang: str
) -> None:
    across = np.array([each[1] for each in known], dtype=float)
    up = np.array([each[2] for each in known], dtype=float)
    best = unbeaten(across, up)
    order = best[np.argsort(across[best], kind="stable")]
    axes.plot(across[order], up[order], "-", color=LADDER[2], linewidth=1.2, zorder=1)
    for k in range(len(known)):
        axes.scatter(across[k], up[k], s=36, c=LADDER[1] if k == 0 else LADDER[0],
                     marker="s" if k == 0 else "o", edgecolors="#111111", linewidths=0.5, zorder=3)  # fmt: skip
    for at in {(float(x), float(y)): None for x, y in zip(across, up, strict=True)}:
        same = [each[0] for each in known if (float(each[1]), float(each[2])) == at]
        label = ("、" if lang == "zh" else ", ").join(same)
        axes.annotate(drawable(plain(label, longest=30)), at, (5, 5),
                      textcoords="offset points", fontproperties=typeface(8), parse_math=False)  # fmt: skip
    axes.set_xlabel(drawable(word(f"cmp.axis_{kind}", lang)), fontproperties=typeface(7.5))
    axes.set_ylabel(drawable(word("cmp.axis_minutes", lang)), fontproperties=typeface(7.5))
    for tick in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
        tick.set_fontproperties(typeface(6.5))
    axes.margins(0.14)
    axes.grid(linewidth=0.3, color="#BBBBBB")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def unbeaten(across: _Points, up: _Points) -> npt.NDArray[np.int64]:
    """Find the points that no other beats: fewer of both is better.

    Parameters
    ----------
    across, up : (n,) float64
        Values.

    Returns
    -------
    (k,) int64
        Positions; equal points are all kept.
    """
    kept = [
        k
        for k in range(len(across))
        if not any(
            (across[j] <= across[k] and up[j] <= up[k]) and (across[j] < across[k] or up[j] < up[k])
            for j in range(len(across))
        )
    ]
    return np.array(kept, dtype=np.int64)
