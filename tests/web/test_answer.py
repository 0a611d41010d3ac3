"""The answer to a click: what is left out of it changes nothing of what is in it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from catchment.run import run_scenario
from catchment.web.answer import Reckoner, answer
from catchment.web.bench import Bench
from catchment.web.document import parse_document, scenario_of
from catchment.web.operations import packed
from tests.web.conftest import MERGE, Client

OWN = {"do": "build", "site": "N1", "rooms": 3, "at": [108.016, 27.1119], "name": "新校",
       "grades": [1, 6], "year": 2027}  # fmt: skip
RECIPES: tuple[list[dict[str, Any]], ...] = (
    [],
    [MERGE],
    [MERGE, OWN, {"do": "downgrade", "school": "S1", "year": 2027}],
    [{"do": "move", "to": "S1", "villages": ["V4", "V5"], "bands": [], "year": 2027}],
)


@pytest.mark.parametrize("actions", RECIPES)
def test_one_year_is_that_year_of_all(bench: Bench, actions: list[dict[str, Any]]) -> None:
    county = bench.opened.county
    recipe = scenario_of(county, parse_document({"name": "甲", "actions": actions}))
    found = Reckoner(county).reckon(recipe)
    for t, year in enumerate(recipe.years):
        whole, one = answer(county, found, year), answer(county, found, year, whole=False)
        for name, values in whole["plan"].items():
            full = values[values[t]] if isinstance(values[t], int) else values[t]
            if name == "open":
                assert one["plan"][name] == values
            else:
                assert one["plan"][name][t] == full, (name, year)
                assert all(v is None for k, v in enumerate(one["plan"][name]) if k != t)
        rest = {k: v for k, v in one.items() if k not in ("plan", "ms")}
        assert rest == {k: v for k, v in whole.items() if k not in ("plan", "ms")}


@pytest.mark.parametrize("actions", RECIPES)
def test_the_gate_is_that_of_a_run(bench: Bench, actions: list[dict[str, Any]]) -> None:
    """Its verdicts, words and students, although it looks up no more than it needs."""
    county = bench.opened.county
    recipe = scenario_of(county, parse_document({"name": "甲", "actions": actions}))
    shown = answer(county, Reckoner(county).reckon(recipe), whole=False)["gate"]
    table: pd.DataFrame = run_scenario(recipe, county.region).findings
    rows = table[(table["code"] == "R-GATE") & (table["id"] != "county")]
    assert [(g["result"], g["year"], g["students"], g["zh"]) for g in shown] == [
        (r["result"], r["year"], r["students"], r["detail_zh"]) for r in rows.to_dict("records")
    ]


def test_a_save_is_answered_with_the_year_asked_for(client: Client) -> None:
    entry = client.add()
    body = {"expected": 1, "document": {"name": "甲", "actions": [MERGE]}, "year": 2028}
    path = f"/api/variants/{entry['id']}"
    small = client.send_json("PUT", path, {**body, "whole": False}).json()["answer"]
    full = client.get(f"{path}/answer?year=2028").json()
    t = small["years"].index(2028)
    assert small["plan"]["site"][t] == (
        full["plan"]["site"][full["plan"]["site"][t]]
        if isinstance(full["plan"]["site"][t], int)
        else full["plan"]["site"][t]
    )
    assert small["figures"] == full["figures"]
    assert len(packed(small)) < len(packed(full))
