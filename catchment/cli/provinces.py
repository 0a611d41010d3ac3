"""The door to many counties at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from catchment.cli.doors import Lang, Out, SetAside, app, check_lang, console, output_folder, say
from catchment.english import counted


@app.command()
def batch(
    folder: Path,
    out: Out = None,
    recipe: Annotated[
        str, typer.Option("--recipe", help="只算此名的方案 / only recipes of this name")
    ] = "",
    workers: Annotated[int, typer.Option(help="本机进程数 / processes on this machine")] = 2,
    scheduler: Annotated[
        str | None, typer.Option(help="Dask 调度器地址 / address of a Dask scheduler")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="每县写出地图和文档 / maps and documents of each county")
    ] = False,
    retry: Annotated[
        bool,
        typer.Option("--retry", help="重试被拒绝或隔离的县 / try refused and quarantined again"),
    ] = False,
    attempts: Annotated[
        int, typer.Option(min=1, help="失败几次后隔离 / failures before quarantine")
    ] = 3,
    minutes: Annotated[
        float, typer.Option(help="每县最长分钟数（本机）/ longest minutes of one county here")
    ] = 120.0,
    border: Annotated[
        float,
        typer.Option(
            min=0.0,
            help="县界两侧多少公里内互看：无校可上或超时的村由邻县空余教室接收 / km across borders: villages "
            "without a school or over the limit go where a neighbour has room",
        ),
    ] = 0.0,
    set_aside: SetAside = False,
    lang: Lang = "zh",
) -> None:
    """批量计算多个县和方案，可随时中断续算 / many counties and recipes; stop and go on at any time."""
    from catchment.batch import find_tasks, run_batch

    language = check_lang(lang)
    target = output_folder(out or Path("runs") / f"batch-{folder.resolve().name}")
    tasks = find_tasks(
        folder, recipe=recipe, full=full, set_aside=set_aside, lang=language, reach_km=border
    )
    screen = console(error=True)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=screen, disable=not screen.is_terminal,
    )  # fmt: skip
    with bar:
        shown = bar.add_task("", total=len(tasks))

        def tell(text: str) -> None:
            bar.update(shown, completed=int(text.split("/")[0]), description=escape(text[:60]))
            if not screen.is_terminal:
                screen.print(escape(f"· {text}"))

        outcome = run_batch(
            tasks,
            target,
            workers=workers,
            scheduler=scheduler,
            attempts=attempts,
            time_limit=minutes * 60,
            retry=retry,
            lang=language,
            progress=tell,
        )
    counts = outcome.table["state"].value_counts()
    for row in outcome.table[outcome.table["state"] != "done"].itertuples(index=False):
        screen.print(f"[bold red]{escape(str(row.state))}[/] {escape(f'{row.name}: {row.said}')}")
    done, bad = int(counts.get("done", 0)), len(outcome.table) - int(counts.get("done", 0))
    page = target / "province" / "province.html"
    say(
        lang,
        f"完成 {done} 项，未完成 {bad} 项。已写入 {target / 'province'}；先打开 {page}",
        f"{done} done, {bad} not done. Written to {target / 'province'}; open {page} first",
    )
    guests = target / "province" / "guests.csv"
    if border and guests in outcome.written:
        table = pd.read_csv(guests, encoding="utf-8-sig", keep_default_na=False)
        seated = table[table["school_id"] != ""]
        year = int(table["year"].max()) if len(table) else 0
        now, all_ = (int(t.loc[t["year"] == year, "students"].sum()) for t in (seated, table))
        say(
            lang,
            f"跨县就读：{year} 年 {all_} 名有路可达的学生中，邻县接收 {now} 名；见 {guests}",
            f"across borders: of {counted(all_, 'student')} with a way there, neighbours "
            f"take in {now} in {year}; see {guests}",
        )
        left = pd.read_csv(guests.with_name("left_behind.csv"), encoding="utf-8-sig")
        cut = left[(left["year"] == year) & (left["cut_off"] > 0)]
        if len(cut):
            say(
                lang,
                f"其中 {len(cut)} 个学区（学校、学段）因有村离开而留下飞地；见 left_behind.csv",
                f"those who leave cut {counted(len(cut), 'catchment')} (school and band) in pieces; see "
                "left_behind.csv",
            )
    if bad:
        raise typer.Exit(1)
