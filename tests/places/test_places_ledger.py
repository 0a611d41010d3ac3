from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from catchment.places import LedgerFacts, classes_for_plan, ledger
from catchment.places.ledger import COLUMNS


def facts(
    students: list[list[list[int]]], rooms: list[list[int]], reach: int = 10,
    teachers: tuple[float, ...] = (20.0, 20.0), years: tuple[int, ...] = (2026, 2027),
) -> LedgerFacts:  # fmt: skip
    count = np.array(students)
    m, g, _ = count.shape
    size = np.full((m, g), 45)
    classes, _ = classes_for_plan(count, rooms, size, np.zeros(m, dtype=bool))
    near = np.full((m, m, g), reach)
    return LedgerFacts(
        years=years, grades=tuple(range(1, g + 1)), site_ids=("a", "b")[:m],
        site_names=("甲校", "乙校")[:m], townships=("北乡", "南镇")[:m], students=count,
        classes=classes, rooms=np.array(rooms, dtype=np.int32), class_size=size.astype(np.int32),
        hosted=np.ones(count.shape, dtype=bool), reach=near,
        teachers=np.array(teachers[:m]),
    )  # fmt: skip


def own(*rows: tuple[str, int, str, int]) -> pd.DataFrame:
    table = pd.DataFrame(list(rows), columns=["school_id", "grade", "class_no", "students"])
    return table.assign(year=2026)


def test_categories_limits_and_excess() -> None:
    base = facts([[[40, 40], [40, 40]]], [[9, 9]])
    table = ledger(base, own(("a", 1, "1", 45), ("a", 1, "2", 46), ("a", 1, "3", 55),
                             ("a", 2, "1", 56), ("a", 2, "2", 65), ("a", 2, "3", 66)))  # fmt: skip
    assert tuple(table.columns) == COLUMNS
    assert table[["students", "category", "excess"]].to_numpy().tolist() == [
        [46, "over_standard", 1], [55, "over_standard", 10], [56, "large", 11],
        [65, "large", 20], [66, "super_large", 21],
    ]  # fmt: skip
    assert set(table["state"]) == {"open"}


def test_junior_classes_have_their_own_standard() -> None:
    base = replace(facts([[[40, 40], [40, 40]]], [[9, 9]]), grades=(6, 7))
    table = ledger(base, own(("a", 6, "1", 48), ("a", 7, "1", 50), ("a", 7, "2", 51)))
    assert table[["grade", "students", "limit"]].to_numpy().tolist() == [[6, 48, 45], [7, 51, 50]]


def test_least_disruptive_way_first() -> None:
    # a class expected for 2027, a free room and teachers enough: the room is the first way
    base = facts([[[40, 60], [40, 40]], [[20, 20], [20, 20]]], [[4, 2], [9, 9]])
    table = ledger(base, own(("a", 1, "1", 60), ("a", 2, "1", 40)))
    ways = table["ways_out"].iloc[0]
    assert ways.index("空余教室") < ways.index("新建校点") < ways.index("新生分流")
    assert "教师" not in ways
    ahead = table[table["state"] == "forecast"].iloc[0]["ways_out"]
    assert ahead.index("2027年新生分流") < ahead.index("扩建教室") < ahead.index("新建校点")
    # teachers short, or not reported: said so
    few = ledger(
        replace(base, teachers=np.array([2.0, 20.0])), own(("a", 1, "1", 60), ("a", 2, "1", 40))
    )
    assert "增配教师" in few["ways_out"].iloc[0]
    unknown = ledger(replace(base, teachers=np.full(2, np.nan)), own(("a", 1, "1", 60)))
    assert "未填报" in unknown["ways_out"].iloc[0]


def test_a_class_that_sits_is_not_mended_by_other_entrants() -> None:
    grades = [[60, 60], [60, 60], [60, 60], [60, 60]]
    few = [[20, 20]] * 4
    table = ledger(facts([grades, few], [[4, 4], [9, 9]]))
    first = table[(table["grade"] == 1) & (table["year"] == 2026)].iloc[0]
    # no room is free: building is the first way that helps these children
    assert first["ways_out"].startswith("1. 扩建教室1间")
    assert first["chosen"].startswith("建议：扩建教室1间")
    assert first["target_date"] == "2028-08-31"
    assert first["ways_out"].endswith("只防止新增，不减小本班")
    assert "keeps the next class small, not this one" in first["ways_out_en"]
    # a higher grade of today has no entrants at all
    second = table[(table["grade"] == 2) & (table["year"] == 2026)].iloc[0]
    assert "新生" not in second["ways_out"]
    # those who enter in 2027 can still go elsewhere, before they enter
    ahead = table[(table["grade"] == 1) & (table["year"] == 2027)].iloc[0]
    assert ahead["ways_out"].startswith("1. 2027年新生分流至乙校")
    assert ahead["target_date"] == "2027-08-31"
    # grade 2 of 2027 sits in grade 1 today
    sitting = table[(table["grade"] == 2) & (table["year"] == 2027)].iloc[0]
    assert "新生" not in sitting["ways_out"]
    far = ledger(facts([grades, few], [[4, 4], [9, 9]], reach=0))
    assert "新生分流" not in far["ways_out"].str.cat()
    assert table["ways_out_en"].str.contains("build 1 room").all()


def test_a_cohort_yet_to_enter_is_sent_elsewhere_in_the_year_it_enters() -> None:
    base = facts([[[20, 60], [20, 20], [20, 60]], [[20, 20]] * 3], [[3, 3], [9, 9]],
                 years=(2026, 2029))  # fmt: skip
    third = ledger(base).iloc[-1]
    # grade 3 of 2029 enters in 2027
    assert (third["grade"], third["year"]) == (3, 2029)
    assert third["ways_out"].startswith("1. 2027年新生分流至乙校")
    assert third["target_date"] == "2027-08-31"


def test_building_that_comes_too_late_is_not_promised() -> None:
    base = facts([[[20, 20], [60, 20], [20, 60], [20, 20]]], [[4, 4]], years=(2026, 2027))
    row = ledger(replace(base, hosted=np.array([[[1, 1]] * 3 + [[0, 0]]], dtype=bool))).iloc[0]
    # grade 2 of three leaves in 2028: rooms built by then help nobody in it
    assert (row["grade"], row["target_date"]) == (2, "2028-08-31")
    assert "自然消除" in row["chosen"]


@pytest.mark.parametrize(
    ("students", "rooms", "said"),
    [
        ([[[60, 60], [20, 60]]], [[2, 9]], "扩建教室后增班"),
        ([[[60, 60], [20, 40]]], [[2, 2]], "学生分流"),
        ([[[60, 60], [20, 60], [20, 20]]], [[3, 3]], "建议"),
    ],
)
def test_what_the_plan_does_is_told_by_the_cohort(
    students: list[list[list[int]]], rooms: list[list[int]], said: str
) -> None:
    table = ledger(facts(students, rooms))
    row = table[(table["year"] == 2026) & (table["grade"] == 1)].iloc[0]
    assert said in row["chosen"]


def test_last_grade_ends_by_itself() -> None:
    table = ledger(facts([[[20, 20], [60, 60]]], [[2, 2]]))
    row = table[(table["year"] == 2026) & (table["grade"] == 2)].iloc[0]
    assert "自然消除" in row["chosen"]
    assert row["target_date"] == "2027-08-31"


def test_cohorts_are_followed_over_gaps_between_years() -> None:
    years = (2026, 2028)
    base = facts([[[60, 20], [20, 20], [20, 40]]], [[3, 3]], years=years)
    row = ledger(base).iloc[0]
    # grade 1 of 2026 is grade 3 of 2028: 40 students
    assert "学生分流" in row["chosen"]
    assert row["target_date"] == "2028-08-31"
    gone = facts([[[20, 20], [60, 20], [20, 20]]], [[3, 3]], years=years)
    assert ledger(gone).iloc[0]["target_date"] == "2028-08-31"


def test_later_years_are_forecasts_and_order_is_fixed() -> None:
    base = facts([[[60, 60], [60, 60]], [[60, 60], [20, 20]]], [[2, 2], [2, 2]])
    table = ledger(base)
    assert table["state"].map({"open": 0, "forecast": 1}).is_monotonic_increasing
    assert table.equals(ledger(base))
    assert table["year"].is_monotonic_increasing


def test_nothing_large_nothing_listed() -> None:
    table = ledger(facts([[[40, 40], [40, 40]]], [[2, 2]]))
    assert table.empty
    assert tuple(table.columns) == COLUMNS


def test_a_free_room_is_proposed_to_one_grade_alone() -> None:
    # four classes in five rooms; grades 1 and 2 are both above standard
    base = facts([[[50, 10], [60, 10], [40, 10], [40, 10]]], [[5]], years=(2026, 2027))
    base = replace(
        base, years=(2026,), students=base.students[:, :, :1], rooms=base.rooms[:, :1],
        classes=np.ones((1, 4, 1), dtype=np.int32), hosted=base.hosted[:, :, :1],
    )  # fmt: skip
    table = ledger(base).set_index("grade")
    assert "空余教室1间" in table.loc[2, "chosen"]
    assert "扩建教室1间" in table.loc[1, "chosen"]
    assert "已拟给2年级" in table.loc[1, "chosen"]
    assert "proposed to grade 2" in table.loc[1, "chosen_en"]
    # no more rooms are proposed than there are
    assert table["chosen"].str.contains("增开").sum() == 1
    # two classes of one grade share what opens for the grade
    twice = ledger(base, own(*[("a", 1, n, 50) for n in "12"], ("a", 2, "1", 40)))
    assert twice["chosen"].str.contains("增开").tolist() == [True, True]


def test_a_plan_that_opens_a_class_says_where_its_room_comes_from() -> None:
    # two rooms, both taken: next year the class of grade 1 is two classes of grade 2
    students = np.array([[[60, 0], [30, 60]]])
    base = facts(students.tolist(), [[2, 2]])
    base = replace(base, classes=np.array([[[1, 0], [1, 2]]], dtype=np.int32))
    line = ledger(base)
    line = line[line["year"] == 2026].iloc[0]
    assert "空余" not in line["ways_out"]
    assert line["chosen"] == "方案：利用其他年级腾出的教室增班"
    roomy = ledger(replace(base, rooms=np.array([[3, 3]], dtype=np.int32)))
    assert roomy[roomy["year"] == 2026].iloc[0]["chosen"] == "方案：利用空余教室增班"
