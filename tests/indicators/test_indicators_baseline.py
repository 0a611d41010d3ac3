from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
from tiny_county import tiny_problem

from catchment.indicators import survey_tables


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
