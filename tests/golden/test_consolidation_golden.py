"""Every constraint block as text on a case of two villages and two schools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from catchment.optimise.consolidation import Limits, Question, read_costs
from catchment.optimise.phases.blocks import BLOCKS
from catchment.optimise.phases.compile import compile_model
from catchment.optimise.phases.contiguous import Ground, ground_of
from catchment.optimise.phases.decode import keep_decision
from catchment.optimise.phases.draft import Draft, lay_out, lp_text
from catchment.optimise.phases.separate import connecting
from catchment.problem import Problem

HERE = Path(__file__).parent


def two_nodes(lower_grades: int = 1) -> Draft:
    """Village A with a small school, village B with a central one; both bands, three years.

    4 children a grade in A and 6 in B, one grade a band, falling by one in the last year; classes
    of 8. From A to B: 20 minutes by bus in the lower band, boarding in the upper. Nobody may move
    the other way (the limit of 10 minutes is for walking only). Combined classes of 6 at most.
    """
    grades = lower_grades + 1
    students = np.zeros((4, grades, 3), dtype=np.int32)
    students[0, :lower_grades] = students[1, -1] = [4, 4, 3]
    students[2, :lower_grades] = students[3, -1] = [6, 6, 5]
    minutes = np.array([[[5, 20], [5, 45], [25, 5], [np.inf, 5]]], dtype=np.float32)
    metres = np.where(np.isfinite(minutes), minutes * 500, np.inf).astype(np.float32)
    mode = np.array([[[0, 1], [0, 2], [0, 0], [-1, 0]]], dtype=np.int8)
    two = np.ones((2, 2), dtype=bool)
    years = np.ones((1, 3), dtype=np.int32)
    problem = Problem(
        village_ids=("A", "B"),
        site_ids=("small", "central"),
        bands=("lower", "upper"),
        grades=tuple(range(1, grades + 1)),
        grade_band=np.array([0] * lower_grades + [1], dtype=np.int8),
        years=(2026, 2027, 2028),
        group_village=np.array([0, 0, 1, 1], dtype=np.int32),
        group_band=np.array([0, 1, 0, 1], dtype=np.int8),
        students=students,
        estimated=np.zeros((2, 3), dtype=bool),
        modes=("walk", "bus", "board"),
        minutes=minutes,
        metres=metres,
        mode=mode,
        network=np.zeros(3, dtype=np.int32),
        rooms=np.array([[2], [2]], dtype=np.int32) * years,
        beds=np.array([[0], [1]], dtype=np.int32) * years,
        dining_seats=np.array([[0], [3]], dtype=np.int32) * years,
        class_size=np.full((2, grades), 8, dtype=np.int32),
        neighbours=csr_matrix(two),
        home=np.array([0, 1], dtype=np.int32),
        existing=np.ones(2, dtype=bool),
        today_open=two,
        can_host=two,
        must_open=np.zeros((2, 2, 3), dtype=bool),
        must_close=np.zeros((2, 2, 3), dtype=bool),
        today=np.array([0, 0, 1, 1], dtype=np.int32),
        fixed_site=np.full((4, 3), -1, dtype=np.int32),
        trip_limit=np.array([22, 40], dtype=np.float32),
        nap_places=np.array([[0], [3]], dtype=np.int32) * years,
    )
    question = Question(
        problem=problem,
        costs=read_costs().replace(combined_class=6),
        limits=Limits(
            min_size=5, max_size=18, closures_per_year=1, closures_total=1, moved_per_year=6
        ),
        may_close=np.array([True, False]),
        may_downgrade=np.array([True, False]),
        may_open=np.zeros(2, dtype=bool),
        extra_rooms=np.array([0, 2], dtype=np.int32),
        extra_beds=np.array([0, 6], dtype=np.int32),
        extra_seats=np.array([0, 9], dtype=np.int32),
        extra_naps=np.array([0, 5], dtype=np.int32),
    )
    model = compile_model(question)
    return lay_out(model, np.ones(4, dtype=bool), keep_decision(model, 3))


def three_in_a_row() -> tuple[Draft, Ground]:
    """Three villages in a row, schools in the first and the second, one band, three years."""
    line = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=bool)
    students = np.full((3, 1, 3), 5, dtype=np.int32)
    minutes = np.array([[[5, 10], [10, 5], [15, 10]]], dtype=np.float32)
    two = np.ones((2, 1), dtype=bool)
    years = np.ones((1, 3), dtype=np.int32)
    problem = Problem(
        village_ids=("A", "B", "C"),
        site_ids=("first", "second"),
        bands=("lower",),
        grades=(1,),
        grade_band=np.zeros(1, dtype=np.int8),
        years=(2026, 2027, 2028),
        group_village=np.arange(3, dtype=np.int32),
        group_band=np.zeros(3, dtype=np.int8),
        students=students,
        estimated=np.zeros((3, 3), dtype=bool),
        modes=("walk",),
        minutes=minutes,
        metres=minutes * 80,
        mode=np.zeros((1, 3, 2), dtype=np.int8),
        network=np.zeros(3, dtype=np.int32),
        rooms=np.array([[2], [2]], dtype=np.int32) * years,
        beds=np.zeros((2, 3), dtype=np.int32),
        dining_seats=np.full((2, 3), 30, dtype=np.int32),
        class_size=np.full((2, 1), 20, dtype=np.int32),
        neighbours=csr_matrix(line),
        home=np.array([0, 1], dtype=np.int32),
        existing=np.ones(2, dtype=bool),
        today_open=two,
        can_host=two,
        must_open=np.zeros((2, 1, 3), dtype=bool),
        must_close=np.zeros((2, 1, 3), dtype=bool),
        today=np.array([0, 1, 1], dtype=np.int32),
        fixed_site=np.full((3, 3), -1, dtype=np.int32),
        trip_limit=np.array([30], dtype=np.float32),
    )
    none = np.zeros(2, dtype=np.int32)
    question = Question(
        problem=problem,
        costs=read_costs(),
        limits=Limits(kept_share=0.0),
        may_close=np.ones(2, dtype=bool),
        may_downgrade=np.zeros(2, dtype=bool),
        may_open=np.zeros(2, dtype=bool),
        extra_rooms=none,
        extra_beds=none,
        extra_seats=none,
        extra_naps=none,
        connected=True,
    )
    model = compile_model(question)
    draft = lay_out(model, np.ones(3, dtype=bool), keep_decision(model, 3))
    return draft, ground_of(question)


@pytest.mark.parametrize("block", sorted(BLOCKS))
def test_block_reads_as_recorded(block):
    # Grades share a class only where the lower band has several.
    draft = two_nodes(2 if block == "combined" else 1)
    rows = list(BLOCKS[block](draft))
    assert rows, f"the two-node case does not exercise {block}"
    path = HERE / f"consolidation_{block}.lp"
    assert path.is_file(), f"no golden text for the block {block}"
    assert lp_text(draft, rows) == path.read_text(encoding="utf-8")


def test_rows_that_connect_read_as_recorded():
    draft, ground = three_in_a_row()
    # The last village goes to the first school over the second village, whose school is another.
    apart = np.array([[0, 0, 0], [1, 1, 1], [1, 1, 0]], dtype=np.int32)
    rows = connecting(draft, ground, apart)
    # Now the first school's own village goes elsewhere, and its others do not.
    rows += connecting(draft, ground, np.array([[0, 1, 1], [1, 1, 0], [1, 1, 0]], dtype=np.int32))
    path = HERE / "consolidation_connected.lp"
    assert lp_text(draft, rows) == path.read_text(encoding="utf-8")
    whole = np.array([[0, 0, 0], [1, 1, 0], [1, 1, 0]], dtype=np.int32)
    assert connecting(draft, ground, whole) == []


def test_no_golden_text_without_a_block():
    recorded = {p.stem.removeprefix("consolidation_") for p in HERE.glob("consolidation_*.lp")}
    assert recorded == {*BLOCKS, "connected"}
