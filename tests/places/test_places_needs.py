from __future__ import annotations

import numpy as np
import pytest

from catchment.errors import InputError
from catchment.places.needs import (
    NeedFactors,
    begins,
    compare_class_sizes,
    needs,
    smaller_classes,
)

PRIMARY = [True] * 6 + [False] * 3


def test_hand_worked_needs() -> None:
    students = np.zeros((3, 9, 1), dtype=int)
    students[0, :6] = 95  # 570 primary: 30 staff
    students[1, 6:] = 90  # 270 junior: 20 staff
    students[2, :6] = 5  # 30 students in 6 classes: 2 by ratio, 9 by class
    classes = np.zeros((3, 9, 1), dtype=int)
    classes[0, :6], classes[1, 6:], classes[2, :6] = 3, 2, 1
    got = needs(students, classes, PRIMARY, boarders=[[0], [100], [0]])
    assert got.staff[:, 0].tolist() == [30, 20, 9]
    assert got.dining_seats[:, 0].tolist() == [570, 270, 30]
    assert got.nap_places[:, 0].tolist() == [570, 0, 30]
    assert got.beds[:, 0].tolist() == [0, 100, 0]
    # 18 classes x 4 lessons of sport / 14
    assert got.subject_teachers[0, 0, 0] == pytest.approx(5.1)


def test_factors_are_editable_and_checked() -> None:
    students = np.full((1, 9, 1), 5)
    classes = np.ones((1, 9, 1), dtype=int)
    got = needs(students, classes, PRIMARY, factors=NeedFactors(class_factor=2, sittings=2))
    assert got.staff[0, 0] == 18
    assert got.dining_seats[0, 0] == 23
    for bad in ({"primary_ratio": 0}, {"sittings": -1}, {"lessons_per_class": (1.0,)}):
        with pytest.raises(InputError):
            NeedFactors(**bad)  # type: ignore[arg-type]


def test_smaller_classes_turn_spare_rooms_into_classes_instead_of_closures() -> None:
    students = np.array([[[90, 60]]])
    table = compare_class_sizes(students, [[3, 3]], [[45]], [2026, 2030], targets=(45, 30))
    rows = table.set_index(["target", "year"])
    assert rows.loc[(45, 2030), "classes_needed"] == 2
    assert rows.loc[(30, 2030), "classes_needed"] == 2
    assert rows.loc[(45, 2026), "surplus"] == 45
    assert rows.loc[(30, 2026), ["classes_needed", "surplus", "shortfall"]].tolist() == [3, 0, 0]
    assert smaller_classes([[45, 30]], 35).tolist() == [[35, 30]]
    with pytest.raises(InputError):
        smaller_classes([[45]], 0)


def test_year_in_which_a_shortfall_begins_to_stay() -> None:
    amount = [[0, 5, 0, 3, 4], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [9, 0, 0, 0, 0]]
    years = [2026, 2027, 2028, 2029, 2030]
    assert begins(amount, years).tolist() == [2029, 0, 2026, 0]
