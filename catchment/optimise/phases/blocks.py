"""The consolidation model as linear rows: one function a constraint block."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from catchment.optimise.phases.compile import UNLIMITED
from catchment.optimise.phases.draft import (
    BUILT,
    Draft,
    Row,
    Terms,
    emptied_from,
    moved_students,
    present,
)
from catchment.optimise.phases.question import ALL, LOWEST


def serve(draft: Draft) -> Iterator[Row]:
    """Every group stays or moves once."""
    terms: dict[int, Terms] = {i: [(column, 1.0)] for i, column in draft.stay.items()}
    for (i, _, _), column in draft.move.items():
        terms[i].append((column, 1.0))
    for i, here in terms.items():
        yield Row(f"serve[{i}]", here, 1.0, 1.0)


def stay_open(draft: Draft) -> Iterator[Row]:
    """Where students stay, their band is taught."""
    model = draft.model
    by_group: dict[int, list[tuple[int, int]]] = {}
    for (i, _, when), c in draft.move.items():
        by_group.setdefault(i, []).append((when, c))
    for i, column in draft.stay.items():
        s = int(model.today[i])
        if s < 0:
            continue
        state = draft.full if model.kind[i, s] else draft.low
        for t in range(1, draft.years):
            _, lag = present(model, i, t)
            if lag < 0:
                continue
            later = [(c, 1.0) for when, c in by_group.get(i, []) if when > t - lag]
            yield Row(
                f"stay_open[{i},{t}]", [(column, 1.0), *later, (state[s, t], -1.0)], -np.inf, 0.0
            )


def move_open(draft: Draft) -> Iterator[Row]:
    """Where students move to, their band is taught."""
    model = draft.model
    by_option: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for (i, o, when), c in draft.move.items():
        by_option.setdefault((i, o), []).append((when, c))
    for (i, o), moves in by_option.items():
        j = int(model.site[o])
        needed = ALL if model.kind[i, j] else LOWEST
        state = draft.full if needed == ALL else draft.low
        years = [t for t in range(1, draft.years) if present(model, i, t)[0] >= 0]
        # A working site that teaches the band in the last year has taught it all the time.
        if model.was[j] >= needed:
            years = years[-1:]
        for t in years:
            lag, _ = present(model, i, t)
            here = [(c, 1.0) for when, c in moves if when <= t - lag]
            if here:
                yield Row(f"move_open[{i},{j},{t}]", [*here, (state[j, t], -1.0)], -np.inf, 0.0)


def states(draft: Draft) -> Iterator[Row]:
    """All bands only with the lowest; a teaching point only where that is allowed."""
    model = draft.model
    for j in draft.sites:
        equal = not model.downgrade[j] and model.was[j] == ALL
        for t in range(1, draft.years):
            pair = [(draft.low[j, t], 1.0), (draft.full[j, t], -1.0)]
            yield Row(f"states[{j},{t}]", pair, 0.0, 0.0 if equal else np.inf)


def one_way(draft: Draft) -> Iterator[Row]:
    """Let a working site only give up bands, another site only take them up."""
    model = draft.model
    for j in draft.sites:
        for name, state, working in (
            ("low", draft.low, model.was[j] >= LOWEST),
            ("full", draft.full, model.was[j] == ALL),
        ):
            for t in range(2, draft.years):
                pair = [(state[j, t - 1], 1.0), (state[j, t], -1.0)]
                lower, upper = (0.0, np.inf) if working else (-np.inf, 0.0)
                yield Row(f"one_way[{name},{j},{t}]", pair, lower, upper)


def classes(draft: Draft) -> Iterator[Row]:
    """Whole classes, or a combined one, hold all students of a grade."""
    over = _sharing(draft)
    for (j, g, t), column in draft.classes.items():
        size = float(draft.model.class_size[j, g])
        minus = [(c, -v) for c, v in draft.load.get((j, g, t), [])]
        joined = [(c, float(draft.model.together[j])) for c in over.get((j, g, t), [])]
        yield Row(
            f"classes[{j},{g},{t}]",
            [(column, size), *joined, *minus],
            float(draft.base[j, g, t]),
            np.inf,
        )


def _sharing(draft: Draft) -> dict[tuple[int, int, int], list[int]]:
    """Columns of the combined classes that a grade may be in."""
    out: dict[tuple[int, int, int], list[int]] = {}
    for (j, first, last, t), column in draft.shared.items():
        for g in range(first, last + 1):
            out.setdefault((j, g, t), []).append(column)
    return out


def combined(draft: Draft) -> Iterator[Row]:
    """Let grades share a class at teaching points alone, each in one at most, none too large."""
    model = draft.model
    for (j, g, t), columns in _sharing(draft).items():
        terms = [(c, 1.0) for c in columns]
        point = [(draft.low[j, t], -1.0), (draft.full[j, t], 1.0)]
        yield Row(f"combined[{j},{g},{t}]", [*terms, *point], -np.inf, 0.0)
    for (j, first, last, t), column in draft.shared.items():
        terms = [x for g in range(first, last + 1) for x in draft.load.get((j, g, t), [])]
        there = float(draft.base[j, first : last + 1, t].sum())
        spare = there + sum(v for _, v in terms) - float(model.together[j])
        if spare > 0:
            full = [*terms, (column, spare)]
            limit = float(model.together[j]) + spare - there
            yield Row(f"combined[{j},{first}-{last},{t}]", full, -np.inf, limit)


def rooms(draft: Draft) -> Iterator[Row]:
    """Every class has a room: there already, lacking already today, or built the year before."""
    model = draft.model
    shared: dict[tuple[int, int], list[int]] = {}
    for (j, _, _, t), column in draft.shared.items():
        shared.setdefault((j, t), []).append(column)
    for j in draft.sites:
        for t in range(1, draft.years):
            terms = [
                (draft.classes[j, g, t], 1.0)
                for g in range(model.students.shape[1])
                if (j, g, t) in draft.classes
            ]
            if terms:
                terms += [(c, 1.0) for c in shared.get((j, t), [])]
                terms.append((draft.added[0][j, t], -1.0))
                yield Row(f"rooms[{j},{t}]", terms, -np.inf, float(model.cap_rooms[j, t]))


def receiving(draft: Draft) -> Iterator[Row]:
    """Whoever moves makes the site one that receives, in every year in which they are there."""
    here: dict[tuple[int, int, int, int], set[int]] = {}
    owner = {c: (i, o) for (i, o, _), c in draft.move.items()}
    for (j, t), terms in draft.arrivals.items():
        for column, _ in terms:
            here.setdefault((*owner[column], j, t), set()).add(column)
    for (i, _, j, t), columns in here.items():
        terms = [(c, 1.0) for c in sorted(columns)]
        # A grade that follows later is there only with one that came before.
        yield Row(f"receiving[{i},{j},{t}]", [*terms, (draft.receives[j, t], -1.0)], -np.inf, 0.0)


def beds(draft: Draft) -> Iterator[Row]:
    """Every boarder has a bed where children have moved to."""
    model = draft.model
    yield from _needed(draft, "beds", 1, draft.boards, draft.base_boards, model.keep_beds)


def seats(draft: Draft) -> Iterator[Row]:
    """Everyone has a dining seat where children have moved to and the seats are known."""
    everyone: dict[tuple[int, int], Terms] = {}
    for (j, _, t), terms in draft.load.items():
        everyone.setdefault((j, t), []).extend(terms)
    base = draft.base.sum(axis=1)
    yield from _needed(draft, "seats", 2, everyone, base, draft.model.keep_size)


def naps(draft: Draft) -> Iterator[Row]:
    """Whoever has moved has a nap place, where the places are known."""
    nobody = np.zeros_like(draft.model.keep_size)
    yield from _needed(draft, "naps", 3, draft.arrivals, draft.base_arrivals, nobody)


def _needed(
    draft: Draft,
    name: str,
    k: int,
    users: dict[tuple[int, int], Terms],
    base: npt.NDArray[np.int64],
    keep: npt.NDArray[np.int64],
) -> Iterator[Row]:
    """Places for all users of a site that receives; what today's alone lack is let go elsewhere."""
    model = draft.model
    cap = (model.cap_rooms, model.cap_beds, model.cap_seats, model.cap_naps)[k]
    for (j, t), receives in draft.receives.items():
        terms = users.get((j, t), [])
        if (not terms and not base[j, t]) or cap[j, t] >= UNLIMITED:
            continue
        lacking = float(max(keep[j, t] - cap[j, t], 0))
        if lacking:
            terms = [*terms, (receives, lacking)]
        free = float(cap[j, t] - base[j, t]) + lacking
        yield Row(f"{name}[{j},{t}]", [*terms, (draft.added[k][j, t], -1.0)], -np.inf, free)


def lasting(draft: Draft) -> Iterator[Row]:
    """Keep what is built."""
    for name, columns in zip(BUILT, draft.added, strict=True):
        for j in draft.sites:
            for t in range(2, draft.years):
                pair = [(columns[j, t - 1], 1.0), (columns[j, t], -1.0)]
                yield Row(f"lasting[{name},{j},{t}]", pair, -np.inf, 0.0)


def sizes(draft: Draft) -> Iterator[Row]:
    """No site that receives is too large, none that is not protected smaller than the least."""
    model = draft.model
    for j in draft.sites:
        for t in range(1, draft.years):
            grades = range(model.students.shape[1])
            terms = [x for g in grades for x in draft.load.get((j, g, t), [])]
            there = float(draft.base[j, :, t].sum())
            if (j, t) in draft.receives:
                beyond = float(max(model.keep_size[j, t] - model.cap_size[j, t], 0))
                limit = float(model.cap_size[j, t]) - there
                if sum(v for _, v in terms) > limit:
                    more = [(draft.receives[j, t], beyond)] if beyond else []
                    yield Row(f"largest[{j},{t}]", [*terms, *more], -np.inf, limit + beyond)
            if model.min_size and t >= model.min_from and not model.exempt[j]:
                open_now = (draft.low[j, t], -float(model.min_size))
                yield Row(f"smallest[{j},{t}]", [*terms, open_now], -there, np.inf)


def kept(draft: Draft) -> Iterator[Row]:
    """Keep part of today's children where a working school still teaches them."""
    model = draft.model
    finish = model.finish
    for j in draft.sites:
        for part, state, working in (
            (0, draft.low, model.was[j] >= LOWEST),
            (1, draft.full, model.was[j] == ALL),
        ):
            grades = np.flatnonzero(model.low_grade[j] == (part == 0))
            for t in range(1, draft.years):
                least = float(model.keeps[part, j, t])
                if not working or least <= 0:
                    continue
                terms = [x for g in grades for x in draft.load.get((j, int(g), t), [])]
                there = float(draft.base[j, grades, t].sum())
                taught = (state[j, draft.years - 1 if finish else t], -least)
                yield Row(f"kept[{part},{j},{t}]", [*terms, taught], -there, np.inf)


def closures(draft: Draft) -> Iterator[Row]:
    """At most so many sites close in a year, and over all years."""
    model = draft.model
    working = [j for j in draft.sites if model.was[j] >= LOWEST]
    others = _held_closures(draft)
    for t in range(1, draft.years):
        terms = [(draft.low[j, t], -1.0) for j in working]
        already = 0.0
        if t > 1:
            terms += [(draft.low[j, t - 1], 1.0) for j in working]
        else:
            already = float(len(working))
        if terms:
            upper = model.closures - already - float(others[t])
            if model.closures < UNLIMITED:
                yield Row(f"closures[{t}]", terms, -np.inf, upper)
    if model.closures_total < UNLIMITED and working:
        terms = [(draft.low[j, draft.years - 1], -1.0) for j in working]
        upper = float(model.closures_total - len(working) - others.sum())
        yield Row("closures[all]", terms, -np.inf, upper)


def _held_closures(draft: Draft) -> npt.NDArray[np.int64]:
    """Closures of sites that have no columns: they close as soon as nobody is there."""
    model = draft.model
    out = np.zeros(draft.years, dtype=np.int64)
    if draft.free.all():
        return out
    mine = set(draft.sites)
    for j in np.flatnonzero(model.was >= LOWEST):
        end = emptied_from(draft, int(j))
        if int(j) not in mine and end < draft.years:
            out[end] += 1
    return out


def moved(draft: Draft) -> Iterator[Row]:
    """At most so many students change school in a year."""
    model = draft.model
    if model.moved >= UNLIMITED:
        return
    for t in range(1, draft.years):
        terms = [
            (c, float(moved_students(model, i, t)))
            for (i, _, when), c in draft.move.items()
            if when == t and model.today[i] >= 0
        ]
        if terms:
            yield Row(f"moved[{t}]", terms, -np.inf, float(model.moved - draft.base_moved[t]))


BLOCKS: dict[str, Callable[[Draft], Iterator[Row]]] = {
    "serve": serve,
    "stay_open": stay_open,
    "move_open": move_open,
    "states": states,
    "one_way": one_way,
    "classes": classes,
    "combined": combined,
    "rooms": rooms,
    "receiving": receiving,
    "beds": beds,
    "seats": seats,
    "naps": naps,
    "lasting": lasting,
    "sizes": sizes,
    "kept": kept,
    "closures": closures,
    "moved": moved,
}
"""All constraint blocks by name, in the order of the model."""
