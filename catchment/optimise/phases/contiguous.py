"""Catchments in one piece: which villages a plan cuts off from their school.

A catchment of a band in a year holds together where every village of it is reached from the
school's own village over neighbouring villages of the same catchment. A village without children
of the band in the year belongs to no one and may be passed through. What is cut off today already
and stays where it is, is geography and not counted; whom the user sends to a school is counted
nowhere.

The compiled functions of the search bear no types: the compiler infers them from the arrays named in
:class:`Ground`, :class:`Cuts` and :mod:`catchment.optimise.phases.table`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from catchment.optimise.contiguity import adjacency
from catchment.optimise.phases.compile import settled_today
from catchment.optimise.phases.question import Question
from catchment.problem import Bool, Int8, Int32, Problem

UInt64 = npt.NDArray[np.uint64]
Int64 = npt.NDArray[np.int64]


class Ground(NamedTuple):
    """Villages, who neighbours whom, and what today's catchments are.

    n groups, v villages, b bands, m sites. Years are bits: bit t stands for year t.

    Attributes
    ----------
    first, near : (v + 1,), (k,) int32
        Neighbours of each village.
    home : (m,) int32
        Village of each site.
    village, band : (n,) int32, (n,) int8
        Village and band of each group.
    group_at : (b, v) int32
        Group, -1 for none.
    idle : (n,) uint64
        Years in which the group has no children.
    passing : (b, v) uint64
        Years in which a village may be passed through by anyone's catchment.
    excused : (n,) bool
        Cut off today already: not counted as long as the group stays.
    astray : (b, m) bool
        Whether the village of a site goes to another site today, has no group, or is sent
        elsewhere by the user.
    sent : (n,) bool
        Sent to a site by the user, or of whom it is not asked: not counted wherever it is.
    """

    first: Int32
    near: Int32
    home: Int32
    village: Int32
    band: Int8
    group_at: Int32
    idle: UInt64
    passing: UInt64
    excused: Bool
    astray: Bool
    sent: Bool


class Cuts(NamedTuple):
    """What changes: villages cut off by catchment, and room for counting them.

    Attributes
    ----------
    lost : (b, m) int64
        Village-bands cut off from a site, added up over the years.
    member, counted, reach : (v,) uint64
        Years in which a village belongs to a catchment, counts, is reached; zero between counts.
    rows, seen : (v,) int32
        Villages of the catchment, and of those reached.
    stack, waiting : (v,) int32, (v,) bool
        Villages to go on from.
    """

    lost: Int64
    member: UInt64
    counted: UInt64
    reach: UInt64
    rows: Int32
    seen: Int32
    stack: Int32
    waiting: Bool


def ground_of(question: Question) -> Ground:
    """Lay out the neighbourhood of a question.

    Parameters
    ----------
    question : Question
        The question.

    Returns
    -------
    Ground
        Constant arrays.
    """
    problem = question.problem
    today = settled_today(question)
    villages, bands, years = len(problem.village_ids), len(problem.bands), len(problem.years)
    first, near = adjacency(problem.neighbours, villages)
    group_at = np.full((bands, villages), -1, dtype=np.int32)
    group_at[problem.group_band, problem.group_village] = np.arange(len(problem.group_band))
    idle = _idle(problem)
    own = group_at[:, problem.home]
    sent: Bool = np.zeros(len(today), dtype=np.bool_)
    if question.sent is not None:
        sent = np.asarray((question.sent >= 0).any(axis=1))
    if question.loose is not None:
        sent = sent | question.loose
    there = np.maximum(own, 0)
    astray = (own < 0) | (today[there] != np.arange(len(problem.home))) | sent[there]
    excused = _cut(
        first, near, problem.home, group_at, np.repeat(idle[:, :1], 2, axis=1),
        np.repeat(today[:, None], 2, axis=1), np.zeros(len(today), dtype=bool), today, astray,
    )[:, 1]  # fmt: skip
    bits = (idle * (1 << np.arange(years, dtype=np.uint64))).sum(axis=1).astype(np.uint64)
    passing = np.where(group_at < 0, _every(years), bits[np.maximum(group_at, 0)])
    return Ground(
        first, near, problem.home.astype(np.int32), problem.group_village.astype(np.int32),
        problem.group_band.astype(np.int8), group_at, bits,
        np.ascontiguousarray(passing, dtype=np.uint64), np.ascontiguousarray(excused),
        np.ascontiguousarray(astray), sent,
    )  # fmt: skip


def _idle(problem: Problem) -> Bool:
    """Whether a group has no children, by year."""
    return np.asarray(problem.students.sum(axis=1) == 0, dtype=bool)


def room_for(ground: Ground) -> Cuts:
    """Return room for counting on a ground.

    Parameters
    ----------
    ground : Ground
        Constant arrays.

    Returns
    -------
    Cuts
        Nothing counted yet.
    """
    bands, villages = ground.group_at.shape
    bits, rows = np.zeros((3, villages), dtype=np.uint64), np.zeros((3, villages), dtype=np.int32)
    lost = np.zeros((bands, len(ground.home)), dtype=np.int64)
    idle = np.zeros(villages, dtype=np.bool_)
    return Cuts(lost, bits[0], bits[1], bits[2], rows[0], rows[1], rows[2], idle)


def _every(years: int) -> np.uint64:
    """Bits of all years but the first."""
    return np.uint64((1 << years) - 2)


def cut_off(question: Question, site_of: Int32, *, everybody: bool = False) -> Bool:
    """Mark village-bands that a plan cuts off from their school.

    What is cut off today already and stays where it is, is geography and not marked; see
    :func:`cut_off_today`. Nor is anybody whom the user sends to a school. Those of whom connection
    is not asked (``loose``) are marked as all others are. A school whose own
    village goes elsewhere, though neither today nor at the user's demand, has that village marked.

    Parameters
    ----------
    question : Question
        The question.
    site_of : (n, t) int32
        Site of each group by year.
    everybody : bool
        Whether those whom the user sends to a school are marked as well.

    Returns
    -------
    (n, t) bool
        True where children are cut off; never in the first year.
    """
    ground = ground_of(question.replace(loose=None))
    idle = _idle(question.problem)
    cut = _cut(
        ground.first, ground.near, ground.home, ground.group_at, idle,
        np.asarray(site_of, dtype=np.int32), ground.excused, settled_today(question), ground.astray,
    )  # fmt: skip
    return cut if everybody else cut & ~ground.sent[:, None]


def cut_off_today(question: Question) -> Bool:
    """Mark village-bands that today's catchments cut off from their school: geography.

    Parameters
    ----------
    question : Question
        The question.

    Returns
    -------
    (n,) bool
        True where a village is reached from its school's village by no villages of the same
        catchment today.
    """
    return ground_of(question).excused


def _cut(
    first: Int32, near: Int32, home: Int32, group_at: Int32, idle: Bool, site_of: Int32,
    excused: Bool, today: Int32, astray: Bool,
) -> Bool:  # fmt: skip
    out = np.zeros(site_of.shape, dtype=np.bool_)
    for t in range(1, site_of.shape[1]):
        for b, rows in enumerate(group_at):
            site = np.where(rows < 0, -2, site_of[rows, t]).astype(np.int32)
            site[(rows >= 0) & idle[rows, t]] = -2
            for j in np.unique(site[site >= 0]):
                own = int(home[j])
                kept = reached(first, near, own, site, int(j))
                lost = rows[np.flatnonzero((site == j) & ~kept)]
                out[lost, t] = ~(excused[lost] & (today[lost] == j))
                if site[own] not in (j, -2) and rows[own] >= 0 and not astray[b, j]:
                    out[rows[own], t] = True
    return out


def reached(first: Int32, near: Int32, own: int, site: Int32, j: int) -> Bool:
    """Villages that a catchment holds together with its school.

    Parameters
    ----------
    first, near : (v + 1,), (k,) int32
        Neighbours of each village.
    own : int
        Village of the school.
    site : (v,) int32
        Site of each village in a year, -2 where it may be passed through.
    j : int
        The school.

    Returns
    -------
    (v,) bool
        The largest piece where the school's village belongs to another school.
    """
    mine, villages = (site == j) | (site == -2), np.arange(len(site))
    if mine[own]:
        return np.asarray(_flooded(first, near, mine, villages == own))
    best, most = np.zeros(len(site), dtype=np.bool_), 0
    seen = np.zeros(len(site), dtype=np.bool_)
    for v in np.flatnonzero(site == j):
        if seen[v]:
            continue
        piece = _flooded(first, near, mine, villages == v)
        seen |= piece
        size = int((piece & (site == j)).sum())
        if size > most:
            best, most = piece, size
    return best


def flood(ground: Ground, inside: Bool, start: Bool) -> Bool:
    """Villages reached from some others over neighbouring villages.

    Parameters
    ----------
    ground : Ground
        Who neighbours whom.
    inside : (v,) bool
        Villages that may be passed.
    start : (v,) bool
        Villages to begin with; among those reached.

    Returns
    -------
    (v,) bool
        True where a village is reached.
    """
    return _flooded(ground.first, ground.near, inside, start.copy())


@njit(cache=True)
def _flooded(first: Int32, near: Int32, inside: Bool, seen: Bool) -> Bool:
    stack = np.empty(len(inside), dtype=np.int32)
    top = 0
    for v in range(len(seen)):
        if seen[v]:
            stack[top] = v
            top += 1
    while top > 0:
        top -= 1
        v = stack[top]
        for at in range(first[v], first[v + 1]):
            w = near[at]
            if inside[w] and not seen[w]:
                seen[w] = True
                stack[top] = w
                top += 1
    return seen


@njit(cache=True)
def _ones(bits):  # type: ignore[no-untyped-def]
    count = 0
    while bits != np.uint64(0):
        bits &= bits - np.uint64(1)
        count += 1
    return count


@njit(cache=True)
def years_at(options, plan, today, years, i, j):  # type: ignore[no-untyped-def]
    """Years, as bits and without the first, in which a group is at a site."""
    one = np.uint64(1)
    every = (one << np.uint64(years)) - np.uint64(2)
    o = plan[0, i]
    out = np.uint64(0)
    if o < 0:
        return every if today == j else out
    before = (one << np.uint64(plan[1, i])) - one
    if today == j:
        out |= every & before
    if options[o, 0] == j:
        out |= every & ~before
    return out


@njit(cache=True)
def count_cut(  # type: ignore[no-untyped-def]
    groups, options, plan, from_first, from_group, to_first, to_option,
    first, near, home, village, band, idle, passing, excused, astray, sent, years,
    member, counted, reach, rows, seen, stack, waiting, b, j,
):  # fmt: skip
    """Village-bands that one catchment cuts off, added up over the years."""
    zero = np.uint64(0)
    count, whole = 0, zero
    for p in range(from_first[j], from_first[j + 1]):
        i = from_group[p]
        if band[i] == b:
            bits = years_at(options, plan, j, years, i, j) & ~idle[i]
            if bits != zero:
                v = village[i]
                member[v] = bits
                counted[v] = zero if excused[i] or sent[i] else bits
                rows[count] = v
                count += 1
                whole |= bits
    for p in range(to_first[j], to_first[j + 1]):
        o = to_option[p]
        i = options[o, 1]
        if band[i] == b and plan[0, i] == o and groups[i, 0] != j:
            bits = years_at(options, plan, -1, years, i, j) & ~idle[i]
            if bits != zero:
                v = village[i]
                member[v] = bits
                counted[v] = zero if sent[i] else bits
                rows[count] = v
                count += 1
                whole |= bits
    if count == 0:
        return 0
    own = home[j]
    inside = (member[own] | passing[b, own]) & whole
    found, top = 0, 0
    if inside != zero:
        reach[own] = inside
        seen[0], found = own, 1
        stack[0], top = own, 1
    while top > 0:
        top -= 1
        v = stack[top]
        waiting[v] = False
        for at in range(first[v], first[v + 1]):
            w = near[at]
            more = reach[v] & (member[w] | passing[b, w]) & ~reach[w]
            if more != zero:
                if reach[w] == zero:
                    seen[found] = w
                    found += 1
                reach[w] |= more
                if not waiting[w]:
                    waiting[w] = True
                    stack[top] = w
                    top += 1
    lost = 0
    for k in range(count):
        v = rows[k]
        lost += _ones(counted[v] & inside & ~reach[v])
    for k in range(found):
        reach[seen[k]] = zero
    left = whole & ~inside
    if left != zero:
        for t in range(1, years):
            if (left >> np.uint64(t)) & np.uint64(1) != zero:
                lost += _outside_largest(
                    first, near, passing, b, member, counted, rows, count, seen, stack, waiting, t
                )
                if not astray[b, j]:
                    lost += 1
    for k in range(count):
        member[rows[k]] = zero
        counted[rows[k]] = zero
    return lost


@njit(cache=True)
def _outside_largest(  # type: ignore[no-untyped-def]
    first, near, passing, b, member, counted, rows, count, seen, stack, waiting, t,
):  # fmt: skip
    """Villages that count and are outside of the largest piece, in a year without the school's."""
    bit = np.uint64(1) << np.uint64(t)
    zero = np.uint64(0)
    total, most, kept, lowest, found = 0, 0, 0, 0, 0
    for k in range(count):
        root = rows[k]
        if counted[root] & bit != zero:
            total += 1
        if member[root] & bit == zero or waiting[root]:
            continue
        size, inside, least = 0, 0, len(waiting)
        stack[0], top = root, 1
        waiting[root] = True
        seen[found] = root
        found += 1
        while top > 0:
            top -= 1
            v = stack[top]
            if member[v] & bit != zero:
                size += 1
                least = min(least, v)
                if counted[v] & bit != zero:
                    inside += 1
            for at in range(first[v], first[v + 1]):
                w = near[at]
                if not waiting[w] and (member[w] | passing[b, w]) & bit != zero:
                    waiting[w] = True
                    seen[found] = w
                    found += 1
                    stack[top] = w
                    top += 1
        if size > most or (size == most and least < lowest):
            most, kept, lowest = size, inside, least
    for k in range(found):
        waiting[seen[k]] = False
    return total - kept
