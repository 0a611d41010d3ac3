"""Doors to runs: carried out, drawn, told and compared."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from catchment.cli.doors import (
    Cache,
    Lang,
    Out,
    SetAside,
    app,
    check_lang,
    output_folder,
    progress,
    say,
    wrote,
)
from catchment.english import counted
from catchment.errors import CatchmentError

BaseMapFile = Annotated[
    Path | None,
    typer.Option(help="自备底图：带坐标的 GeoTIFF、PNG 或 JPEG / your own base map, georeferenced"),
]
BaseNumber = Annotated[
    str, typer.Option(help="自备底图的审图号 / review number of your own base map")
]


@app.command()
def run(
    scenario: Path,
    out: Out = None,
    lang: Lang = "zh",
    set_aside: SetAside = False,
    tiles: Annotated[
        str | None, typer.Option(help="在线底图：osm 或 tianditu（默认不用）/ online base map")
    ] = None,
    cache: Cache = None,
) -> None:
    """按方案计算并写出全部结果 / carry out a recipe and write everything."""
    target = out or Path("runs") / scenario.stem
    carry_out(scenario, target, lang, set_aside=set_aside, tiles=tiles, cache=cache)


def carry_out(
    scenario: Path,
    target: Path,
    lang: str,
    *,
    set_aside: bool,
    tiles: str | None = None,
    cache: Path | None = None,
) -> None:
    """Carry out a recipe, write its folder and say what to look at.

    Parameters
    ----------
    scenario : Path
        The recipe.
    target : Path
        Folder to write to.
    lang : str
        ``zh`` or ``en``.
    set_aside : bool
        Whether rows in error are set aside and counted.
    tiles : str, optional
        Base map from the web: ``osm`` or ``tianditu``; none by default.
    cache : Path, optional
        Folder to keep roads and times in.
    """
    from catchment.network.kept import Kept
    from catchment.views.folder import WRITTEN_LATER, execute_again, write_run

    check_lang(lang)
    key = _tianditu_key(tiles)
    target = output_folder(target)
    with progress() as tell:
        kept = Kept(cache) if cache is not None else None
        result = execute_again(scenario, target, set_aside=set_aside, progress=tell, kept=kept)
        tell("写出结果 / writing")
        later = [name for name in WRITTEN_LATER if (target / name).is_file()]
        written = write_run(
            result,
            target,
            lang=lang,
            recipe=scenario,
            set_aside=set_aside,
            tiles=tiles,
            tianditu_key=key,
        )
    _summary(result, lang)
    gone = [name for name in later if not (target / name).is_file()]
    if gone:
        say(
            lang,
            f"已删除上一次运行的 {'、'.join(gone)}；需要时请用 catchment report、catchment map 重新写出",
            f"removed {', '.join(gone)} of an earlier run; catchment report and catchment map write "
            "them again",
        )
    say(
        lang,
        f"已写入 {target}（{len(written)} 个文件）。先打开 {target / 'map.html'}",
        f"wrote {counted(len(written), 'file')} to {target}. Open {target / 'map.html'} first",
    )


def _tianditu_key(tiles: str | None) -> str | None:
    if tiles not in (None, "osm", "tianditu"):
        raise CatchmentError(f"--tiles {tiles}: 只能是 osm 或 tianditu / must be osm or tianditu")
    key = os.environ.get("TIANDITU_KEY")
    if tiles == "tianditu" and not key:
        raise CatchmentError(
            "天地图需要您自己的密钥：请设置环境变量 TIANDITU_KEY / set TIANDITU_KEY to your own key"
        )
    return key


def _summary(result: Any, lang: str) -> None:
    console = Console(highlight=False, soft_wrap=True)
    table = Table(title="学生数守恒" if lang == "zh" else "Students accounted for")
    heads = ("年份", "学生", "= 已安排", "+ 未安排", "+ 剔除")
    if lang == "en":
        heads = ("year", "students in", "= served", "+ unserved", "+ rejected")
    for head in heads:
        table.add_column(head, justify="right")
    for row in result.conservation.itertuples(index=False):
        table.add_row(*(str(v) for v in row))
    console.print(table)
    counts = result.findings["result"].value_counts() if len(result.findings) else {}
    say(
        lang,
        f"核查：不符合 {counts.get('fail', 0)} 条，无法判定 {counts.get('unknown', 0)} 条，"
        f"待补证据 {counts.get('evidence', 0)} 条；大班额台账 {len(result.ledger)} 行",
        f"findings: {counted(counts.get('fail', 0), 'fails', 'fail')}, "
        f"{counts.get('unknown', 0)} cannot be decided, "
        f"{counted(counts.get('evidence', 0), 'awaits evidence', 'await evidence')}; "
        f"ledger of large classes: {counted(len(result.ledger), 'row')}",
    )
    for note in (*result.notes, *result.plan.notes):
        console.print(escape(f"· {note}"))


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(help="运行文件夹 / run folders")],
    out: Out = None,
    lang: Lang = "zh",
) -> None:
    """并排比较几次运行 / before and after, several plans side by side."""
    from catchment.views.comparison import compare_table, write_comparison

    check_lang(lang)
    if len(runs) < 2:
        raise CatchmentError("请给出至少两个运行文件夹 / name at least two run folders")
    table = compare_table(runs, lang)
    shown = Table()
    for head in table.columns:
        shown.add_column(escape(str(head)), overflow="fold")
    for row in table.itertuples(index=False):
        shown.add_row(*(escape(str(v)) for v in row))
    Console(highlight=False, soft_wrap=True).print(shown)
    written = write_comparison(runs, out or Path("runs") / "compare", lang)
    say(
        lang,
        "已写入 " + "、".join(str(p) for p in written),
        "wrote " + ", ".join(str(p) for p in written),
    )


@app.command("map")
def map_(
    run: Path,
    lang: Lang = "zh",
    tiles: Annotated[str | None, typer.Option(help="osm 或 / or tianditu")] = None,
    base_map: BaseMapFile = None,
    base_number: BaseNumber = "",
    parquet: Annotated[
        bool, typer.Option("--parquet", help="另出 GeoParquet 图层 / layers as GeoParquet too")
    ] = False,
) -> None:
    """重画一次运行的地图 / draw the maps of a run again."""
    from catchment.views.base_map import overlay_of
    from catchment.views.folder import reload_run
    from catchment.views.geopackage import write_geoparquet
    from catchment.views.maps import write_map
    from catchment.views.parents import write_parents

    check_lang(lang)
    key = _tianditu_key(tiles)
    with progress() as tell:
        result = reload_run(run, progress=tell)
        tell("地图 / map")
        base = None if base_map is None else overlay_of(base_map, number=base_number)
        written = [
            write_map(
                result, run / "map.html", lang=lang, tiles=tiles, tianditu_key=key, base=base
            ),
            write_parents(result, run / "parents.html", lang=lang),
            *(write_geoparquet(result, run, lang=lang) if parquet else ()),
        ]
    say(
        lang,
        "已写入 " + "、".join(str(p) for p in written),
        "wrote " + ", ".join(str(p) for p in written),
    )


@app.command()
def report(
    run: Path,
    lang: Lang = "zh",
    township: Annotated[
        str, typer.Option(help="只出一个乡镇的审议册 / review book of one township")
    ] = "",
    pdf: Annotated[
        bool, typer.Option("--pdf", help="另出 PDF（需附加包 pdf）/ PDF as well (extra: pdf)")
    ] = False,
    base_map: BaseMapFile = None,
    base_number: BaseNumber = "",
) -> None:
    """写出一次运行的报告、审议册、听证幻灯片和公示图 / report, review book, slides and notice of a run."""
    from catchment.views.base_map import LONGEST_PRINTED, read_base_map
    from catchment.views.folder import reload_run, write_documents

    check_lang(lang)
    with progress() as tell:
        result = reload_run(run, progress=tell)
        base = None
        if base_map is not None:
            base = read_base_map(
                base_map, result.region.crs, number=base_number, longest=LONGEST_PRINTED
            )
        tell("报告 / report")
        written = write_documents(result, run, lang=lang, township=township, pdf=pdf, base=base)
    wrote(written, lang)
