from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
from tiny_county import tiny_problem

from catchment.indicators import survey_tables
from catchment.indicators.baseline import _children_differ


def test_known_figures_are_filled_in_and_unknown_ones_left_blank() -> None:
    problem = tiny_problem()
    region = SimpleNamespace(
        schools=pd.DataFrame(
            {"school_id": ["A", "B"], "name": ["甲", "乙"], "township": ["n", "n"],
             "role": ["nine_year", "complete"], "rooms": [20, 6], "dining_seats": [800, None],
             "nap_places": [None, 3], "beds": [30, 0], "teachers": [60, 9]}
        ),
        villages=pd.DataFrame(
            {"village_id": ["v3", "v1", "v9"], "name": ["岛", "坪", "新"], "township": ["s", "n", "n"],
             "area_id": ["P", "P", None]}
        ),
        areas=pd.DataFrame({"area_id": ["P"], "central_school_id": ["A"]}),
    )  # fmt: skip
    got = survey_tables(region, problem)  # type: ignore[arg-type]
    school = got["school"].set_index("school_id")
    assert school.loc["A", "role"] == "九年一贯制学校"
    assert np.isnan(school.loc["B", "dining_seats"])
    village = got["village"].set_index("village_id")
    assert village.loc["v1", "distance_km"] == 2.0
    assert np.isnan(village.loc["v3", "distance_km"])
    assert village.loc["v1", "children_junior"] == 60
    assert village.loc["v9", "central_school"] == ""


def test_children_are_compared_with_the_latest_enrolled_year() -> None:
    bands = (
        SimpleNamespace(band="lower", grades=(1, 2, 3)),
        SimpleNamespace(band="upper", grades=(4,)),
    )
    children = pd.DataFrame(
        [("v1", 1, 2025, 9, "enrolled"), ("v1", 1, 2026, 7, "enrolled"), ("v1", 1, 2027, 5, "")],
        columns=["village_id", "grade", "year", "students", "source"],
    )
    region = SimpleNamespace(children=children, bands=bands)

    def ask(lower: float, upper: float, code: str = "v1") -> list[str]:
        form = pd.DataFrame(
            [{"row": 4, "village_id": code, "children_lower": lower, "children_upper": upper}]
        )
        survey = SimpleNamespace(forms={"village": form})
        return [str(p[2]) for p in _children_differ(region, survey)]  # type: ignore[arg-type]

    assert ask(7, 0) == []
    assert ask(9, 0) == ["children_lower"]
    # a band of which the table has no row in the village: nobody, and eleven are told
    assert ask(7, 11) == ["children_upper"]
    assert ask(5, 5, "v2") == []
