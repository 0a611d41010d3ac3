"""The door to the optimiser's proposals: plans of years to choose from, edit and run."""

from __future__ import annotations

import io
import os
import signal
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any
from zipfile import BadZipFile

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
from catchment.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from catchment.optimise.consolidation import Memory
    from catchment.run import Proposal
    from catchment.scenario import Scenario

MEMORY = "search.npz"
"""File in which a search is kept, to be gone on with."""

BOOK = "proposal.xlsx"
"""Workbook of a proposal's tables, for people."""


@app.command()
def propose(
    scenario: Path,
    time_limit: Annotated[float, typer.Option(min=0.1, help="求解秒数 / seconds")] = 60.0,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1, help="求解轮数，代替秒数：任何机器结果相同 / rounds instead of seconds"
        ),
    ] = None,
    plans: Annotated[
        int,
        typer.Option(
            min=0, help="供选择的方案数（0 或至少 5） / plans to choose from (0, or 5 and more)"
        ),
    ] = 0,
    prices: Annotated[
        int,
        typer.Option(min=0, help="为几所学校计算保留与撤并的代价 / schools on the hearing list"),
    ] = 0,
    draws: Annotated[
        int,
        typer.Option(
            min=0, help="对学生数抽样多少次来检验方案 / draws of the children to judge by"
        ),
    ] = 0,
    class_size: Annotated[
        int | None,
        typer.Option(
            min=10,
            max=60,
            help="另作“小班化、不撤并”方案的班额 / class size of a plan without closures",
        ),
    ] = None,
    closures: Annotated[
        int | None, typer.Option(min=0, help="每年最多撤并几所 / closures a year at most")
    ] = None,
    closures_total: Annotated[
        int | None, typer.Option(min=0, help="各年合计最多撤并几所 / closures in all at most")
    ] = None,
    moved: Annotated[
        int | None, typer.Option(min=0, help="每年最多几名学生转学 / students moved a year at most")
    ] = None,
    areas: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="学生不出片区：0 用县里的片区，数目则由程序划分 / nobody leaves an area: 0 the county's own, else so many drawn",
        ),
    ] = None,
    robust: Annotated[
        int,
        typer.Option(
            min=0,
            help="为多少次抽样各自求解以寻找稳健方案（需要 --draws） / draws planned for in search of a robust plan",
        ),
    ] = 0,
    build: Annotated[
        bool,
        typer.Option(
            "--build", help="可在通过筛查的备选校址建校 / may build on candidate sites that pass"
        ),
    ] = False,
    reopen: Annotated[
        bool,
        typer.Option("--reopen", help="停办的学校可以恢复 / closed schools may open again"),
    ] = False,
    hand: Annotated[
        list[Path] | None,
        typer.Option(help="手工方案，与最优方案并排评判 / a recipe made by hand, judged beside"),
    ] = None,
    least: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="学校最少人数；不得撤并的学校除外，会逐一列出 / smallest school; those that may not close are exempt, and named",
        ),
    ] = None,
    most: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="接收学生的学校最多人数；自己已经更大的不拆分 / largest school that takes students in; those larger by themselves stay so",
        ),
    ] = None,
    boarding_minutes: Annotated[
        float | None,
        typer.Option(
            min=5, max=600, help="寄宿生每周单程最多几分钟 / longest weekly trip of a boarder"
        ),
    ] = None,
    finish: Annotated[
        bool,
        typer.Option(
            "--finish",
            help="在校生在原校读完本学段，只有新生换校 / current students finish their band, only entrants move",
        ),
    ] = False,
    keep_share: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="不撤的学校每年至少有今天学区人数的几成（0–1；按人数计，不论来自哪村） / students of a school that stays, in heads, as a share of its catchment of today (0.5)",
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(help="从以前的 search.npz 接着找 / go on from an earlier search.npz"),
    ] = None,
    out: Out = None,
    lang: Lang = "zh",
) -> None:
    """由优化器提出分年布局方案，写成可编辑的方案文件 / let the optimiser write phased recipes."""
    from catchment.optimise.consolidation import FEWEST_PLANS
    from catchment.region.read import read_region
    from catchment.run import Wish
    from catchment.run import propose as make_proposal
    from catchment.run.asked import with_demands
    from catchment.scenario import read_scenario

    check_lang(lang)
    recipe = with_demands(
        read_scenario(scenario),
        closures_per_year=closures, closures_total=closures_total, moved_per_year=moved,
        min_size=least, max_size=most, boarding_minutes=boarding_minutes, kept_share=keep_share,
        finish=True if finish else None,
    )  # fmt: skip
    folder = scenario.parent / recipe.region
    target = output_folder(out or Path("runs") / f"{scenario.stem}-proposal", folder)
    wish = Wish(
        time_limit=time_limit,
        steps=steps,
        plans=plans,
        prices=prices,
        draws=draws,
        class_size=class_size,
        areas=areas,
        robust=robust,
        build=build,
        reopen=reopen,
    )
    # What is refused is refused before anything is searched.
    if 0 < plans < FEWEST_PLANS:
        raise InputError(
            f"--plans {plans} 应为 0 或至少 {FEWEST_PLANS} / --plans must be 0, or {FEWEST_PLANS} and more"
        )
    if robust and not draws:
        raise InputError("--robust 需要 --draws：稳健是对抽样而言 / --robust needs --draws")
    hands = [read_scenario(path) for path in hand or []]
    memory = None if resume is None else read_memory(resume)
    with progress() as tell, ctrl_c() as stopped:
        tell("读取县域数据 / reading the county")
        region = read_region(folder)
        result = make_proposal(
            recipe, region, wish=wish, memory=memory, hands=hands, stopped=stopped, progress=tell
        )
    written = write_proposal(result, recipe, folder, target, lang)
    for violation in result.violations:
        zh, _, en = violation.partition(" / ")
        console(error=True).print(f"[bold red]{escape(zh if lang == 'zh' else en or zh)}[/]")
    _tell(result, written, lang)


@contextmanager
def ctrl_c() -> Iterator[Callable[[], bool]]:
    """Remember that Ctrl-C was pressed: the search ends, and what it has found is still written.

    Yields
    ------
    callable
        Whether it was pressed. The second press stops the command itself.
    """
    heard: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.getsignal(signal.SIGINT)

    def _note(number: int, frame: FrameType | None) -> None:
        """Remember, then do as Ctrl-C does."""
        heard.append(number)
        raise KeyboardInterrupt

    if before == signal.default_int_handler:
        signal.signal(signal.SIGINT, _note)
    try:
        yield lambda: bool(heard)
    finally:
        signal.signal(signal.SIGINT, before)


def _tell(result: Proposal, written: list[Path], lang: str) -> None:
    from catchment.run.offer import different
    from catchment.run.spoken import remedies

    saved = float(result.costs["keep"].sum() - result.costs["plan"].sum())
    count = sum(a["do"] != "move" for a in result.recipe["action"])
    # The plan that keeps everything still does what the recipe itself says.
    base_zh, base_en = "全部保留", "keeping everything"
    if result.today is not None:
        base_zh, base_en = "只做方案自己的行动", "doing what the recipe itself says alone"
    say(
        lang,
        f"{result.status}：{count} 个行动，总成本 {result.objective:,.0f} 元"
        f"（比{base_zh}少 {saved:,.0f} 元），下界 {result.bound:,.0f} 元，差距 {result.gap:.1%}；"
        "费用为可编辑的设定值，不是预算",
        f"{result.status}: {counted(count, 'action')}, total cost {result.objective:,.0f} yuan "
        f"({saved:,.0f} less than {base_en}), bound {result.bound:,.0f}, gap {result.gap:.1%}; "
        "costs are editable assumptions, not a budget",
    )
    if result.today is not None:
        yuan = result.today.figures.yuan
        less = yuan - result.offers[result.proposed].figures.yuan
        say(
            lang,
            f"今天的布局（不做任何行动）总成本 {yuan:,.0f} 元，推荐方案比它{'少' if less >= 0 else '多'} {abs(less):,.0f} 元",
            f"today's arrangement (no action at all) costs {yuan:,.0f} yuan; the proposed plan costs "
            f"{abs(less):,.0f} {'less' if less >= 0 else 'more'}",
        )
    for note in result.notes:
        zh, _, en = note.partition(" / ")
        say(lang, zh, en)
    clean = sum(len(o.broken) == 0 for o in result.offers)
    count, apart = len(result.offers), different(result.offers)
    apart_zh = "" if apart == count else f"（去掉重复为 {apart} 个）"
    apart_en = "" if apart == count else f" ({apart} without repetitions)"
    worse = result.moves[result.moves["worse"]] if len(result.moves) else result.moves
    villages = worse["village_id"].nunique() if len(worse) else 0
    boarding = int(result.moves["boards"].sum()) if len(result.moves) else 0
    say(
        lang,
        f"{count} 个方案{apart_zh}，{clean} 个不新增违反强制规则；推荐方案中 {villages} 个村"
        f"每天多走 10 分钟以上，{boarding} 个村（学段）开始寄宿",
        f"{counted(count, 'plan')}{apart_en}, {counted(clean, 'breaks', 'break')} no hard rule that "
        f"today keeps; in the proposed one {counted(villages, 'village travels', 'villages travel')} "
        "more than 10 minutes longer each day, "
        f"{counted(boarding, 'village-band begins', 'village-bands begin')} to board",
    )
    lacking = result.offers[result.proposed].broken
    if len(lacking):
        codes = "、".join(f"{c} {n}" for c, n in lacking["code"].value_counts().items())
        own = int((lacking["demand"] != "").sum())
        what_zh, what_en = remedies(lacking)
        say(
            lang,
            f"推荐方案还不能实施：新违反强制规则 {len(lacking)} 处（{codes}），其中 {own} 处由方案自己的行动造成；{what_zh}",
            f"the proposed plan cannot be carried out yet: it newly breaks "
            f"{counted(len(lacking), 'hard rule')} ({codes.replace('、', ', ')}), {own} of them by "
            f"the recipe's own actions; {what_en}",
        )
    if result.stopped:
        say(
            lang,
            "已按 Ctrl-C 停止：以上是迄今最好的方案和下界；用 --resume 接着找",
            "stopped by Ctrl-C: this is the best plan so far and its bound; go on with --resume",
        )
    for row in result.byhand.iloc[1:].to_dict("records"):
        say(lang, *_by_hand(row))
    wrote(written, lang)
    say(
        lang,
        f"先看 {written[1]}（方案比较、行动与理由、听证清单）；出图和文件：catchment run {written[0]}",
        f"read {written[1]} first (plans, actions with reasons, hearing list); maps and documents: "
        f"catchment run {written[0]}",
    )


def _by_hand(row: Mapping[Any, Any]) -> tuple[str, str]:
    """Say how a plan made by hand stands beside the proposed one, what it lacks built as well."""
    zh = (
        f"{row['name']}：{row['yuan']:,.0f} 元，比推荐方案多 {row['more_yuan']:,.0f} 元，距下界 "
        f"{row['gap']:.1%}；新违反强制规则 {row['hard_rules_broken']} 处，未守住要求 {row['demands_broken']} 处"
    )
    en = (
        f"{row['name']}: {row['yuan']:,.0f} yuan, {row['more_yuan']:,.0f} more than the proposed "
        f"plan, {row['gap']:.1%} from the bound; "
        f"{counted(row['hard_rules_broken'], 'hard rule')} and "
        f"{counted(row['demands_broken'], 'demand')} broken"
    )
    kinds = (
        ("rooms", "教室 {} 间", "classroom"), ("beds", "床位 {} 张", "bed"),
        ("seats", "餐位 {} 个", "dining seat"), ("naps", "午休位 {} 个", "nap place"),
    )  # fmt: skip
    lacks = [(z, e, row[f"{kind}_lacking"]) for kind, z, e in kinds if row[f"{kind}_lacking"]]
    if not lacks:
        return zh, en
    lacks_zh = "、".join(z.format(n) for z, _, n in lacks)
    lacks_en = ", ".join(counted(n, e) for _, e, n in lacks)
    zh += (
        f"。该费用不含所缺的{lacks_zh}；补建后 {row['built_yuan']:,.0f} 元，比推荐方案多 "
        f"{row['built_more_yuan']:,.0f} 元，距下界 {row['built_gap']:.1%}，仍未守住要求 {row['built_demands_broken']} 处"
    )
    en += (
        f". This leaves out what it lacks ({lacks_en}); with that built {row['built_yuan']:,.0f} yuan, "
        f"{row['built_more_yuan']:,.0f} more than the proposed plan, {row['built_gap']:.1%} from the "
        f"bound, {counted(row['built_demands_broken'], 'demand')} broken still"
    )
    return zh, en


def write_proposal(
    result: Proposal, scenario: Scenario, folder: Path, target: Path, lang: str = "zh"
) -> list[Path]:
    """Write a proposal: recipes, a workbook, its tables, and the memory of its search.

    Parameters
    ----------
    result : Proposal
        The proposal.
    scenario : Scenario
        The recipe that was asked.
    folder : Path
        The county's folder; recipes name it relative to themselves.
    target : Path
        Output folder.
    lang : {"zh", "en"}
        Language of the workbook.

    Returns
    -------
    list of Path
        What was written, the proposed recipe first, then the workbook.
    """
    from catchment.views.decisions import write_recipe
    from catchment.views.files import write_bytes, write_text
    from catchment.views.proposal_book import book_of
    from catchment.views.tables import frame_csv

    def recipe(plain: dict[str, Any], path: Path) -> Path:
        """Write one recipe beside the others."""
        place = Path(os.path.relpath(folder.resolve(), path.parent.resolve())).as_posix()
        # Roads are taken from the recipe itself by the writer.
        own = [a for a in plain["action"] if a["do"] != "road"]
        return write_recipe({**plain, "region": place}, own, path)

    again = (target / "proposal.toml").is_file()
    written = [recipe(result.recipe, target / "proposal.toml")]
    if len(result.offers) > 2:
        for k, offer in enumerate(result.offers, start=1):
            written.append(recipe(offer.recipe, target / "plans" / f"plan-{k:02d}.toml"))
    tables = {
        "plans": result.plans,
        "costs": result.costs,
        "actions": result.actions,
        "villages": result.moves,
        "hearing": result.schools,
        "broken": result.broken,
        "outlook": result.outlook,
        "futures": result.futures,
        "certain": result.certain,
        "areas": result.areas,
        "pieces": result.pieces,
        "screening": result.screening,
        "byhand": result.byhand,
        "demands": result.demands,
    }
    content = book_of(tables, lang, int(result.recipe["years"][0]))
    written.insert(1, write_bytes(target / BOOK, content))
    for name, table in tables.items():
        if len(table):
            written.append(write_text(target / f"{name}.csv", frame_csv(table)))
    if result.memory is not None:
        written.append(write_memory(result.memory, target / MEMORY))
    if again:
        # Of the earlier proposal nothing may lie beside this one.
        own = [*(target / f"{name}.csv" for name in tables), target / MEMORY, target / BOOK]
        for old in {*own, *(target / "plans").glob("plan-*.toml")} - set(written):
            old.unlink(missing_ok=True)
    return written


def write_memory(memory: Memory, path: Path) -> Path:
    """Keep a search, to be gone on with.

    Parameters
    ----------
    memory : Memory
        Where the search ended.
    path : Path
        The file (plain arrays, nothing pickled).

    Returns
    -------
    Path
        ``path``; written whole or not at all.
    """
    import numpy as np

    from catchment.views.files import steady_zip, write_bytes

    unit, pace, link = memory.prices
    content = io.BytesIO()
    np.savez(content, site_of=memory.site_of, unit=unit, pace=pace, link=link)
    return write_bytes(path, steady_zip(content.getvalue()))


def read_memory(path: Path) -> Memory:
    """Read a search that was kept.

    Parameters
    ----------
    path : Path
        As :func:`write_memory` wrote it.

    Returns
    -------
    Memory
        Where the search ended.

    Raises
    ------
    NotFoundError
        When the file does not exist.
    InputError
        When it is no such file.
    """
    import numpy as np

    from catchment.optimise.consolidation import Memory

    if not path.is_file():
        raise NotFoundError(f"找不到 {path.name} / file not found: {path.name}")
    try:
        # Read whole first: numpy leaves the file of a broken archive open.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            prices = tuple(
                np.asarray(arrays[k], dtype=np.float64) for k in ("unit", "pace", "link")
            )
            return Memory(np.asarray(arrays["site_of"], dtype=np.int32), prices)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error, RuntimeError) as fault:
        raise InputError(
            f"{path.name} 不是 catchment propose 保存的搜索；请重新求解 / is no search kept by propose"
        ) from fault
