"""Rules about the way to school."""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt

from catchment.rules.clause import Rule
from catchment.rules.facts import URBAN, Case
from catchment.rules.findings import NAN, Findings
from catchment.rules.records import public_transport
from catchment.rules.ways import CROSSES, UNKNOWN

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

TRIP_QUANTITIES = ("trip_minutes", "trip_km", "trip_m", "walk_minutes")


def grades_of(case: Case, rule: Rule) -> Bool:
    """Grades that a clause is about.

    Parameters
    ----------
    case : Case
        The case.
    rule : Rule
        The clause, with ``grades=a-b`` or ``stage=...`` in its scope.

    Returns
    -------
    (g,) bool
        All grades where the clause names none.
    """
    scope = rule.scope
    grades = np.asarray(case.problem.grades)
    chosen = np.ones(len(grades), dtype=bool)
    if "grades" in scope:
        first, last = (int(x) for x in scope["grades"][0].split("-"))
        chosen &= (grades >= first) & (grades <= last)
    if "stage" in scope:
        stage = np.array([case.stage(int(b)) in scope["stage"] for b in case.problem.grade_band])
        chosen &= stage
    return np.asarray(chosen, dtype=bool)


def check_trips(case: Case, rule: Rule, out: Findings) -> None:
    """Check every village-band's trip against a limit of minutes or distance.

    Parameters
    ----------
    case : Case
        The case.
    rule : Rule
        A clause with a quantity of :data:`TRIP_QUANTITIES`.
    out : Findings
        Takes one finding a village, band and year beyond the limit, or without a known trip.
    """
    problem, roll = case.problem, case.rolls[0]
    if rule.limit is None:
        out.add(
            rule,
            "county",
            "county",
            "全县",
            problem.years[0],
            NAN,
            "unknown",
            "县尚未填写限值",
            "the county has not entered a limit",
        )
        return
    pupils = problem.students[:, grades_of(case, rule), :].sum(axis=1, dtype=np.int64)
    # A limit of the one-way trip holds for both ways: the longer one is judged.
    back = np.full_like(roll.minutes, np.nan) if case.facts.ways is None else case.facts.ways.back
    longer = np.fmax(roll.minutes, back)
    homeward = longer > roll.minutes
    value = {
        "trip_minutes": longer,
        "walk_minutes": longer,
        "trip_km": roll.metres / 1000.0,
        "trip_m": roll.metres,
    }[rule.quantity]
    walking = np.array([m.startswith("walk") for m in problem.modes] + [False])
    boards = np.array([m == "board" for m in problem.modes] + [False])
    for y, year in enumerate(problem.years):
        # boarders make the trip once a week: limits of the daily way are not about them
        about = (pupils[:, y] > 0) & roll.served[:, y] & ~boards[case.plan.mode_of[:, y]]
        if rule.quantity == "walk_minutes":
            about &= walking[case.plan.mode_of[:, y]]
        applies, doubtful = _urban(case, rule, y)
        known = np.isfinite(value[:, y])
        over = about & applies & known & ~_holds(rule, value[:, y])
        unsure = about & ((applies & ~known) | (doubtful & ~(known & _holds(rule, value[:, y]))))
        for i in np.flatnonzero(over):
            # the urban radius is a standard for new builds; of an existing school it only informs
            old = "urban" in rule.scope and rule.severity == "standard"
            old = old and bool(problem.existing[case.plan.site_of[i, y]])
            _group(
                case,
                rule,
                out,
                int(i),
                y,
                float(value[i, y]),
                "fail",
                int(pupils[i, y]),
                ("规范适用于新建学校，现有学校仅供参考", "a standard for new builds")
                if old
                else _homeward(rule, bool(homeward[i, y]), float(roll.minutes[i, y])),
                severity="soft" if old else "",
            )
        for i in np.flatnonzero(unsure):
            why = (
                ("没有可行路径", "no trip is known")
                if not known[i]
                else ("城乡分类缺失", "the urban-rural class is missing")
            )
            shown = float(value[i, y]) if known[i] else NAN
            _group(case, rule, out, int(i), y, shown, "unknown", int(pupils[i, y]), why)
        if not over.any() and not unsure.any():
            worst = float(value[about & applies, y].max()) if (about & applies).any() else NAN
            note = ("", "") if worst == worst else ("无适用对象", "applies to nobody")
            out.add(rule, "county", "county", "全县", year, worst, "pass", *note)


def _homeward(rule: Rule, is_longer: bool, there: float) -> tuple[str, str]:
    if not is_longer or not rule.quantity.endswith("minutes"):
        return "", ""
    return f"回家较长，上学 {there:.1f} 分钟", f"the way home is longer; to school {there:.1f} min"


def check_crossings(case: Case, rule: Rule, out: Findings) -> None:
    """Check that nobody walks across a railway, a main road or a river without a bridge.

    Parameters
    ----------
    case : Case
        The case.
    rule : Rule
        ``R-TRV-08``.
    out : Findings
        One finding a village, band and year whose walk crosses something, and one where that cannot
        be judged. Who rides or boards is not concerned.
    """
    problem, roll, ways = case.problem, case.rolls[0], case.facts.ways
    if ways is None:
        zh, en = "没有相应数据层", "no layer holds this"
        out.add(rule, "county", "county", "全县", problem.years[0], NAN, "unknown", zh, en)
        return
    walking = np.array([m.startswith("walk") for m in problem.modes] + [False])
    pupils = problem.students[:, grades_of(case, rule), :].sum(axis=1, dtype=np.int64)
    for y, year in enumerate(problem.years):
        about = (pupils[:, y] > 0) & roll.served[:, y] & walking[case.plan.mode_of[:, y]]
        fails = about & (ways.state[:, y] == CROSSES)
        unsure = about & (ways.state[:, y] == UNKNOWN)
        for i in np.flatnonzero(fails):
            why = (str(ways.met_zh[i, y]), str(ways.met_en[i, y]))
            _group(
                case, rule, out, int(i), y, float(ways.count[i, y]), "fail", int(pupils[i, y]), why
            )
        for i in np.flatnonzero(unsure):
            why = ("没有铁路、河流资料，或没有道路可循", "railways and rivers, or the way, unknown")
            _group(case, rule, out, int(i), y, NAN, "unknown", int(pupils[i, y]), why)
        if not fails.any() and not unsure.any():
            note = ("", "") if about.any() else ("无人步行", "nobody walks")
            out.add(rule, "county", "county", "全县", year, 0.0, "pass", *note)


def check_unserved(case: Case, rule: Rule, out: Findings) -> None:
    """Check that every child has a school.

    Parameters
    ----------
    case : Case
        The case.
    rule : Rule
        ``R-NEAR-01``.
    out : Findings
        Takes one finding a village, band and year without a school, and one, undecided, where the
        way is a straight walk for want of a mapped road.
    """
    roll = case.rolls[0]
    for y, year in enumerate(case.problem.years):
        left = (roll.students[:, y] > 0) & ~roll.served[:, y]
        for i in np.flatnonzero(left):
            pupils = int(roll.students[i, y])
            _group(case, rule, out, int(i), y, pupils, "fail", pupils, ("无就读学校", "no school"))
        straight = np.zeros_like(left) if case.facts.ways is None else case.facts.ways.direct[:, y]
        straight = straight & (roll.students[:, y] > 0) & ~left
        for i in np.flatnonzero(straight):
            pupils = int(roll.students[i, y])
            why = (
                "没有道路资料，按直线步行计，须现场核实",
                "no mapped road: a straight walk is assumed",
            )
            _group(case, rule, out, int(i), y, pupils, "unknown", pupils, why)
        if not left.any() and not straight.any():
            out.add(rule, "county", "county", "全县", year, 0.0, "pass")


def check_bus_need(case: Case, rule: Rule, out: Findings) -> None:
    """Check that nobody walks beyond the walking limit of the band.

    Parameters
    ----------
    case : Case
        The case.
    rule : Rule
        ``R-TRV-04``.
    out : Findings
        A walk beyond the limit is broken where there is no public transport, kept where the county
        has recorded one for the school (with date and document), and unknown, with the way to
        record it, where nothing is recorded.
    """
    problem, roll = case.problem, case.rolls[0]
    limit = np.array(
        [
            case.facts.bands[b].walk_limit_min if b in case.facts.bands else np.inf
            for b in problem.bands
        ]
    )[problem.group_band]
    walking = np.array([m.startswith("walk") for m in problem.modes] + [False])
    for y, year in enumerate(problem.years):
        about = (roll.students[:, y] > 0) & roll.served[:, y]
        far = about & walking[case.plan.mode_of[:, y]] & (roll.minutes[:, y] > limit)
        lost = about & ~np.isfinite(roll.minutes[:, y])
        transit = {
            int(j): _public_transport(case, int(j), int(year))
            for j in np.unique(case.plan.site_of[far, y])
        }
        missing = False
        for i in np.flatnonzero(far | lost):
            pupils = int(roll.students[i, y])
            there = None if lost[i] else transit[int(case.plan.site_of[i, y])]
            if there:
                continue
            missing = True
            result = "fail" if there is False else "unknown"
            why = (
                ("没有可行路径", "no trip is known")
                if lost[i]
                else (
                    "步行超过时限，无校车，无公共交通",
                    "a walk beyond the limit; no bus of any kind",
                )
                if there is False
                else (
                    (
                        "步行超过时限且无校车；公共交通情况未填报（evidence.csv：R-TRV-04，"
                        "public_transport，有或无，附日期和文件）"
                    ),
                    (
                        "a walk beyond the limit and no school bus; public transport is not recorded "
                        "(evidence.csv: R-TRV-04, public_transport, yes or no, with date and document)"
                    ),
                )
            )
            _group(case, rule, out, int(i), y, float(pupils), result, pupils, why)
        if not missing:
            out.add(rule, "county", "county", "全县", year, 0.0, "pass")


def _public_transport(case: Case, site: int, year: int) -> bool | None:
    """Whether public transport serves a school: told to the check, or recorded with its date."""
    if case.facts.public_transport is not None:
        return case.facts.public_transport
    code = case.problem.site_ids[site]
    return public_transport(case.facts.evidence, code, by=dt.date(year + 1, 8, 31))


def check_bus_speed(case: Case, rule: Rule, out: Findings) -> None:
    """Check that no bus trip is counted faster than buses may drive.

    Parameters
    ----------
    case : Case
        The case.
    rule : Rule
        ``R-TRV-06``.
    out : Findings
        One finding a year; unknown where nobody rides.
    """
    problem, roll = case.problem, case.rolls[0]
    bus = np.array([m.startswith("bus") for m in problem.modes] + [False])
    for y, year in enumerate(problem.years):
        about = bus[case.plan.mode_of[:, y]] & np.isfinite(roll.minutes[:, y])
        about &= np.isfinite(roll.metres[:, y]) & (roll.students[:, y] > 0)
        about &= roll.minutes[:, y] > 0
        if not about.any():
            out.add(
                rule, "county", "county", "全县", year, NAN, "unknown", "无校车行程", "no bus trips"
            )
            continue
        speed = float((roll.metres[about, y] / 1000 / (roll.minutes[about, y] / 60)).max())
        result = "pass" if rule.holds(speed) else "fail"
        out.add(rule, "county", "county", "全县", year, round(speed, 6), result)


def check_boarders(case: Case, rule: Rule, out: Findings) -> None:
    """Check that nobody of the grades named boards.

    Parameters
    ----------
    case : Case
        The case.
    rule : Rule
        ``R-BRD-01``.
    out : Findings
        Takes one finding a village, band and year with boarders; unknown where the question knows
        no boarding.
    """
    problem = case.problem
    if "board" not in problem.modes:
        zh, en = "没有寄宿安排的数据", "no boarding in this question"
        out.add(rule, "county", "county", "全县", problem.years[0], NAN, "unknown", zh, en)
        return
    mode = problem.modes.index("board")
    pupils = problem.students[:, grades_of(case, rule), :].sum(axis=1, dtype=np.int64)
    for y, year in enumerate(problem.years):
        there = (case.plan.mode_of[:, y] == mode) & (pupils[:, y] > 0)
        for i in np.flatnonzero(there):
            number = int(pupils[i, y])
            _group(case, rule, out, int(i), y, number, "fail", number, ("寄宿", "boards"))
        if not there.any():
            out.add(rule, "county", "county", "全县", year, 0.0, "pass")


def check_towns(case: Case, rule: Rule, out: Findings) -> None:
    """Check that every township has a junior school.

    Parameters
    ----------
    case : Case
        The case.
    rule : Rule
        ``R-TOWN-01`` or a province's own.
    out : Findings
        One finding a township without; unknown where the question holds no junior band.
    """
    problem = case.problem
    junior = [b for b in range(len(problem.bands)) if case.stage(b) == "junior"]
    towns = sorted({t for t in case.facts.village_town if t})
    for y, year in enumerate(problem.years):
        if not junior or not towns:
            out.add(
                rule,
                "county",
                "county",
                "全县",
                year,
                NAN,
                "unknown",
                "本次规划不含初中或缺少乡镇",
                "no junior band in this plan, or no townships",
            )
            continue
        opened = case.plan.open[:, junior, y].any(axis=1)
        count = dict.fromkeys(towns, 0)
        for j in np.flatnonzero(opened):
            if case.facts.site_town[j] in count:
                count[case.facts.site_town[j]] += 1
        short = [t for t in towns if not rule.holds(count[t])]
        for town in short:
            out.add(rule, "township", town, town, year, float(count[town]), "fail")
        if not short:
            out.add(rule, "county", "county", "全县", year, float(min(count.values())), "pass")


def _urban(case: Case, rule: Rule, y: int) -> tuple[Bool, Bool]:
    """Return groups to which the clause applies by urban class, and those where that is unknown.

    Urban clauses apply only where school and village both are urban: they never flag a rural
    school. Rural clauses apply to villages that are not known to be urban.
    """
    n = len(case.problem.group_village)
    wanted = rule.scope.get("urban")
    everywhere = np.ones(n, dtype=bool)
    if wanted is None:
        return everywhere, ~everywhere
    village = np.array(case.facts.village_urban, dtype=object)[case.problem.group_village]
    if wanted == ("rural",):
        return ~np.isin(village, URBAN), ~everywhere
    site = np.array([*case.facts.site_urban, ""], dtype=object)[case.plan.site_of[:, y]]
    blank = (site == "") | (village == "")
    rural = ((site != "") & ~np.isin(site, wanted)) | ((village != "") & ~np.isin(village, wanted))
    applies = np.isin(site, wanted) & np.isin(village, wanted)
    return np.asarray(applies, dtype=bool), np.asarray(blank & ~rural, dtype=bool)


def _holds(rule: Rule, value: Float) -> Bool:
    # trips are held in 32 bits: a trip of exactly 30 minutes may stand as 30.000002
    limit = float("nan") if rule.limit is None else rule.limit * (1 + 1e-6)
    return np.asarray(value < limit if rule.operator == "<" else value <= limit, dtype=bool)


def _group(
    case: Case,
    rule: Rule,
    out: Findings,
    i: int,
    y: int,
    value: float,
    result: str,
    pupils: int,
    why: tuple[str, str] = ("", ""),
    *,
    severity: str = "",
) -> None:
    problem, facts = case.problem, case.facts
    v, b, j = int(problem.group_village[i]), int(problem.group_band[i]), case.plan.site_of[i, y]
    band = facts.bands.get(problem.bands[b])
    zh, en = (band.zh, band.en) if band else (problem.bands[b], problem.bands[b])
    school = facts.site_name[j] if j >= 0 else ""
    out.add(
        rule,
        "group",
        f"{problem.village_ids[v]}/{problem.bands[b]}",
        facts.village_name[v],
        problem.years[y],
        value,
        result,
        "；".join(x for x in (zh, f"就读 {school}" if school else "", why[0]) if x),
        "; ".join(x for x in (en, f"attends {school}" if school else "", why[1]) if x),
        students=pupils,
        severity=severity,
    )
