"""A plan against its question: every village, class, trip and sum, counted again.

Plain loops over whole numbers, on purpose: nothing here is shared with the code that makes plans
(import-linter sees to it), so that one mistake cannot hide in both.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np

from catchment.plan import Plan
from catchment.problem import Problem
from catchment.verify.faults import Fault


def check_plan(
    problem: Problem, plan: Plan, *, connected_from: int | None = None
) -> tuple[Fault, ...]:
    """Check a plan again, sharing no code with what made it.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.
    connected_from : int, optional
        Position of the first year in which every catchment must be connected; in earlier years,
        or in all where left out, parts set apart are noted only.

    Returns
    -------
    tuple of Fault
        What does not hold, in a fixed order; empty for a sound plan.
    """
    wrong = tuple(_shapes(problem, plan))
    if wrong:
        return wrong
    faults: list[Fault] = [*_opened(problem, plan), *_conserved(problem, plan)]
    for t in range(len(problem.years)):
        faults.extend(_assigned(problem, plan, t))
        faults.extend(_classes(problem, plan, t))
        strict = connected_from is not None and t >= connected_from
        faults.extend(_pieces(problem, plan, t, strict=strict))
    faults.extend(_sums(problem, plan))
    return tuple(faults)


def _shapes(problem: Problem, plan: Plan) -> Iterator[Fault]:
    n, m, t = len(problem.group_band), len(problem.site_ids), len(problem.years)
    wanted = {
        "open": (m, len(problem.bands), t),
        "site_of": (n, t),
        "classes": (m, len(problem.grades), t),
        "mode_of": (n, t),
    }
    for name, shape in wanted.items():
        array = np.asarray(getattr(plan, name))
        if array.shape != shape:
            yield Fault("shape", what=f"{name} {array.shape} ≠ {shape}")
        elif not np.issubdtype(array.dtype, np.bool_ if name == "open" else np.integer):
            yield Fault("shape", what=f"{name}: {array.dtype}")


def _opened(problem: Problem, plan: Plan) -> Iterator[Fault]:
    for j, site in enumerate(problem.site_ids):
        for b, band in enumerate(problem.bands):
            for t, year in enumerate(problem.years):
                is_open = bool(plan.open[j, b, t])
                if is_open and not problem.can_host[j, b]:
                    yield Fault("cannot_host", year, site, band=band)
                if problem.must_open[j, b, t] and not is_open:
                    yield Fault("must_open", year, site, band=band)
                if problem.must_close[j, b, t] and is_open:
                    yield Fault("must_close", year, site, band=band)


def _conserved(problem: Problem, plan: Plan) -> Iterator[Fault]:
    """Students in = students at sites that exist + students of groups listed as unserved."""
    m = len(problem.site_ids)
    for t, year in enumerate(problem.years):
        total = sum(int(s) for s in problem.students[:, :, t].ravel())
        held = 0
        for i, j in enumerate(plan.site_of[:, t].tolist()):
            if -1 <= j < m:
                held += sum(int(s) for s in problem.students[i, :, t])
        if held != total:
            yield Fault("conservation", year, found=str(total), expected=str(held))


def _assigned(problem: Problem, plan: Plan, t: int) -> Iterator[Fault]:
    year, m = problem.years[t], len(problem.site_ids)
    net = int(problem.network[t])
    for i, j in enumerate(plan.site_of[:, t].tolist()):
        village = problem.village_ids[int(problem.group_village[i])]
        b = int(problem.group_band[i])
        band, mode = problem.bands[b], int(plan.mode_of[i, t])
        minutes = problem.minutes[net, i]
        fixed = int(problem.fixed_site[i, t])
        if j < -1 or j >= m:
            yield Fault("unknown_site", year, village=village, band=band, found=str(j))
            continue
        if j == -1:
            if mode != -1:
                yield Fault("mode", year, "", village, band, found=str(mode), expected="-1")
            students = sum(int(s) for s in problem.students[i, :, t])
            near = [
                k
                for k in range(m)
                if plan.open[k, b, t] and math.isfinite(minutes[k]) and k != fixed
            ]
            if students and near:
                best = min(near, key=lambda k: float(minutes[k]))
                yield Fault(
                    "left_out", year, problem.site_ids[best], village, band, found=str(students)
                )
            continue
        site = problem.site_ids[j]
        if not plan.open[j, b, t]:
            yield Fault("closed_site", year, site, village, band)
        if not math.isfinite(minutes[j]):
            yield Fault("unreachable", year, site, village, band)
        if fixed >= 0 and fixed != j and plan.open[fixed, b, t]:
            yield Fault(
                "not_merged",
                year,
                village=village,
                band=band,
                found=site,
                expected=problem.site_ids[fixed],
            )
        yield from _mode(problem, t, i, j, mode)


def _mode(problem: Problem, t: int, i: int, j: int, mode: int) -> Iterator[Fault]:
    year, net = problem.years[t], int(problem.network[t])
    village = problem.village_ids[int(problem.group_village[i])]
    band, site = problem.bands[int(problem.group_band[i])], problem.site_ids[j]
    beds = int(problem.beds[j, t])
    right = int(problem.mode[net, i, j])
    if problem.daily_mode is not None and beds <= 0:
        right = int(problem.daily_mode[net, i, j])

    def word(k: int) -> str:
        return problem.modes[k] if 0 <= k < len(problem.modes) else str(k)

    if mode != right:
        yield Fault("mode", year, site, village, band, found=word(mode), expected=word(right))
    if word(mode) == "board" and beds <= 0:
        yield Fault("no_bed", year, site, village, band)


def _classes(problem: Problem, plan: Plan, t: int) -> Iterator[Fault]:
    """Whole classes: as many as the standard asks, or as the rooms allow with least excess."""
    here: Counter[tuple[int, int]] = Counter()
    for i, j in enumerate(plan.site_of[:, t].tolist()):
        if 0 <= j < len(problem.site_ids):
            for g in range(len(problem.grades)):
                here[j, g] += int(problem.students[i, g, t])
    for j in range(len(problem.site_ids)):
        count = [here[j, g] for g in range(len(problem.grades))]
        yield from _classes_at(problem, plan, t, j, count)


def _classes_at(
    problem: Problem, plan: Plan, t: int, j: int, students: list[int]
) -> Iterator[Fault]:
    year, site = problem.years[t], problem.site_ids[j]
    classes = [int(c) for c in plan.classes[j, :, t]]
    size = [int(s) for s in problem.class_size[j]]
    rooms = int(problem.rooms[j, t])
    taught = [b for b in range(len(problem.bands)) if plan.open[j, b, t]]
    together = taught == [0]
    active = [g for g, s in enumerate(students) if s > 0]
    need = [-(-s // k) for s, k in zip(students, size, strict=True)]
    for g, (s, c) in enumerate(zip(students, classes, strict=True)):
        grade = str(problem.grades[g])
        if c < 0:
            yield Fault("negative_class", year, site, grade=grade, found=str(c))
        elif s == 0 and c > 0:
            yield Fault("empty_class", year, site, grade=grade, found=str(c))
        elif s > 0 and c == 0 and not (together and g != active[0]):
            yield Fault("no_class", year, site, grade=grade, found=str(s))
        elif sum(need) <= rooms and c != need[g]:
            yield Fault("class_count", year, site, grade=grade, found=str(c), expected=str(need[g]))
    total, allowed = sum(classes), max(rooms, len(active))
    if total > allowed:
        yield Fault("rooms", year, site, found=str(total), expected=str(allowed))
    elif total > rooms:
        yield Fault("rooms_short", year, site, found=str(total), expected=str(rooms))
    if sum(need) > rooms >= len(active) and all(classes[g] > 0 for g in active):
        least = _least_excess(students, size, rooms)
        worst = max(-(-students[g] // classes[g]) - size[g] for g in active)
        if worst > least:
            yield Fault("class_excess", year, site, found=str(worst), expected=str(least))


def _least_excess(students: list[int], size: list[int], rooms: int) -> int:
    """Fewest students by which the fullest class must exceed its size in so many rooms."""
    excess = 0
    while sum(-(-s // (k + excess)) for s, k in zip(students, size, strict=True) if s > 0) > rooms:
        excess += 1
    return excess


def _pieces(problem: Problem, plan: Plan, t: int, *, strict: bool) -> Iterator[Fault]:
    """Parts of a catchment that do not hold together with the school's own village."""
    bands = len(problem.bands)
    touching = _touching(problem)
    for b, band in enumerate(problem.bands):
        # Groups are ordered by village, then band, and hold every pair; behind them stand parts of
        # groups whose students keep another school, which belong to no catchment.
        known = range(len(problem.site_ids))
        own = plan.site_of[b : len(problem.village_ids) * bands : bands, t]
        site_of = [int(j) if j in known else -1 for j in own.tolist()]
        main, rest = _split(problem, site_of, touching)
        kept: set[int] = set()
        for j, part in rest:
            names = "、".join(problem.village_ids[v] for v in part[:8])
            where = (problem, site_of, main, j)
            code = "apart"
            if strict and _movable(*where, part, (b, t), touching):
                # Where the school's own village goes elsewhere and the largest part cannot move,
                # one other part may have been taken for the one that stays.
                stay = [v for v, site in main.items() if site == j]
                spare = int(problem.home[j]) not in stay and j not in kept
                excused = spare and not _movable(*where, stay, (b, t), touching)
                kept |= {j} if excused else set()
                code = "apart" if excused else "detached"
            yield Fault(code, problem.years[t], problem.site_ids[j], band=band, found=names)


def _touching(problem: Problem) -> list[list[int]]:
    pairs = problem.neighbours.tocoo()
    out: list[set[int]] = [set() for _ in problem.village_ids]
    for a, b, there in zip(pairs.row.tolist(), pairs.col.tolist(), pairs.data, strict=True):
        if there and a != b:
            out[a].add(b)
            out[b].add(a)
    return [sorted(each) for each in out]


def _split(
    problem: Problem, site_of: list[int], touching: list[list[int]]
) -> tuple[dict[int, int], list[tuple[int, list[int]]]]:
    """Return the catchment whose main part each village is in, and the parts set apart."""
    seen: set[int] = set()
    parts: dict[int, list[list[int]]] = {}
    for start, j in enumerate(site_of):
        if j < 0 or start in seen:
            continue
        part, queue = [], [start]
        seen.add(start)
        while queue:
            v = queue.pop()
            part.append(v)
            for u in touching[v]:
                if u not in seen and site_of[u] == j:
                    seen.add(u)
                    queue.append(u)
        parts.setdefault(j, []).append(sorted(part))
    main: dict[int, int] = {}
    rest: list[tuple[int, list[int]]] = []
    for j in sorted(parts):
        own = int(problem.home[j])
        first = max(parts[j], key=lambda part: (own in part, len(part), -part[0]))
        main.update(dict.fromkeys(first, j))
        rest.extend((j, part) for part in parts[j] if part is not first)
    return main, rest


def _movable(
    problem: Problem,
    site_of: list[int],
    main: dict[int, int],
    j: int,
    part: list[int],
    when: tuple[int, int],
    touching: list[list[int]],
) -> bool:
    """Say whether nothing but the plan keeps the part from joining a catchment beside it.

    A village named by an action may cut its own or another catchment; then the part is only noted.
    """
    band, t = when
    bands, net = len(problem.bands), int(problem.network[t])
    pinned = problem.fixed_site[band::bands, t]
    if any(int(pinned[v]) >= 0 for v, site in enumerate(site_of) if site == j):
        return False
    for v in part:
        for u in touching[v]:
            k = main.get(u, -1)
            reached = k >= 0 and math.isfinite(problem.minutes[net, v * bands + band, k])
            if reached and k != j and int(pinned[u]) < 0:
                return True
    return False


def _sums(problem: Problem, plan: Plan) -> Iterator[Fault]:
    m = len(problem.site_ids)
    terms: list[float] = []
    for t in range(len(problem.years)):
        net = int(problem.network[t])
        for i, j in enumerate(plan.site_of[:, t].tolist()):
            if 0 <= j < m and math.isfinite(problem.minutes[net, i, j]):
                students = sum(int(s) for s in problem.students[i, :, t])
                terms.append(students * float(problem.minutes[net, i, j]))
    total = math.fsum(terms)
    said, bound = float(plan.objective), float(plan.bound)
    near = 1e-9 * max(1.0, abs(total))
    if not abs(said - total) <= near:
        yield Fault("objective", found=f"{said:.6f}", expected=f"{total:.6f}")
    if bound > total + 1e-6 * max(1.0, abs(total)):
        yield Fault("bound", found=f"{bound:.6f}", expected=f"{total:.6f}")
