from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.errors import InputError
from catchment.places import (
    class_sizes,
    class_table,
    classes_for_plan,
    form_classes,
    places,
    seats,
)


def split(students: int, classes: int) -> list[int]:
    """Deal students into classes one by one, as on the first day of school."""
    sizes = [0] * classes
    for k in range(students):
        sizes[k % classes] += 1
    return sizes


def score(loads: list[list[int]], standards: list[int]) -> tuple[int, int, int]:
    """Judge a choice: largest excess, classes over standard, students over standard."""
    flat = [(s, z) for sizes, z in zip(loads, standards, strict=True) for s in sizes]
    return (
        max(s - z for s, z in flat),
        sum(s > z for s, z in flat),
        sum(max(0, s - z) for s, z in flat),
    )


def brute_force(students: list[int], rooms: int, size: list[int]) -> tuple[int, int, int]:
    """Judge every way to give rooms to grades, when each grade can have one."""
    choices = [range(1, rooms + 1) if s else range(1) for s in students]
    best = None
    for ks in itertools.product(*choices):
        if sum(ks) > rooms:
            continue
        loads = [split(s, k) if k else [] for s, k in zip(students, ks, strict=True)]
        found = score(loads, size)
        best = found if best is None or found < best else best
    assert best is not None
    return best


def test_class_formation_equals_enumeration_on_thousands_of_cases() -> None:
    rng = np.random.default_rng(4)
    short = 0
    for _ in range(3000):
        g = int(rng.integers(1, 4))
        students = rng.integers(0, rng.choice([12, 60, 150]), g).tolist()
        size = rng.choice([3, 10, 30, 45, 50], g).tolist()
        rooms = int(rng.integers(0, 8))
        formed = form_classes(students, rooms, size)
        need = [-(-s // z) for s, z in zip(students, size, strict=True)]
        active = sum(s > 0 for s in students)
        if sum(need) <= rooms:
            assert formed.tolist() == need
            continue
        if rooms < active:
            assert formed.tolist() == [int(s > 0) for s in students]
            continue
        short += 1
        assert formed.sum() <= rooms
        loads = [list(x) for x in class_sizes(students, formed)]
        assert score(loads, size) == brute_force(students, rooms, size), (students, rooms, size)
    assert short > 700


def test_combined_classes_equal_enumeration() -> None:
    rng = np.random.default_rng(5)
    for _ in range(2000):
        g = int(rng.integers(2, 7))
        students = rng.integers(0, 25, g).tolist()
        size = [int(rng.choice([20, 30]))] * g
        active = [k for k in range(g) if students[k]]
        if len(active) < 2:
            continue
        rooms = int(rng.integers(1, len(active)))
        formed = form_classes(students, rooms, size, combined=True)
        assert formed.sum() == rooms
        sizes = sorted(s for grade in class_sizes(students, formed) for s in grade)
        assert sum(sizes) == sum(students)
        best = min(
            score([[sum(students[k] for k in active[a:b])] for a, b in itertools.pairwise(cut)],
                  [size[0]] * rooms)
            for cut in (
                (0, *inner, len(active))
                for inner in itertools.combinations(range(1, len(active)), rooms - 1)
            )
        )  # fmt: skip
        assert score([[s] for s in sizes], [size[0]] * rooms) == best


def test_in_a_nine_year_school_the_excess_counts_not_the_class() -> None:
    # Primary 104 and junior 106 in three rooms: one grade must stand in one class.
    # Two classes of 52 primary pupils and one of 106 (excess 56), or one of 104 (excess 59).
    assert form_classes([104, 106], 3, [45, 50]).tolist() == [2, 1]
    # By size alone the junior class of 53 is the largest; by excess the primary one of 52 is.
    assert form_classes([52, 53], 3, [45, 50]).tolist() == [2, 1]


def test_combined_classes_of_mixed_standards_equal_enumeration() -> None:
    rng = np.random.default_rng(15)
    for _ in range(600):
        g = int(rng.integers(2, 6))
        students = rng.integers(1, 60, g).tolist()
        size = rng.choice([30, 45, 50], g).tolist()
        rooms = int(rng.integers(1, g))
        formed = form_classes(students, rooms, size, combined=True)

        def judged(
            starts: list[int], students: list[int] = students, size: list[int] = size
        ) -> tuple[int, int, int]:
            ends = [*starts[1:], len(students)]
            return score(
                [[sum(students[a:b])] for a, b in zip(starts, ends, strict=True)],
                [min(size[a:b]) for a, b in zip(starts, ends, strict=True)],
            )

        best = min(judged([0, *inner]) for inner in itertools.combinations(range(1, g), rooms - 1))
        assert judged(np.flatnonzero(formed).tolist()) == best


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_classes_for_plan_conserves_and_keeps_to_the_rooms(data: st.DataObject) -> None:
    m, g, t = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 3)))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    students = rng.integers(0, 120, (m, g, t)) * rng.integers(0, 2, (m, g, t))
    rooms = rng.integers(0, 20, (m, t))
    size = rng.choice([30, 45, 50], (m, g))
    allowed = rng.integers(0, 2, m).astype(bool)
    classes, combined = classes_for_plan(students, rooms, size, allowed)
    table = class_table(
        students, np.where((classes.sum(1) == 0)[:, None, :] & (students > 0), 1, classes)
    )
    assert table.size.sum() == students.sum()
    assert classes.dtype == np.int32
    assert not combined[~allowed].any()
    over = classes.sum(axis=1) > rooms
    grades = (students > 0).sum(axis=1)
    # rooms are exceeded only where every grade needs one and no class may be combined
    assert (grades[over] > rooms[over]).all()
    for j, y in np.argwhere(~combined):
        assert ((classes[j, :, y] > 0) == (students[j, :, y] > 0)).all()
        one = form_classes(students[j, :, y], int(rooms[j, y]), size[j], combined=bool(allowed[j]))
        assert one.tolist() == classes[j, :, y].tolist()


def test_a_combined_class_is_counted_once_and_holds_all_its_grades() -> None:
    students, classes = [6, 4, 5, 0, 7], [1, 1, 0, 0, 0]
    assert class_sizes(students, classes) == ((6,), (16,), (), (), ())
    table = class_table(np.array(students)[None, :, None], np.array(classes)[None, :, None])
    assert table.grade_to.tolist() == [0, 4]


def test_more_rooms_never_make_the_largest_class_larger() -> None:
    rng = np.random.default_rng(6)
    for _ in range(300):
        students = rng.integers(1, 200, 6)
        largest = [
            max(max(x) for x in class_sizes(students, form_classes(students, r, [45] * 6)) if x)
            for r in range(6, 30)
        ]
        assert largest == sorted(largest, reverse=True)


def test_bad_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="非负"):
        form_classes([-1], 3, [45])
    with pytest.raises(InputError):
        form_classes([5], -1, [45])
    with pytest.raises(InputError):
        form_classes([5], 3, [0])
    with pytest.raises(InputError):
        class_table(np.ones((1, 2, 1)), np.zeros((1, 2, 1)))


@settings(deadline=None, max_examples=100)
@given(
    st.integers(0, 40), st.lists(st.sampled_from([30, 45, 50]), min_size=1, max_size=9), st.data()
)
def test_places_never_promise_more_than_rooms(
    rooms: int, size: list[int], data: st.DataObject
) -> None:
    hosted = data.draw(st.lists(st.booleans(), min_size=len(size), max_size=len(size)))
    held = places([rooms], [size], [hosted])[0]
    assert (held[~np.array(hosted)] == 0).all()
    top = max([z for z, h in zip(size, hosted, strict=True) if h], default=0)
    assert held.sum() <= rooms * top
    if any(hosted) and len(set(size)) == 1:
        assert held.sum() == rooms * size[0]


def test_seats_equal_enumeration_and_balance() -> None:
    rng = np.random.default_rng(7)
    for _ in range(400):
        g = int(rng.integers(1, 4))
        students = rng.integers(0, 120, (1, g, 1))
        size = rng.choice([30, 45, 50], (1, g))
        rooms = rng.integers(0, 7, (1, 1))
        held, short, spare = (int(x[0, 0]) for x in seats(students, rooms, size))
        most = max(
            sum(
                min(int(s), k * int(z))
                for s, k, z in zip(students[0, :, 0], ks, size[0], strict=True)
            )
            for ks in itertools.product(range(int(rooms[0, 0]) + 1), repeat=g)
            if sum(ks) <= rooms[0, 0]
        )
        assert students.sum() - short == most
        assert students.sum() - short == held - spare
        assert held <= rooms[0, 0] * size.max()
        assert spare >= 0
