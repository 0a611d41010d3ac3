"""Doors to plans and registers: decided, projected, continued."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from catchment.cli.doors import (
    Lang,
    Out,
    app,
    check_lang,
    console,
    output_folder,
    progress,
    say,
    wrote,
)
from catchment.english import counted
from catchment.errors import InputError


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

    check_lang(lang)
    record = read_record(run)
    old = run / str(record.get("recipe") or "scenario.toml")
    target = out or old.with_name(f"{old.stem}-decided.toml")
    actions = read_actions(workbook)
    name = f"{record['name']}（按行动清单）"
    wrote([write_recipe(record["scenario"], actions, target, name=name)], lang)
    say(lang, f"运行：catchment run {target}", f"run it: catchment run {target}")


@app.command()
def cohorts(
    region: Path,
    years: Annotated[int, typer.Option(help="推算年数 / years to carry on")] = 10,
    base: Annotated[int | None, typer.Option(help="基年 / base year")] = None,
    migration: Annotated[
        float, typer.Option(help="每年迁入县城的比例 / share that moves to town a year")
    ] = 0.0,
    incoming: Annotated[
        str,
        typer.Option(
            help="每年迁入县城的随迁子女：总人数，或分年级如 5,4,4,3,3,2,6,4,2 / children of migrant workers "
            "who arrive in the town each year: one number, or by grade"
        ),
    ] = "",
    special: Annotated[
        Path | None,
        typer.Option(
            help="随班就读残疾儿童分村分年级人数表（只汇总到乡镇） / children with disabilities in ordinary "
            "classes by village and grade (shown by township only)"
        ),
    ] = None,
    spread: Annotated[
        float, typer.Option(help="高、低方案新生年增减率 / yearly difference of the variants")
    ] = 0.01,
    draws: Annotated[int, typer.Option(help="随机推算次数 / draws of the ensemble")] = 200,
    seed: int = 0,
    out: Out = None,
    lang: Lang = "zh",
) -> None:
    """推算今后各年学生数（高、中、低方案）/ children of the years to come, in three variants."""
    from catchment.region.read import read_region
    from catchment.views.registers import project_cohorts, read_special, write_cohorts

    check_lang(lang)
    arriving = _whole_numbers(incoming)
    with progress() as tell:
        tell("读取县域数据 / reading the county")
        county = read_region(region)
        tell("队列推算 / cohorts")
        result = project_cohorts(
            county,
            years,
            base=base,
            migration=migration,
            incoming=arriving,
            special=None if special is None else read_special(special),
            spread=spread,
            draws=draws,
            seed=seed,
        )
        written = write_cohorts(result, county, out or Path("runs") / "cohorts")
    for note in result.notes:
        console().print(escape(f"· {note}"))
    wrote(written, lang)


def _whole_numbers(text: str) -> tuple[int, ...]:
    """Numbers parted by commas; none for an empty text."""
    parts = [p.strip() for p in text.replace("，", ",").split(",") if p.strip()]
    if not all(p.isdigit() for p in parts):
        raise InputError(
            f"--incoming {text}: 应为非负整数，可用逗号分列各年级 / whole numbers, parted by commas"
        )
    return tuple(int(p) for p in parts)


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

    from catchment.views.folder import reload_run
    from catchment.views.registers import (
        continue_ledger,
        elimination_of,
        write_continued,
        write_elimination,
    )

    check_lang(lang)
    written = []
    with progress() as tell:
        result = reload_run(run, progress=tell)
        tell("消除计划 / elimination plan")
        plan = elimination_of(result, target=target, transfers=transfers, time_limit=time_limit)
        written += write_elimination(plan, run)
        if previous is not None:
            today = datetime.now(UTC).astimezone().date()
            carried = continue_ledger(result, previous, today)
            written += write_continued(result, carried, run, lang=lang)
    say(
        lang,
        f"消除计划（{plan.status}）：调整 {plan.moved} 名学生，新增 {plan.new_rooms} 间教室，"
        f"仍超 {plan.excess} 人（已证明至少 {plan.excess_bound} 人），{len(plan.blocked)} 处受阻；"
        f"代价 {plan.objective:g}，下界 {plan.bound:g}，用时 {plan.seconds:.1f} 秒",
        f"elimination plan ({plan.status}): {counted(plan.moved, 'student')} moved, "
        f"{counted(plan.new_rooms, 'room')} added, {counted(plan.excess, 'student')} still above "
        f"(proved: at least {plan.excess_bound}), "
        f"{counted(len(plan.blocked), 'place stands', 'places stand')} in the way; "
        f"cost {plan.objective:g}, bound {plan.bound:g}, {plan.seconds:.1f} seconds",
    )
    if previous is not None:
        say(
            lang,
            f"零增量：{'是' if carried.zero_growth else '否'}（新增 {len(carried.new)} 个班）；"
            f"上期台账问题 {len(carried.problems)} 条",
            f"zero growth: {'yes' if carried.zero_growth else 'no'} "
            f"({counted(len(carried.new), 'new class', 'new classes')}); "
            f"{counted(len(carried.problems), 'problem')} in the earlier ledger",
        )
    wrote(written, lang)


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
    from catchment.views.folder import reload_run
    from catchment.views.registers import survey_read, write_answers, write_survey

    check_lang(lang)
    with progress() as tell:
        result = reload_run(run, progress=tell)
        if read is None:
            written = [write_survey(result, (out or run) / "survey.xlsx")]
        else:
            tell("读回摸底表 / reading the survey back")
            found = survey_read(read, result.region)
            target = output_folder(out or run / "survey-county")
            written, problems = write_answers(found, result.region, target)
    if read is not None:
        say(
            lang,
            f"问题 {problems} 条，尚缺 {int(found.missing['cells_missing'].sum())} 项；答复已写成新的"
            f"县域数据，可用 catchment check {target / 'county.gpkg'} 查看，原数据未改动",
            f"{counted(problems, 'problem')}, "
            f"{counted(int(found.missing['cells_missing'].sum()), 'item')} missing; the "
            f"answers are layers of a new county, look at it with catchment check "
            f"{target / 'county.gpkg'}; the source is unchanged",
        )
    wrote(written, lang)
