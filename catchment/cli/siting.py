"""The door to the siting questions: where schools should stand, and how many it takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catchment.cli.doors import Lang, Out, app, check_lang, output_folder, progress, say, wrote
from catchment.english import counted
from catchment.errors import InputError

if TYPE_CHECKING:
    from catchment.run.siting import Sited, Wanted


_NAMED = 20
"""Villages named at most in one line; all of them stand in the table."""


@app.command()
def site(
    scenario: Path,
    ask: Annotated[
        str,
        typer.Option(
            help="median 总路程最短、centre 最长路程最短、coverage 限时内学生最多、cover 最少几所、places 按学位和费用 / "
            "least travel, shortest longest trip, most within the minutes, fewest schools, places and cost"
        ),
    ] = "median",
    count: Annotated[
        int | None, typer.Option(min=1, help="学校数，含保留的 / schools, kept ones included")
    ] = None,
    within: Annotated[
        float | None,
        typer.Option(
            help="单程分钟数；不写则用各学段自己的上限 / minutes one way; each band's own limit when left out"
        ),
    ] = None,
    band: Annotated[list[str] | None, typer.Option(help="只算这些学段 / these bands alone")] = None,
    year: Annotated[
        int | None,
        typer.Option(help="按哪一年的学生，默认最后一年 / whose students; the last year"),
    ] = None,
    stay: Annotated[
        bool,
        typer.Option("--stay", help="现有学校全部保留，只选新增的 / all schools of today stay"),
    ] = False,
    build: Annotated[
        bool, typer.Option("--build", help="可选通过筛查的备选校址 / candidate sites that pass")
    ] = False,
    reopen: Annotated[
        bool, typer.Option("--reopen", help="可选停办的学校 / closed schools, too")
    ] = False,
    time_limit: Annotated[float, typer.Option(min=0.1, help="求解秒数 / seconds")] = 60.0,
    out: Out = None,
    lang: Lang = "zh",
) -> None:
    """学校设在哪里、最少要几所：五个选址问题，附证明的界 / where schools should stand, with a proof."""
    from catchment.region.read import read_region
    from catchment.run.siting import ASKS, Wanted, site_schools
    from catchment.scenario import read_scenario

    check_lang(lang)
    asked = next((one for one in ASKS if one == ask), None)
    if asked is None:
        raise InputError(f"--ask {ask} 应为 {'、'.join(ASKS)} 之一 / must be one of these")
    recipe = read_scenario(scenario)
    folder = scenario.parent / recipe.region
    target = output_folder(out or Path("runs") / f"{scenario.stem}-sites", folder)
    wanted = Wanted(asked, count, within, tuple(band or ()), year, stay, build, reopen, time_limit)
    with progress() as tell:
        tell("读取县域数据 / reading the county")
        region = read_region(folder)
        tell("选址 / siting")
        found = site_schools(recipe, region, wanted)
    _tell(found, wanted, lang)
    wrote(write_sites(found, target), lang)


def _tell(found: Sited, wanted: Wanted, lang: str) -> None:
    today, answer = (
        dict(zip(found.figures["figure"], found.figures[c], strict=True))
        for c in ("today", "answer")
    )
    proved = found.status == "optimal"
    sure_zh = "已证明没有更好的" if proved else f"已证明不会好过 {found.bound:,.1f}"
    sure_en = "proved best" if proved else f"proved: none is better than {found.bound:,.1f}"
    told = {
        "median": (f"平均单程 {found.objective:.2f} 分钟", f"mean trip {found.objective:.2f} min"),
        "centre": (
            f"最长单程 {found.objective:.1f} 分钟",
            f"longest trip {found.objective:.1f} min",
        ),
        "coverage": (
            f"限时内学生 {found.objective:,.0f} 人",
            f"{counted(found.objective, 'student', form=',.0f')} within the limit",
        ),
        "cover": (
            f"至少需要 {found.objective:.0f} 所",
            f"{counted(found.objective, 'school is', 'schools are', form='.0f')} needed",
        ),
        "places": (
            f"每年 {found.objective:,.0f} 元（可编辑的设定值，不是预算）",
            f"{found.objective:,.0f} yuan a year (editable assumptions, not a budget)",
        ),
    }[wanted.ask]
    say(
        lang,
        f"{int(answer['schools'])} 所学校（今天 {int(today['schools'])} 所）：{told[0]}，{sure_zh}",
        f"{counted(int(answer['schools']), 'school')} ({int(today['schools'])} today): {told[1]}, "
        f"{sure_en}",
    )
    say(
        lang,
        f"平均单程 {today['minutes_mean']} → {answer['minutes_mean']} 分钟，最长 {today['minutes_longest']} → "
        f"{answer['minutes_longest']} 分钟；限时内 {today['students_within']:,.0f} → "
        f"{answer['students_within']:,.0f} 人，共 {answer['students']:,.0f} 人（今天指今天的学校和该年的学生）",
        f"mean trip {today['minutes_mean']} to {answer['minutes_mean']} min, longest "
        f"{today['minutes_longest']} to {answer['minutes_longest']}; within the limit "
        f"{today['students_within']:,.0f} to {answer['students_within']:,.0f} of "
        f"{counted(answer['students'], 'student', form=',.0f')} (today: today's schools, "
        "that year's students)",
    )
    left = found.villages[~found.villages["reached"]]
    if len(left):
        named = list(dict.fromkeys(left["village"].astype(str)))
        more = len(named) - _NAMED
        who = "、".join(named[:_NAMED])
        rest_zh, rest_en = (f" 等，另 {more} 个", f" and {more} more") if more > 0 else ("", "")
        say(
            lang,
            f"任选校点也做不到的村（{left['village_id'].nunique()} 个，{left['students'].sum()} 人）：{who}{rest_zh}",
            f"no choice of sites does it for {counted(left['village_id'].nunique(), 'village')} "
            f"({counted(left['students'].sum(), 'student')}): {who.replace('、', ', ')}{rest_en}",
        )
    say(
        lang,
        "选址只看路程和座位，不分年、不编班；分年方案请用 catchment propose",
        "siting looks at trips and places alone, in one year; phased plans: catchment propose",
    )


def write_sites(found: Sited, target: Path) -> list[Path]:
    """Write an answer as tables.

    Parameters
    ----------
    found : Sited
        The answer.
    target : Path
        Output folder.

    Returns
    -------
    list of Path
        What was written.
    """
    import pandas as pd

    from catchment.views.files import write_text
    from catchment.views.tables import frame_csv

    proof = pd.DataFrame(
        {
            "status": [found.status], "objective": [found.objective], "bound": [found.bound],
            "unit": [found.unit],
        }
    )  # fmt: skip
    tables = {
        "sites": found.sites, "villages": found.villages, "figures": found.figures, "proof": proof,
    }  # fmt: skip
    return [write_text(target / f"{name}.csv", frame_csv(table)) for name, table in tables.items()]
