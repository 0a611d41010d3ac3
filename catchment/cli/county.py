"""Doors to a county's data: shipped, empty, checked, measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd
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
    console,
    output_folder,
    progress,
    say,
)
from catchment.cli.runs import carry_out
from catchment.english import counted
from catchment.errors import CatchmentError, NotFoundError

if TYPE_CHECKING:
    from catchment.region.doctor import Repair


@app.command()
def demo(out: Out = None, lang: Lang = "zh") -> None:
    """把随附的虚构县走完主流程 / run the shipped, invented county through the whole main job."""
    folder = _demo_folder()
    target = out or Path("runs") / "demo"
    carry_out(folder / "scenarios" / "merge-2028.toml", target, lang, set_aside=False)


def _demo_folder() -> Path:
    places = [Path.cwd() / "data" / "demo", Path(__file__).resolve().parents[2] / "data" / "demo"]
    for place in places:
        if (place / "region.toml").is_file():
            return place
    raise NotFoundError(
        "找不到随附的示范县 data/demo；请在项目文件夹中运行 / the shipped county data/demo was not found; "
        "run this in the project's folder"
    )


@app.command()
def init(folder: Path, lang: Lang = "zh") -> None:
    """写出空模板（中文表头的 XLSX 和 scenario.toml）/ write empty templates."""
    from catchment.region.write import write_templates

    written = list(write_templates(output_folder(folder), check_lang(lang)))
    say(lang, f"已写入 {len(written)} 个模板：", f"wrote {counted(len(written), 'template')}:")
    for path in written:
        console().print(escape(f"  {path}"))
    say(
        lang,
        f"填好后运行：catchment check {folder}",
        f"fill them in, then run: catchment check {folder}",
    )


@app.command()
def check(
    region: Path,
    out: Out = None,
    lang: Lang = "zh",
    fix: Annotated[
        bool,
        typer.Option(
            "--fix",
            help="把可以确定的修复写成新文件夹，列出前后 / write what can be repaired for certain as "
            "a new folder, each before and after; the source is never touched",
        ),
    ] = False,
) -> None:
    """列出数据中的全部问题（表格和地图）/ all problems in the layers, as a table and as a map."""
    from catchment.network.doubts import check_roads
    from catchment.region.check import check_region
    from catchment.views.files import write_text
    from catchment.views.problem_map import write_problem_map
    from catchment.views.tables import frame_csv

    check_lang(lang)
    with progress() as tell:
        tell("检查 / checking")
        found = check_region(region, further=check_roads)
    table = pd.concat([found.table(), _own_tables(region)], ignore_index=True)
    target = output_folder(out or Path("runs") / f"check-{region.resolve().stem}")
    target.mkdir(parents=True, exist_ok=True)
    written = [target / "problems.csv"]
    write_text(written[0], frame_csv(table))
    if table["x"].notna().any():
        written.append(write_problem_map(table, target / "problems.html", lang))
    _print_problems(table, lang)
    counts = table["severity"].value_counts()
    errors, warned = int(counts.get("error", 0)), int(counts.get("warning", 0))
    say(
        lang,
        f"错误 {errors} 个，警告 {warned} 个，提示 {len(table) - errors - warned} 个。请看："
        + "、".join(str(p) for p in written),
        f"{counted(errors, 'error')}, {counted(warned, 'warning')}, "
        f"{counted(len(table) - errors - warned, 'note')}. Look at: "
        + ", ".join(str(p) for p in written),
    )
    if fix:
        errors = _fix(region, target, lang, errors)
    if errors:
        raise typer.Exit(1)


def _fix(region: Path, target: Path, lang: str, errors: int) -> int:
    """Write the mended folder and the list of repairs; errors that are left there."""
    from catchment.network.doubts import check_roads
    from catchment.region.check import check_region
    from catchment.region.mend import mend_region

    mended = target / "mended"
    with progress() as tell:
        tell("修复 / mending")
        listing = target / "repairs.csv"
        repairs = mend_region(region, mended, further=check_roads, listing=listing)
    if not repairs:
        say(lang, "没有可以确定的修复。", "nothing that can be repaired for certain.")
        return errors
    _print_repairs(repairs, lang)
    left = check_region(mended, further=check_roads)
    say(
        lang,
        f"修复 {len(repairs)} 处，写入 {mended}（原数据未改动），清单见 {listing}；"
        f"仍有错误 {len(left.errors)} 个、警告 {len(left.warnings)} 个需人工处理。",
        f"{counted(len(repairs), 'repair')} written to {mended} (the source is untouched), listed in "
        f"{listing}; left for people: {counted(len(left.errors), 'error')} and "
        f"{counted(len(left.warnings), 'warning')}.",
    )
    return len(left.errors)


def _print_repairs(repairs: Sequence[Repair], lang: str, most: int = 40) -> None:
    from catchment.region.doctor import kinds

    shown = Table(show_lines=False)
    heads = ("图层", "行", "列", "修复前", "修复后", "说明")
    for head in heads if lang == "zh" else ("layer", "row", "column", "before", "after", "why"):
        shown.add_column(head, overflow="fold")
    for r in repairs[:most]:
        row = "" if r.row is None else str(r.row)
        cells = (r.layer, row, r.column, r.before, r.after, kinds()[r.kind][lang])
        shown.add_row(*(escape(c) for c in cells))
    Console(highlight=False, soft_wrap=True).print(shown)
    if len(repairs) > most:
        more = len(repairs) - most
        say(lang, f"另有 {more} 处，见 repairs.csv", f"{more} more in repairs.csv")


def _own_tables(region: Path) -> pd.DataFrame:
    """Faults of the county's own tables of bands, modes, road classes and rules."""
    from catchment.network.modes import read_modes
    from catchment.network.roads import read_road_classes
    from catchment.region.bands import read_bands
    from catchment.rules.books import read_books

    folder = region if region.is_dir() else region.parent
    readers: dict[str, Callable[[Path], Any]] = {
        "bands.csv": read_bands,
        "modes.csv": read_modes,
        "road_classes.csv": read_road_classes,
        "rules.csv": lambda path: read_books(("national",), path.parent),
    }
    rows = []
    for name, reader in readers.items():
        if not (folder / name).is_file():
            continue
        try:
            reader(folder / name)
        except CatchmentError as fault:
            zh, _, en = str(fault).partition(" / ")
            what = (zh, en or zh, "改正该表", "correct the table")
            rows.append((name, pd.NA, "", "", "error", *what))
    columns = ["layer", "row", "column", "value", "severity", "what_zh", "what_en", "remedy_zh"]
    return pd.DataFrame(rows, columns=[*columns, "remedy_en"])


def _print_problems(table: Any, lang: str, most: int = 40) -> None:
    shown = Table(show_lines=False)
    heads = ("严重性", "图层", "行", "列", "值", "问题", "处理办法")
    if lang == "en":
        heads = ("severity", "layer", "row", "column", "value", "problem", "remedy")
    for head in heads:
        shown.add_column(head, overflow="fold")
    for row in table.head(most).itertuples(index=False):
        cells = [row.severity, row.layer, row.row, row.column, row.value]
        cells += [row.what_zh, row.remedy_zh] if lang == "zh" else [row.what_en, row.remedy_en]
        shown.add_row(*(escape("" if pd.isna(c) else str(c)) for c in cells))
    console = Console(highlight=False, soft_wrap=True)
    if len(table):
        console.print(shown)
    if len(table) > most:
        say(
            lang,
            f"另有 {len(table) - most} 条，见 problems.csv",
            f"{len(table) - most} more in problems.csv",
        )


def stream_times(
    region: Path,
    out: Path | None,
    lang: str,
    set_aside: bool,
    cache: Path | None,
    cutoff: float,
    kind: str,
    homes: bool,
) -> None:
    """Write the times of a province as they are reckoned, in bounded memory.

    Parameters
    ----------
    region : Path
        Folder of the county or province.
    out : Path or None
        Folder to write to.
    lang : str
        ``zh`` or ``en``.
    set_aside : bool
        Whether rows in error are set aside.
    cache : Path or None
        Folder to keep roads and prepared networks in.
    cutoff : float
        Minutes above which a trip is left out.
    kind : str
        ``csv`` or ``parquet``.
    homes : bool
        Whether students' homes are counted by site instead of villages listed.
    """
    from catchment.network.kept import Kept
    from catchment.region.read import read_region
    from catchment.views.streamed import FORMATS, write_homes, write_stream

    check_lang(lang)
    if not cutoff > 0:
        raise CatchmentError(f"--cutoff {cutoff:g}：应为正数 / must be positive")
    if kind not in FORMATS:
        raise CatchmentError(f"--format {kind}：应为 csv 或 parquet / must be csv or parquet")
    target = output_folder(out or Path("runs") / f"times-{region.resolve().stem}")
    kept = Kept(cache)
    with progress() as tell:
        tell("读取县域数据 / reading the county")
        county = read_region(region, set_aside=set_aside)
        tell("道路网络 / road network")
        network = kept.network(county)
        told = -1

        def count(done: int, total: int) -> None:
            nonlocal told
            share = 100 * done // max(total, 1)
            # A line of a log every twentieth is enough.
            if share // 5 > told:
                told = share // 5
                tell(f"出行时间 / travel times {share} % ({done}/{total})")

        tell("预处理路网 / preparing the network")
        said: list[str] = []
        if homes:
            written = write_homes(
                county, network, target, cutoff=cutoff, prepare=kept.prepared, progress=count,
                note=said.append,
            )  # fmt: skip
        else:
            written = write_stream(
                county, network, target, kind=kind, cutoff=cutoff, prepare=kept.prepared,
                progress=count, note=said.append,
            )  # fmt: skip
    for note in (*network.notes, *said, *kept.notes):
        console().print(escape(f"· {note}"))
    say(lang, f"已写入 {written}", f"wrote {written}")


@app.command()
def times(
    region: Path,
    out: Out = None,
    lang: Lang = "zh",
    set_aside: SetAside = False,
    cache: Cache = None,
    site: Annotated[
        str | None, typer.Option("--site", help="学校或备选校址代码 / id of a school or site")
    ] = None,
    isochrones: Annotated[
        bool,
        typer.Option(
            "--isochrones", help="画出该校的等时圈和各村路径 / areas and ways of the site"
        ),
    ] = False,
    stream: Annotated[
        bool,
        typer.Option("--stream", help="边算边写，适合大县和全省 / write as reckoned: provinces"),
    ] = False,
    cutoff: Annotated[
        float, typer.Option("--cutoff", help="与 --stream 合用：分钟上限 / limit of minutes")
    ] = float("inf"),
    kind: Annotated[
        str, typer.Option("--format", help="与 --stream 合用：csv 或 / or parquet")
    ] = "csv",
    homes: Annotated[
        bool,
        typer.Option("--homes", help="与 --stream 合用：只写学生人数 / counts of students by site"),
    ] = False,
) -> None:
    """计算各村到各校的时间和距离 / travel minutes and metres from every village to every school."""
    if stream:
        if site is not None or isochrones:
            raise CatchmentError(
                "--stream 不能与 --site、--isochrones 合用 / --stream goes without them"
            )
        stream_times(region, out, lang, set_aside, cache, cutoff, kind, homes)
        return
    if homes or kind != "csv" or cutoff != float("inf"):
        raise CatchmentError(
            "--cutoff、--format、--homes 须与 --stream 合用 / --cutoff, --format and --homes go with "
            "--stream"
        )
    from catchment.network.kept import Kept
    from catchment.network.places import sites_of
    from catchment.network.travel import travel_times
    from catchment.region.read import read_region
    from catchment.views.files import write_text
    from catchment.views.reach import write_reach, write_reports, write_trips
    from catchment.views.tables import frame_csv, times_csv

    check_lang(lang)
    if isochrones != (site is not None):
        raise CatchmentError(
            "--site 与 --isochrones 须同时给出 / --site and --isochrones go together"
        )
    kept = Kept(cache)
    with progress() as tell:
        tell("读取县域数据 / reading the county")
        county = read_region(region, set_aside=set_aside)
        if site is not None:
            sites_of(county, [site])  # before anything is reckoned or written
        tell("道路网络 / road network")
        network = kept.network(county)
        tell("出行时间 / travel times")
        result = travel_times(county, network, search=kept.door_to_door)
    target = output_folder(out or Path("runs") / f"times-{region.resolve().stem}")
    target.mkdir(parents=True, exist_ok=True)
    write_text(target / "times.csv", times_csv(result))
    write_text(target / "snaps.csv", frame_csv(result.snaps))
    write_text(target / "components.csv", frame_csv(result.components))
    with progress() as tell:
        tell("通村道路与途中障碍 / villages without a road, crossings")
        more, notes = write_reports(county, network, result, target)
        tell("往返行程 / trips there and back")
        back = travel_times(county, network, direction="back", search=kept.door_to_door)
        more.append(write_trips(county, result, back, target))
        if site is not None:
            tell("等时圈与路径 / isochrones and ways")
            more += write_reach(county, network, site, target)
    for note in (*network.notes, *result.notes, *notes, *kept.notes):
        console().print(escape(f"· {note}"))
    names = [
        p.name
        for p in (target / "times.csv", target / "snaps.csv", target / "components.csv", *more)
    ]
    say(
        lang,
        f"{len(result.villages)} 个村 × {len(result.sites)} 个校点，写入 {target}：{'、'.join(names)}",
        f"{counted(len(result.villages), 'village')} x {counted(len(result.sites), 'site')} written to "
        f"{target}: {', '.join(names)}",
    )
