"""Our catchments on the real blocks of a school district, beside its official options."""

from __future__ import annotations

import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from tests.cases.real_regions import CASES

FOLDER = CASES / "baltimore"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared cases are not beside the project"),
]


@pytest.fixture(scope="module")
def script():
    folder = str(Path(__file__).resolve().parents[2] / "scripts")
    sys.path.insert(0, folder)
    try:
        import baltimore
    finally:
        sys.path.remove(folder)
    return baltimore


@pytest.fixture(scope="module")
def case(script):
    return script.read_case(FOLDER)


def test_the_case_is_read_whole(case):
    # 5,443 pupils in all, of whom 511 live in the zone that has no school in the list
    assert case.demand.sum() == 5443 - 511
    assert len(case.names) == 10
    assert nx.is_connected(nx.from_scipy_sparse_array(case.touch))
    assert len(set(case.home)) == 10


@pytest.mark.parametrize("places", ["rated", "used"])
def test_our_plan_keeps_what_the_options_break(script, case, places):
    script.WORK = 2e6
    capacity = getattr(case, places)
    answer = script.drawn(case, capacity, script.STAY_KM)
    assert answer.status == "feasible"
    load = np.bincount(answer.site_of, case.demand, minlength=10)
    assert (load <= capacity).all()
    ours = script.judged(case, answer.site_of)
    assert ours["zones in more than one piece"] == 0
    official = [script.judged(case, case.zones[option]) for option in script.OPTIONS]
    if places == "rated":
        assert ours["students above rated places"] == 0
        assert min(figures["students above rated places"] for figures in official) > 300
    else:
        assert ours["mean km"] < min(figures["mean km"] for figures in official)
        assert ours["students who change school"] < min(
            figures["students who change school"] for figures in official
        )
