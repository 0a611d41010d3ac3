"""The closing gate: what a merger, a closure or a downgrade has to pass (撤并关口).

Data decide what they can; documents that nobody has recorded stay awaited; what is missing stays
unknown. A hard item that is broken forbids the change and is named in the verdict.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catchment.rules.clause import Rule
from catchment.rules.facts import Case
from catchment.rules.findings import NAN, Findings
from catchment.rules.records import judged
from catchment.rules.size import OneClass, actual_classes, classes_of

Int64 = npt.NDArray[np.int64]

VERDICT = Rule(
    code="R-GATE",
    title_zh="撤并关口结论",
    title_en="Verdict of the closing gate",
    quantity="hard_items_broken",
    operator="=",
    limit=0.0,
    unit="items",
    applies_to="closing",
    severity="hard",
    evaluate="computed",
    jurisdiction="national",
    effective_from="",
    effective_to="",
    document_zh="国务院办公厅关于规范农村义务教育学校布局调整的意见",
    document_en="Opinions on regulating the adjustment of the layout of rural compulsory schools",
    document_no="国办发〔2012〕48号",
    year="2012",
    clause="",
    verified=True,
    note_zh="汇总各硬性条件",
    note_en="Sums up the hard items",
)


@dataclass(frozen=True)
class Closing:
    """One school that the plan closes, merges or downgrades.

    Attributes
    ----------
    site, year : int
        Position of the site and of the first year of the change.
    kind : str
        ``closed`` or ``downgraded``.
    groups : tuple of int
        Groups with students that the school loses.
    receivers : tuple of int
        Sites that take them.
    """

    site: int
    year: int
    kind: str
    groups: tuple[int, ...]
    receivers: tuple[int, ...]


def closings(case: Case) -> tuple[Closing, ...]:
    """Schools open today that teach fewer bands in some year of the plan.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    tuple of Closing
        One entry a school and each further reduction, in order of school and year.
    """
    problem, plan = case.problem, case.plan
    out: list[Closing] = []
    for j in np.flatnonzero(problem.today_open.any(axis=1)):
        before = problem.today_open[j]
        for t in range(len(problem.years)):
            now = plan.open[j, :, t]
            lost = before & ~now
            if lost.any():
                member = (problem.today == j) & lost[problem.group_band]
                groups = np.flatnonzero(member & (case.rolls[0].students[:, t] > 0))
                sites = plan.site_of[groups, t]
                out.append(
                    Closing(
                        site=int(j),
                        year=t,
                        kind="downgraded" if now.any() else "closed",
                        groups=tuple(int(i) for i in groups),
                        receivers=tuple(sorted({int(s) for s in sites if s >= 0})),
                    )
                )
            before = before & now
    return tuple(out)


def check_gate(case: Case, out: Findings) -> None:
    """Check every closing against every clause for closings.

    Parameters
    ----------
    case : Case
        The case.
    out : Findings
        Takes one finding a closing and item, and a verdict for each closing.
    """
    rules = [r for r in case.rules if "closing" in r.scope]
    found = closings(case)
    takes = {j for closing in found for j in closing.receivers}
    classes = classes_of(case, takes) if found else []
    actual = actual_classes(case) if found else {}
    for closing in found:
        start = len(out.rows)
        for rule in rules:
            if rule.evaluate == "evidence":
                _evidence(case, closing, rule, out)
            elif rule.code == "R-CON-02":
                _trips(case, closing, rule, out)
            elif rule.code == "R-CON-03":
                _room_for(case, closing, rule, out)
            elif rule.code == "R-CON-04":
                _receiver_size(case, closing, rule, out, classes)
            elif rule.code == "R-CON-05":
                _receiver_classes(case, closing, rule, out, actual)
            elif rule.code == "R-CON-06":
                _rooms_first(case, closing, rule, out)
            elif rule.code == "R-CON-07":
                _small(case, closing, rule, out)
        _verdict(case, closing, out, start)
    if not found:
        for rule in [*rules, VERDICT]:
            out.add(
                rule,
                "county",
                "county",
                "全县",
                case.problem.years[0],
                NAN,
                "pass",
                "本方案没有撤并或降格的学校",
                "the plan closes, merges or downgrades no school",
            )


def _verdict(case: Case, closing: Closing, out: Findings, start: int) -> None:
    rows = out.rows[start:]

    def codes(result: str, severity: str = "hard") -> list[str]:
        chosen = (r["code"] for r in rows if r["result"] == result and r["severity"] == severity)
        return sorted(set(chosen))

    broken = codes("fail")
    open_items, doubtful = codes("unknown"), codes("unknown", "process")
    awaited = sorted({r["code"] for r in rows if r["result"] == "evidence"})
    process = codes("fail", "process")
    if broken:
        result = "fail"
        zh, en = f"不得撤并：{'、'.join(broken)} 不符合", f"forbidden by {', '.join(broken)}"
    elif process:
        result = "fail"
        zh, en = "程序未完成，不得实施", "steps not carried out: not to be done"
    elif open_items:
        result = "unknown"
        zh = f"无法判定：{'、'.join(open_items)} 缺少数据"
        en = f"undecided: data missing for {', '.join(open_items)}"
    elif awaited:
        result = "evidence"
        zh, en = f"待补证据：{'、'.join(awaited)}", f"evidence awaited: {', '.join(awaited)}"
    elif doubtful:
        result = "unknown"
        zh = f"无法判定：{'、'.join(doubtful)} 的记录不完整"
        en = f"undecided: records incomplete for {', '.join(doubtful)}"
    else:
        result, zh, en = "pass", "硬性条件均符合", "every hard item is met"
    if process:
        zh += f"；程序性条件不符合：{'、'.join(process)}"
        en += f"; steps not met: {', '.join(process)}"
    _add(case, closing, VERDICT, out, float(len(broken)), result, zh, en)


def _add(
    case: Case,
    closing: Closing,
    rule: Rule,
    out: Findings,
    value: float,
    result: str,
    zh: str = "",
    en: str = "",
) -> None:
    kind = {"closed": ("撤并", "closed"), "downgraded": ("降格", "downgraded")}[closing.kind]
    out.add(
        rule,
        "site",
        case.problem.site_ids[closing.site],
        case.facts.site_name[closing.site],
        case.problem.years[closing.year],
        value,
        result,
        "；".join(x for x in (kind[0], zh) if x),
        "; ".join(x for x in (kind[1], en) if x),
        students=_moved(case, closing),
    )


def _moved(case: Case, closing: Closing) -> int:
    return int(case.rolls[0].students[list(closing.groups), closing.year].sum())


def _names(case: Case, sites: tuple[int, ...] | list[int]) -> str:
    return "、".join(case.facts.site_name[j] for j in sites)


def _evidence(case: Case, closing: Closing, rule: Rule, out: Findings) -> None:
    """Look for a dated record; without one the item stays awaited, with a doubtful one undecided."""
    alone = sum(r.code == rule.code and r.evaluate == rule.evaluate for r in case.rules) == 1
    found = judged(
        case.facts.evidence,
        rule,
        case.problem.site_ids[closing.site],
        by=dt.date(int(case.problem.years[closing.year]), 9, 1),
        alone=alone,
        late_zh="日期不可读，或晚于撤并学年开始",
        late_en="no readable date before the school year of the change",
    )
    if found is None:
        _add(case, closing, rule, out, NAN, "evidence", "待补证据", "evidence awaited")
    else:
        _add(case, closing, rule, out, found.value, found.result, found.zh, found.en)


def _trips(case: Case, closing: Closing, rule: Rule, out: Findings) -> None:
    problem, roll, t = case.problem, case.rolls[0], closing.year
    limit = problem.trip_limit[problem.group_band].astype(float)
    half_hour = case.find("R-TRV-01", "grades=1-3")
    board = problem.modes.index("board") if "board" in problem.modes else -2
    late = lost = nowhere = boarders = 0
    worst = 0.0
    for i in closing.groups:
        pupils = int(roll.students[i, t])
        if not roll.served[i, t]:
            nowhere += pupils
            continue
        minutes = float(roll.minutes[i, t])
        if not np.isfinite(minutes):
            lost += pupils
            continue
        if case.plan.mode_of[i, t] == board:
            boarders += pupils
            continue
        worst = max(worst, minutes)
        if minutes > limit[i] * (1 + 1e-6):
            late += pupils
        elif half_hour is not None and half_hour.limit is not None:
            young = problem.students[i, np.asarray(problem.grades) <= 3, t]
            late += int(young.sum()) if minutes > half_hour.limit * (1 + 1e-6) else 0
    if late or nowhere:
        zh = f"并入学生最长单程 {worst:.0f} 分钟，超时 {late} 人，无学校 {nowhere} 人"
        en = f"longest trip {worst:.0f} min; {late} over the limit, {nowhere} without a school"
        _add(case, closing, rule, out, float(late + nowhere), "fail", zh, en)
    elif lost:
        zh, en = f"{lost} 人没有可行路径", f"{lost} students without a known trip"
        _add(case, closing, rule, out, NAN, "unknown", zh, en)
    else:
        zh, en = f"并入学生最长单程 {worst:.0f} 分钟", f"longest trip {worst:.0f} min"
        if boarders:
            zh, en = f"{zh}，寄宿 {boarders} 人", f"{en}, {boarders} board"
        _add(case, closing, rule, out, 0.0, "pass", zh, en)


def _room_for(case: Case, closing: Closing, rule: Rule, out: Findings) -> None:
    """Check beds, dining seats and nap places at each receiver; the scarcest decides."""
    problem, roll, t = case.problem, case.rolls[0], closing.year
    item = rule.scope["item"][0]
    limit = 1.0 if rule.limit is None else rule.limit
    boards = np.array(
        [b in case.facts.bands and case.facts.bands[b].boarding != "no" for b in problem.bands]
    )[problem.group_band]
    # Whoever rides home today however far needs no bed because of the closing.
    boards &= roll.minutes[:, t] > problem.trip_limit[problem.group_band]
    if "board" in problem.modes:
        boards_now = case.plan.mode_of[:, t] == problem.modes.index("board")
    else:
        boards_now = np.zeros_like(boards)
    short: list[int] = []
    unsure: list[int] = []
    shown: list[str] = []
    least = NAN
    for j in closing.receivers:
        here = case.plan.site_of[:, t] == j
        if item == "beds":
            need = int(
                roll.students[here & (boards_now | (boards & (problem.today != j))), t].sum()
            )
            have = float(problem.beds[j, t])
        elif item == "dining":
            need = int(roll.students[here, t].sum())
            have = float(problem.dining_seats[j, t])
        else:
            need = int(roll.students[here & (problem.today != j), t].sum())
            given = problem.nap_places
            have = float(case.facts.naps[j] if given is None else given[j, t])
        if need == 0:
            continue
        if have != have or have < 0:
            unsure.append(j)
            continue
        shown.append(f"{case.facts.site_name[j]} {have:g}/{need}")
        ratio = have / need
        least = ratio if least != least else min(least, ratio)
        if ratio < limit:
            short.append(j)
    if short:
        zh, en = (
            f"{_names(case, short)} 不足（现有/需要：{'、'.join(shown)}）",
            f"too few (present/needed): {', '.join(shown)}",
        )
        _add(case, closing, rule, out, least, "fail", zh, en)
    elif unsure:
        zh = f"{_names(case, unsure)} 未填报"
        _add(case, closing, rule, out, NAN, "unknown", zh, f"not reported: {_names(case, unsure)}")
    elif shown:
        listed = "、".join(shown)
        zh, en = f"现有/需要：{listed}", f"present/needed: {listed}"
        _add(case, closing, rule, out, least, "pass", zh, en)
    else:
        _add(case, closing, rule, out, NAN, "pass", "没有此项需求", "not needed")


def _receiver_size(
    case: Case, closing: Closing, rule: Rule, out: Findings, classes: list[OneClass]
) -> None:
    problem, t = case.problem, closing.year
    item = rule.scope["item"][0]
    stage = np.array([case.stage(b) for b in range(len(problem.bands))])
    worst, over = NAN, []
    doubtful: list[int] = []
    for j in closing.receivers:
        nine = {"primary", "junior"} <= set(stage[case.plan.open[j, :, t]])
        if item in ("school", "nine_year"):
            if nine != (item == "nine_year"):
                continue
            value = float(case.rolls[0].at_site[j, :, t].sum())
        else:
            want = rule.scope["stage"]
            sizes = [
                c.size
                for c in classes
                if c.site == j and c.year == t and stage[problem.grade_band[c.grade]] in want
            ]
            if not sizes:
                students = case.rolls[0].at_site[j, :, t]
                if int(students[[s in want for s in stage[problem.grade_band]]].sum()):
                    doubtful.append(j)
                continue
            value = float(max(sizes))
        worst = value if worst != worst else max(worst, value)
        if not rule.holds(value):
            over.append(j)
    if over:
        zh, en = f"接收学校：{_names(case, over)}", f"receiving: {_names(case, over)}"
        _add(case, closing, rule, out, worst, "fail", zh, en)
    elif doubtful:
        zh = f"{_names(case, doubtful)} 没有班级数据"
        _add(case, closing, rule, out, NAN, "unknown", zh, "no classes known at the receiver")
    elif worst == worst:
        _add(case, closing, rule, out, worst, "pass")


def _receiver_classes(
    case: Case, closing: Closing, rule: Rule, out: Findings, actual: dict[int, list[OneClass]]
) -> None:
    """Count classes over standard at the receivers before they receive."""
    problem = case.problem
    over: list[int] = []
    unsure: list[int] = []
    count = 0
    for j in closing.receivers:
        if not problem.existing[j]:
            continue
        if j not in actual:
            unsure.append(j)
            continue
        grade = np.array([problem.grades[c.grade] for c in actual[j]])
        size = np.array([c.size for c in actual[j]])
        number = int((case.limits.category(size, grade) >= 1).sum())
        count += number
        if number:
            over.append(j)
    if over:
        zh, en = f"现有班额超标：{_names(case, over)}", f"over standard: {_names(case, over)}"
        _add(case, closing, rule, out, float(count), "fail", zh, en)
    elif unsure:
        zh, en = f"{_names(case, unsure)} 没有班级表", f"no class table: {_names(case, unsure)}"
        _add(case, closing, rule, out, NAN, "unknown", zh, en)
    else:
        _add(case, closing, rule, out, 0.0, "pass")


def _rooms_first(case: Case, closing: Closing, rule: Rule, out: Findings) -> None:
    problem, t = case.problem, closing.year
    need = case.plan.classes[:, :, t].sum(axis=1)
    over = [j for j in closing.receivers if need[j] > problem.rooms[j, t]]
    late = [
        j
        for j in closing.receivers
        if need[j] <= problem.rooms[j, t]
        and need[j] > (problem.rooms[j, t - 1] if t else problem.rooms[j, 0])
    ]
    short = int(sum(max(0, int(need[j]) - int(problem.rooms[j, t])) for j in closing.receivers))
    students = case.rolls[0].at_site[:, :, t].sum(axis=1)
    bare = [j for j in closing.receivers if need[j] == 0 and students[j]]
    if over:
        zh, en = f"教室不足：{_names(case, over)}", f"rooms short: {_names(case, over)}"
        _add(case, closing, rule, out, float(short), "fail", zh, en)
    elif bare:
        _add(case, closing, rule, out, NAN, "unknown", "接收学校没有班级数据", "no classes known")
    elif late:
        zh = f"{_names(case, late)} 的教室当年才建成，须有竣工验收证明"
        en = f"rooms of {_names(case, late)} come into use that year: proof of completion awaited"
        _add(case, closing, rule, out, 0.0, "evidence", zh, en)
    else:
        _add(case, closing, rule, out, 0.0, "pass")


def _small(case: Case, closing: Closing, rule: Rule, out: Findings) -> None:
    item, t = rule.scope["item"][0], closing.year
    if item == "transition":
        value = float(case.problem.years[t] - case.problem.years[0])
        result = "pass" if rule.holds(value) else "fail"
        _add(case, closing, rule, out, value, result)
        return
    now = int(case.rolls[1].at_site[closing.site, :, max(t - 1, 0)].sum())
    if rule.limit is None:
        zh, en = f"该校 {now} 人；县未界定", f"{now} students; not defined by the county"
        _add(case, closing, rule, out, float(now), "unknown", zh, en)
        return
    known = bool((case.problem.today == closing.site).any())
    if not known:
        _add(case, closing, rule, out, NAN, "unknown", "现有学生数不明", "its students are unknown")
        return
    result = "pass" if rule.holds(float(now)) else "fail"
    _add(case, closing, rule, out, float(now), result, f"撤并前 {now} 人", f"{now} before")
