"""What if a school closes: the rule by hand, against a plain second writing, and the run's figures."""

from __future__ import annotations

import numpy as np
import pytest

from catchment.errors import InputError
from catchment.optimise.whatif import UNREACHED, Start, start_of, tenths_of, whatif
from tests.views.map_county import build_run


def tiny(tenths: list[list[int]], students: list[int], rooms: list[int]) -> Start:
    """One band of one grade; classes of 10; every group at its nearest site."""
    cost = np.array(tenths, np.int64)
    n, m = cost.shape
    return Start(
        tenths=cost,
        mode=np.zeros((n, m), np.int64),
        limit=np.array([300]),
        students=np.array(students, np.int64)[:, None],
        group_band=np.zeros(n, np.int64),
        grade_band=np.zeros(1, np.int64),
        site_of=cost.argmin(axis=1),
        mode_of=np.zeros(n, np.int64),
        opened=np.ones((m, 1), bool),
        rooms=np.array(rooms, np.int64),
        class_size=np.full((m, 1), 10, np.int64),
    )


def test_the_largest_village_chooses_first_and_all_or_nothing() -> None:
    # Site 0 closes. Site 1 has 10 places, 4 of them taken; site 2 has 20.
    start = tiny(
        [[10, 50, 90], [10, 50, 60], [90, 10, 90], [10, 310, 400]], [5, 6, 4, 30], [9, 1, 2]
    )
    opened = np.array([[False], [True], [True]])
    answer = whatif(start, opened)
    # 30 fit nowhere: to the nearest, over places; then 6 to site 2 (20 left), then 5 there too.
    assert answer.site_of.tolist() == [2, 2, 1, 1]
    assert answer.over_places == 24
    assert answer.moved == 41
    assert answer.over_limit == 30
    assert answer.worst == 310
    assert answer.student_tenths == 5 * 90 + 6 * 60 + 4 * 10 + 30 * 310
    # 34 students in one room: one class of 34; 11 in two rooms: 6 and 5.
    assert answer.sizes == ((), (34,), (6, 5))
    free = whatif(start, opened, capacity=False)
    assert free.site_of.tolist() == [1, 1, 1, 1]


def test_a_site_opened_draws_only_who_is_nearer_and_fits() -> None:
    start = tiny([[10, 99], [50, 40], [60, 40]], [3, 8, 4], [9, 1])
    first = whatif(start, np.array([[True], [False]]))
    assert first.site_of.tolist() == [0, 0, 0]
    again = whatif(
        Start(
            **{**start.__dict__, "site_of": first.site_of, "opened": np.array([[True], [False]])}
        ),
        np.array([[True], [True]]),
    )
    # 8 take the ten places first, 4 do not fit any more and stay; nobody else is nearer.
    assert again.site_of.tolist() == [0, 1, 0]


def test_who_reaches_nothing_is_unserved() -> None:
    start = tiny([[10, UNREACHED]], [7], [1, 1])
    answer = whatif(start, np.array([[False], [True]]))
    assert answer.site_of.tolist() == [-1]
    assert (answer.served, answer.unserved, answer.mode_of.tolist()) == (0, 7, [-1])


def test_wrong_shape_is_refused() -> None:
    with pytest.raises(InputError):
        whatif(tiny([[1]], [1], [1]), np.ones((2, 1), bool))


def test_tenths_judge_the_limit_as_the_exact_minutes_do() -> None:
    run = build_run(villages=60)
    exact = run.problem.minutes.copy()
    exact[0, 0, :4] = [30.04, 29.96, 30.0, np.inf]
    problem = run.problem.replace(minutes=exact, trip_limit=np.array([30, 40.25, 40], np.float32))
    tenths = tenths_of(problem, 0)
    assert tenths[0, :4].tolist() == [301, 300, 300, UNREACHED]
    limit = np.array([300, 402, 400])[problem.group_band][:, None]
    over = exact[0] > problem.trip_limit[problem.group_band][:, None]
    assert ((tenths > limit) == over).all()
    shown = np.isfinite(exact[0])
    assert np.abs(tenths[shown] / 10 - exact[0][shown]).max() <= 0.1


def slowly(start: Start, opened: np.ndarray) -> np.ndarray:
    """Write the rule a second time, group by group, with nothing shared."""
    demand = start.students.sum(1)
    site = start.site_of.tolist()
    for band in range(opened.shape[1]):
        groups = [i for i in range(len(site)) if start.group_band[i] == band]
        left = {}
        for j in range(opened.shape[0]):
            if opened[j, band]:
                per = [int((start.grade_band == b).sum()) for b in range(opened.shape[1])]
                taught = sum(per[b] for b in range(opened.shape[1]) if opened[j, b])
                size = min(start.class_size[j, start.grade_band == band])
                left[j] = int(start.rooms[j] * per[band] * size) // taught
        lost = [i for i in groups if site[i] >= 0 and not opened[site[i], band]]
        kept = [i for i in groups if i not in lost]
        for i in kept:
            if site[i] >= 0:
                left[site[i]] -= demand[i]
        fresh = [j for j in left if not start.opened[j, band]]
        for i in sorted(kept, key=lambda i: (-demand[i], i)):
            reach = start.tenths[i, site[i]] if site[i] >= 0 else UNREACHED
            near = sorted((start.tenths[i, j], j) for j in fresh if start.tenths[i, j] < reach)
            for _, j in near:
                if demand[i] == 0 or left[j] >= demand[i]:
                    if site[i] >= 0:
                        left[site[i]] += demand[i]
                    left[j] -= demand[i]
                    site[i] = j
                    break
        for i in sorted(lost, key=lambda i: (-demand[i], i)):
            near = sorted((start.tenths[i, j], j) for j in left if start.tenths[i, j] < UNREACHED)
            fits = [j for _, j in near if demand[i] == 0 or left[j] >= demand[i]]
            site[i] = fits[0] if fits else near[0][1] if near else -1
            if site[i] >= 0:
                left[site[i]] -= demand[i]
    return np.array(site)


@pytest.mark.parametrize("seed", range(6))
def test_random_sets_agree_with_the_second_writing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    run = build_run(villages=70, seed=seed + 1)
    start = start_of(run.problem, run.plan, int(rng.integers(4)))
    for _ in range(8):
        opened = start.opened.copy()
        for j in rng.choice(len(opened), int(rng.integers(1, 14)), replace=False):
            opened[j] = run.problem.can_host[j] & (rng.random(3) < rng.choice([0.0, 0.5, 1.0]))
        answer = whatif(start, opened)
        assert (answer.site_of == slowly(start, opened)).all()
        served = answer.site_of >= 0
        assert answer.load.sum() == start.students[served].sum() == answer.served
        assert answer.served + answer.unserved == start.students.sum()
        assert sum(map(sum, answer.sizes)) == answer.served
        bands = start.group_band[served]
        assert opened[answer.site_of[served], bands].all()


def test_no_change_is_the_plan() -> None:
    run = build_run(villages=80)
    for t in range(len(run.problem.years)):
        start = start_of(run.problem, run.plan, t)
        answer = whatif(start, start.opened)
        assert (answer.site_of == run.plan.site_of[:, t]).all()
        assert (answer.mode_of == run.plan.mode_of[:, t]).all()
        assert answer.moved == 0
