"""Wishes that meet: what contradicts is said, what can be had is had, what is refused is true."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from catchment.errors import InputError
from catchment.run.change import ImpossibleError
from tests.run.test_wishes import YEARS, load, run, schools

UPPER = ["upper"]


def move(village: str, to: str, band: str = "upper") -> dict[str, Any]:
    return {"do": "move", "year": 2028, "villages": [village], "to": to, "bands": [band]}


def half(village: str, *, first: float = 0.5) -> dict[str, Any]:
    return {"villages": [village], "schools": ["S1", "S2"], "bands": UPPER,
            "shares": [first, 1 - first]}  # fmt: skip


def size(school: str, band: str = "upper", **limits: int) -> dict[str, Any]:
    return {"school": school, "bands": [band], **limits}


def test_a_least_size_counts_the_parts_of_shared_villages() -> None:
    done = run({"size": [size("S1", min=75)], "shared": [half("V3")]}, years=[2026, 2028])
    assert (load(done, "S1", "upper"), load(done, "S2", "upper")) == (75, 75)
    assert schools(done, "upper") == ["S1", "S1", "S2", "S2", "S2"]
    with pytest.raises(ImpossibleError):
        run({"size": [size("S1", min=76)], "shared": [half("V3")]}, years=[2026, 2028])


def test_an_own_village_that_is_sent_away_forbids_no_plan() -> None:
    done = run({"size": [size("S2", max=20)]}, move("V3", "S1"), years=[2026, 2028])
    assert schools(done, "upper") == ["S1"] * 5


def test_a_village_sent_across_others_forbids_no_plan() -> None:
    for wish in (
        {"never": [{"villages": ["V1"], "school": "S2"}]},
        {"size": [size("S1", max=100)]},
    ):
        done = run(wish, move("V5", "S1"), years=[2026, 2028])
        assert schools(done, "upper") == ["S1", "S1", "S2", "S2", "S1"]


def test_a_move_to_the_present_school_holds() -> None:
    wish = {"size": [size("S1", max=40)]}
    assert schools(run(wish, years=[2026, 2028]), "upper")[1] == "S2"
    with pytest.raises(ImpossibleError, match=r"60 students.*take 40 at most: 20 too many"):
        run(wish, move("V2", "S1"), years=[2026, 2028])


def test_a_change_of_one_band_is_not_said_to_mend_another() -> None:
    sizes = [size("S1", "lower", max=60), size("S2", "lower", max=50), size("T1", "lower", max=30),
             size("S1", max=60), size("S2", max=60)]  # fmt: skip
    with pytest.raises(ImpossibleError) as caught:
        run({"size": sizes}, years=[2026, 2028])
    why = caught.value.why
    assert [en for _, en in why.changes] == [
        "丁村教学点 may have 60 in this band instead of 30 (30 more places)"
    ]
    assert len(why.also) == 1
    assert "2028 upper" in why.also[0][1]
    assert "30 too many" in why.also[0][1]
    assert "for this band, any one" in str(caught.value)
    assert why.record()["also"][0]["en"] == why.also[0][1]
    # both bands mended: a plan
    sizes[2]["max"], sizes[4]["max"] = 60, 90
    run({"size": sizes}, years=[2026, 2028])


def test_what_pieces_and_sizes_forbid_can_be_counted() -> None:
    with pytest.raises(ImpossibleError) as caught:
        run({"size": [size("S2", max=60)]}, years=[2026, 2028])
    why = caught.value.why
    # V4 and V5 lie behind V3, the own village of S2
    assert (why.villages, why.schools) == (("V3", "V4", "V5"), ("S2",))
    assert (why.students, why.places, why.proved) == (90, 60, True)
    with pytest.raises(ImpossibleError) as caught:
        run({"size": [size("S1", min=61)]}, years=[2026, 2028])
    why = caught.value.why
    assert (why.villages, why.schools) == (("V1", "V2"), ("S1",))
    assert (why.students, why.places, why.proved) == (60, 61, True)


def test_a_school_named_twice_keeps_both_sizes() -> None:
    done = run({"size": [size("S1", max=30), {"school": "S1", "max": 120}]}, years=[2026, 2028])
    assert load(done, "S1", "upper") == 30


def test_children_of_a_village_that_comes_to_be_shared_stay() -> None:
    done = run({"shared": [half("V2")], "grandfather": True})
    parts, problem = done.plan.elsewhere, done.problem
    assert parts is not None
    # the first who are divided begin in 2027 and are in grade 4 in 2030
    told = {(problem.grades[g], problem.years[t]) for g, t in zip(
        parts.grade.tolist(), parts.year.tolist(), strict=True
    )}  # fmt: skip
    assert told == {(4, YEARS[-1])}
    assert int(parts.students.sum()) == 5
    assert np.unique(parts.site).tolist() == [problem.site_ids.index("S2")]


def test_above_the_most_students_while_current_ones_finish_is_told() -> None:
    done = run({"size": [size("S1", max=30)], "grandfather": True})
    row = done.prices.query("site_id == 'S1' and band == 'upper' and year == 2027").iloc[0]
    assert (row["students"], row["limit"]) == (60, "above")
    assert "30 above its most" in row["reason_en"]


@pytest.mark.parametrize(
    ("wish", "action", "said"),
    [
        ({"never": [{"villages": ["V2"], "school": "S2"}]}, move("V2", "S2"), "方案行动 2028 年"),
        ({"shared": [half("V2")]}, move("V2", "S2"), "又由行动 move 送到 S2"),
        ({"shared": [half("V2")], "never": [{"villages": ["V2"], "school": "S2"}]}, None, "never"),
    ],
)
def test_wishes_that_contradict_are_refused_in_words(wish: Any, action: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        run(wish, *([action] if action else []), years=[2026, 2028])


def test_a_village_kept_apart_from_a_shared_one_meets_none_of_its_children() -> None:
    wish = {"apart": [{"villages": ["V1", "V2"], "bands": UPPER}]}
    assert schools(run(wish, years=[2026, 2028]), "upper")[1] == "S2"
    with pytest.raises(ImpossibleError) as caught:
        run({**wish, "shared": [half("V2", first=0.4)]}, years=[2026, 2028])
    assert any("no longer shared" in en for _, en in caught.value.why.changes)
