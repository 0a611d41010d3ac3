"""Doors on the command line: one command a verb.

Every command ends by saying what it wrote and what to look at; every error names the layer, row,
value and remedy and shows no traceback (``--debug`` shows it).
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from catchment.errors import CatchmentError, InputError, NotFoundError

app = typer.Typer(
    name="catchment",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="学区与学校布局规划 / School catchment and consolidation planning.",
)

Lang = Annotated[str, typer.Option("--lang", help="zh 或 / or en")]
Out = Annotated[Path | None, typer.Option("--out", help="输出文件夹 / output folder")]
Cache = Annotated[
    Path | None,
    typer.Option(
        "--cache", help="保存路网和出行时间以便再次使用的文件夹 / folder to keep roads and times in"
    ),
]
SetAside = Annotated[
    bool,
    typer.Option(
        "--set-aside", help="有错误的行放在一边并计为“剔除” / set rows in error aside, count them"
    ),
]


def _console(*, error: bool = False) -> Console:
    return Console(stderr=error, highlight=False, soft_wrap=True)


def _say(lang: str, zh: str, en: str) -> None:
    _console().print(escape(zh if lang == "zh" else en))


def _check_lang(lang: str) -> Literal["zh", "en"]:
    if lang == "zh":
        return "zh"
    if lang == "en":
        return "en"
    raise CatchmentError(f"--lang {lang}: 只能是 zh 或 en / must be zh or en")


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    console = _console(error=True)
    with console.status("…") as status:

        def tell(text: str) -> None:
            status.update(escape(text))
            if not console.is_terminal:
                console.print(escape(f"· {text}"))

        yield tell


@app.command()
def demo(out: Out = None, lang: Lang = "zh") -> None:
    """把随附的虚构县走完主流程 / run the shipped, invented county through the whole main job."""
    folder = _demo_folder()
    target = out or Path("runs") / "demo"
    _run(folder / "scenarios" / "merge-2028.toml", target, lang, set_aside=False)


def _demo_folder() -> Path:
    places = [Path.cwd() / "data" / "demo", Path(__file__).resolve().parents[1] / "data" / "demo"]
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

    written = list(write_templates(_folder(folder), _check_lang(lang)))
    _say(lang, f"已写入 {len(written)} 个模板：", f"wrote {len(written)} templates:")
    for path in written:
        _console().print(escape(f"  {path}"))
    _say(
        lang,
        f"填好后运行：catchment check {folder}",
        f"fill them in, then run: catchment check {folder}",
    )


@app.command()
def check(region: Path, out: Out = None, lang: Lang = "zh") -> None:
    """列出数据中的全部问题（表格和地图）/ all problems in the layers, as a table and as a map."""
    from catchment.region.check import check_region
    from catchment.views.files import write_text
    from catchment.views.problem_map import write_problem_map
    from catchment.views.tables import frame_csv

    _check_lang(lang)
    with _progress() as tell:
        tell("检查 / checking")
        found = check_region(region)
    table = pd.concat([found.table(), _own_tables(region)], ignore_index=True)
    target = _folder(out or Path("runs") / f"check-{region.resolve().stem}")
    target.mkdir(parents=True, exist_ok=True)
    written = [target / "problems.csv"]
    write_text(written[0], frame_csv(table))
    if table["x"].notna().any():
        written.append(write_problem_map(table, target / "problems.html", lang))
    _print_problems(table, lang)
    counts = table["severity"].value_counts()
    errors, warned = int(counts.get("error", 0)), int(counts.get("warning", 0))
    _say(
        lang,
        f"错误 {errors} 个，警告 {warned} 个，提示 {len(table) - errors - warned} 个。请看："
        + "、".join(str(p) for p in written),
        f"{errors} errors, {warned} warnings, {len(table) - errors - warned} notes. Look at: "
        + ", ".join(str(p) for p in written),
    )
    if errors:
        raise typer.Exit(1)


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
        _say(
            lang,
            f"另有 {len(table) - most} 条，见 problems.csv",
            f"{len(table) - most} more in problems.csv",
        )


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
) -> None:
    """计算各村到各校的时间和距离 / travel minutes and metres from every village to every school."""
    from catchment.network.kept import Kept
    from catchment.network.travel import travel_times
    from catchment.region.read import read_region
    from catchment.views.files import write_text
    from catchment.views.reach import write_reach, write_reports
    from catchment.views.tables import frame_csv, times_csv

    _check_lang(lang)
    if isochrones != (site is not None):
        raise CatchmentError(
            "--site 与 --isochrones 须同时给出 / --site and --isochrones go together"
        )
    kept = Kept(cache)
    with _progress() as tell:
        tell("读取县域数据 / reading the county")
        county = read_region(region, set_aside=set_aside)
        tell("道路网络 / road network")
        network = kept.network(county)
        tell("出行时间 / travel times")
        result = travel_times(county, network, search=kept.door_to_door)
    target = _folder(out or Path("runs") / f"times-{region.resolve().stem}")
    target.mkdir(parents=True, exist_ok=True)
    write_text(target / "times.csv", times_csv(result))
    write_text(target / "snaps.csv", frame_csv(result.snaps))
    write_text(target / "components.csv", frame_csv(result.components))
    with _progress() as tell:
        tell("通村道路与途中障碍 / villages without a road, crossings")
        more, notes = write_reports(county, network, result, target)
        if site is not None:
            tell("等时圈与路径 / isochrones and ways")
            more += write_reach(county, network, site, target)
    for note in (*result.notes, *notes, *kept.notes):
        _console().print(escape(f"· {note}"))
    names = [
        p.name
        for p in (target / "times.csv", target / "snaps.csv", target / "components.csv", *more)
    ]
    _say(
        lang,
        f"{len(result.villages)} 个村 × {len(result.sites)} 个校点，写入 {target}：{'、'.join(names)}",
        f"{len(result.villages)} villages x {len(result.sites)} sites written to {target}: {', '.join(names)}",
    )


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
    _run(scenario, target, lang, set_aside=set_aside, tiles=tiles, cache=cache)


def _run(
    scenario: Path,
    target: Path,
    lang: str,
    *,
    set_aside: bool,
    tiles: str | None = None,
    cache: Path | None = None,
) -> None:
    from catchment.network.kept import Kept
    from catchment.run import execute
    from catchment.views.folder import write_run

    _check_lang(lang)
    key = _tianditu_key(tiles)
    target = _folder(target)
    with _progress() as tell:
        kept = Kept(cache) if cache is not None else None
        result = execute(scenario, set_aside=set_aside, progress=tell, kept=kept)
        tell("写出结果 / writing")
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
    _say(
        lang,
        f"已写入 {target}（{len(written)} 个文件）。先打开 {target / 'map.html'}",
        f"wrote {len(written)} files to {target}. Open {target / 'map.html'} first",
    )


def _folder(path: Path) -> Path:
    """Refuse a file in the place of a folder before anything is computed."""
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} 是文件，不是文件夹；请换一个 / is a file, not a folder")
    return path


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
    _say(
        lang,
        f"核查：不符合 {counts.get('fail', 0)} 条，无法判定 {counts.get('unknown', 0)} 条，"
        f"待补证据 {counts.get('evidence', 0)} 条；大班额台账 {len(result.ledger)} 行",
        f"findings: {counts.get('fail', 0)} fail, {counts.get('unknown', 0)} cannot be decided, "
        f"{counts.get('evidence', 0)} await evidence; ledger of large classes: {len(result.ledger)} rows",
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

    _check_lang(lang)
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
    _say(
        lang,
        "已写入 " + "、".join(str(p) for p in written),
        "wrote " + ", ".join(str(p) for p in written),
    )


@app.command("map")
def map_(
    run: Path,
    lang: Lang = "zh",
    tiles: Annotated[str | None, typer.Option(help="osm 或 / or tianditu")] = None,
) -> None:
    """重画一次运行的地图 / draw the maps of a run again."""
    from catchment.views.folder import reload_run
    from catchment.views.maps import write_map
    from catchment.views.parents import write_parents

    _check_lang(lang)
    key = _tianditu_key(tiles)
    with _progress() as tell:
        result = reload_run(run, progress=tell)
        tell("地图 / map")
        written = [
            write_map(result, run / "map.html", lang=lang, tiles=tiles, tianditu_key=key),
            write_parents(result, run / "parents.html", lang=lang),
        ]
    _say(
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
        bool, typer.Option("--pdf", help="另出 PDF（需安装 [pdf]）/ PDF as well (extra [pdf])")
    ] = False,
) -> None:
    """写出一次运行的报告、审议册和听证幻灯片 / report, review book and slides of a run."""
    from catchment.views.folder import reload_run, write_documents

    _check_lang(lang)
    with _progress() as tell:
        result = reload_run(run, progress=tell)
        tell("报告 / report")
        written = write_documents(result, run, lang=lang, township=township, pdf=pdf)
    _wrote(written, lang)


@app.command()
def decide(
    run: Path,
    workbook: Path,
    out: Annotated[Path | None, typer.Option(help="新方案文件 / new recipe")] = None,
    lang: Lang = "zh",
) -> None:
    """把填好的行动清单读回为新方案 / read a filled action list back as a new recipe."""
    from catchment.views.decisions import read_actions, write_recipe
    from catchment.views.folder import read_record

    _check_lang(lang)
    record = read_record(run)
    old = run / str(record.get("recipe") or "scenario.toml")
    target = out or old.with_name(f"{old.stem}-decided.toml")
    actions = read_actions(workbook)
    name = f"{record['name']}（按行动清单）"
    _wrote([write_recipe(record["scenario"], actions, target, name=name)], lang)
    _say(lang, f"运行：catchment run {target}", f"run it: catchment run {target}")


@app.command()
def cohorts(
    region: Path,
    years: Annotated[int, typer.Option(help="推算年数 / years to carry on")] = 10,
    base: Annotated[int | None, typer.Option(help="基年 / base year")] = None,
    migration: Annotated[
        float, typer.Option(help="每年迁入县城的比例 / share that moves to town a year")
    ] = 0.0,
    seed: int = 0,
    out: Out = None,
    lang: Lang = "zh",
) -> None:
    """推算今后各年学生数（高、中、低方案）/ children of the years to come, in three variants."""
    from catchment.region.read import read_region
    from catchment.views.registers import project_cohorts, write_cohorts

    _check_lang(lang)
    with _progress() as tell:
        tell("读取县域数据 / reading the county")
        county = read_region(region)
        tell("队列推算 / cohorts")
        result = project_cohorts(county, years, base=base, migration=migration, seed=seed)
        written = write_cohorts(result, county, out or Path("runs") / "cohorts")
    for note in result.notes:
        _console().print(escape(f"· {note}"))
    _wrote(written, lang)


@app.command()
def ledger(
    run: Path,
    previous: Annotated[
        Path | None, typer.Option(help="上期台账，接续 / earlier ledger to be continued")
    ] = None,
    target: Annotated[
        str, typer.Option(help="over_standard、large 或 / or super_large")
    ] = "over_standard",
    transfers: Annotated[
        bool, typer.Option("--transfers", help="允许在校班级整体调整 / cohorts at school may move")
    ] = False,
    time_limit: float = 10.0,
    lang: Lang = "zh",
) -> None:
    """大班额销号：接续上期台账并排出逐年消除计划 / continue the ledger, plan the elimination."""
    from datetime import datetime

    from catchment.views.files import write_text
    from catchment.views.folder import reload_run
    from catchment.views.registers import continue_ledger, elimination_of, write_elimination
    from catchment.views.tables import frame_csv

    _check_lang(lang)
    written = []
    with _progress() as tell:
        result = reload_run(run, progress=tell)
        tell("消除计划 / elimination plan")
        plan = elimination_of(result, target=target, transfers=transfers, time_limit=time_limit)
        written += write_elimination(plan, run)
        if previous is not None:
            today = datetime.now(UTC).astimezone().date()
            carried = continue_ledger(result, previous, today)
            for name, table in (
                ("ledger-continued.csv", carried.table),
                ("ledger-problems.csv", carried.problems),
                ("ledger-new.csv", carried.new),
            ):
                written.append(write_text(run / name, frame_csv(table)))
    _say(
        lang,
        f"消除计划（{plan.status}）：调整 {plan.moved} 名学生，新增 {plan.new_rooms} 间教室，"
        f"仍超 {plan.excess} 人，{len(plan.blocked)} 处受阻",
        f"elimination plan ({plan.status}): {plan.moved} students moved, {plan.new_rooms} rooms added, "
        f"{plan.excess} students still above, {len(plan.blocked)} places stand in the way",
    )
    if previous is not None:
        _say(
            lang,
            f"零增量：{'是' if carried.zero_growth else '否'}（新增 {len(carried.new)} 个班）；"
            f"上期台账问题 {len(carried.problems)} 条",
            f"zero growth: {'yes' if carried.zero_growth else 'no'} ({len(carried.new)} new classes); "
            f"{len(carried.problems)} problems in the earlier ledger",
        )
    _wrote(written, lang)


@app.command()
def survey(
    run: Path,
    read: Annotated[
        Path | None, typer.Option("--read", help="读回已填的摸底表 / read a filled survey back")
    ] = None,
    out: Out = None,
    lang: Lang = "zh",
) -> None:
    """摸清底数：写出预填的摸底表，或读回并统计缺项 / baseline survey forms, out and back."""
    from catchment.views.files import write_text
    from catchment.views.folder import reload_run
    from catchment.views.registers import survey_read, write_survey
    from catchment.views.tables import frame_csv

    _check_lang(lang)
    if read is None:
        with _progress() as tell:
            result = reload_run(run, progress=tell)
        _wrote([write_survey(result, (out or run) / "survey.xlsx")], lang)
        return
    found = survey_read(read)
    target = out or run
    written = [
        write_text(target / "survey-problems.csv", frame_csv(found.problems)),
        write_text(target / "survey-missing.csv", frame_csv(found.missing)),
    ]
    _say(
        lang,
        f"问题 {len(found.problems)} 条，尚缺 {int(found.missing['cells_missing'].sum())} 项",
        f"{len(found.problems)} problems, {int(found.missing['cells_missing'].sum())} items missing",
    )
    _wrote(written, lang)


@app.command()
def propose(
    scenario: Path,
    time_limit: Annotated[float, typer.Option(help="求解秒数 / seconds")] = 60.0,
    prices: Annotated[
        int, typer.Option(help="为几所学校计算保留代价 / schools to price the keeping of")
    ] = 0,
    out: Out = None,
    lang: Lang = "zh",
) -> None:
    """由优化器提出分年布局方案，写成可编辑的方案文件 / let the optimiser write a phased recipe."""
    from catchment.region.read import read_region
    from catchment.run import propose as make_proposal
    from catchment.scenario import read_scenario
    from catchment.views.decisions import write_recipe
    from catchment.views.files import write_text
    from catchment.views.tables import frame_csv

    _check_lang(lang)
    recipe = read_scenario(scenario)
    folder = scenario.parent / recipe.region
    target = _folder(out or Path("runs") / f"{scenario.stem}-proposal")
    with _progress() as tell:
        tell("读取县域数据 / reading the county")
        region = read_region(folder)
        result = make_proposal(recipe, region, time_limit=time_limit, prices=prices, progress=tell)
    place = Path(os.path.relpath(folder.resolve(), target.resolve())).as_posix()
    written = [
        write_recipe(
            {**result.recipe, "region": place},
            [a for a in result.recipe["action"] if a["do"] != "road"],
            target / "proposal.toml",
        ),
        write_text(target / "costs.csv", frame_csv(result.costs)),
    ]
    if len(result.prices):
        written.append(write_text(target / "prices.csv", frame_csv(result.prices)))
    for violation in result.violations:
        _console(error=True).print(f"[bold red]{escape(violation)}[/]")
    saved = float(result.costs["keep"].sum() - result.costs["plan"].sum())
    _say(
        lang,
        f"{result.status}：{len(result.recipe['action'])} 个行动，总成本 {result.objective:,.0f} 元"
        f"（比全部保留少 {saved:,.0f} 元），下界 {result.bound:,.0f} 元，差距 {result.gap:.1%}；"
        "费用为可编辑的设定值，不是预算",
        f"{result.status}: {len(result.recipe['action'])} actions, total cost {result.objective:,.0f} yuan "
        f"({saved:,.0f} less than keeping everything), bound {result.bound:,.0f}, gap {result.gap:.1%}; "
        "costs are editable assumptions, not a budget",
    )
    _wrote(written, lang)
    _say(
        lang,
        f"查看：catchment run {written[0]}",
        f"look at it: catchment run {written[0]}",
    )


def _wrote(written: Sequence[Path], lang: str) -> None:
    _say(
        lang,
        "已写入 " + "、".join(str(p) for p in written),
        "wrote " + ", ".join(str(p) for p in written),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors are shown to people, never as a traceback.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after ``catchment``; those of the process when left out.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [w for w in words if w != "--debug"]
    for stream in (sys.stdout, sys.stderr):
        # A Windows console may not speak UTF-8; an unknown sign must not stop a run.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if not debug:
        warnings.simplefilter("ignore")
    try:
        app(words, standalone_mode=True)
    except CatchmentError as fault:
        if debug:
            raise
        _console(error=True).print(f"[bold red]错误 / error[/]: {escape(str(fault))}")
        raise SystemExit(2) from fault
    except KeyboardInterrupt as stop:
        _console(error=True).print("已停止 / stopped")
        raise SystemExit(130) from stop
    except Exception as fault:
        if debug:
            raise
        _console(error=True).print(
            f"[bold red]程序内部错误 / internal error[/]: {escape(f'{type(fault).__name__}: {fault}')}\n"
            "这是程序的缺陷，没有写出结果；加 --debug 重新运行可得到完整记录 / "
            "this is a fault of the program; nothing was written; run again with --debug for the record"
        )
        raise SystemExit(70) from fault
