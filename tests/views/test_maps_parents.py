"""The parents' page without a browser: travel facts for everyone, student counts for nobody."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from catchment.errors import InputError
from catchment.run import Run
from catchment.views.parents import (
    class_sizes,
    parents_payload,
    write_parents,
)
from catchment.views.public import FEWER, NONE, PRIVACY_LIMIT
from tests.views.map_county import HOSTILE, build_run


@pytest.fixture(scope="module")
def run() -> Run:
    return build_run(villages=120)


def test_steps_tell_today_and_every_change(run: Run) -> None:
    problem, data = run.problem, parents_payload(run)
    changed = 0
    for i, steps in enumerate(data["steps"]):
        assert steps[0][0] == problem.years[0]
        assert steps[0][1] == run.today.site_of[i, 0]
        assert len(steps) > 1
        said = {s[0]: s[1] for s in steps[1:] if s[0]}
        here = steps[0][1]
        for t, when in enumerate(problem.years):
            here = said.get(when, here)
            assert here == run.plan.site_of[i, t]
        changed += bool(said)
        for s in steps:
            if s[1] >= 0:
                assert s[2] == pytest.approx(float(problem.minutes[0, i, s[1]]), abs=0.05001)
    assert 0 < changed < len(data["steps"])


def test_small_classes_are_hidden(run: Run) -> None:
    sizes = class_sizes(run.problem, run.plan)
    shown = sizes[sizes > 0]
    assert len(shown)
    assert shown.min() >= PRIVACY_LIMIT
    assert (sizes == FEWER).any()
    assert (sizes == NONE).any()
    said = {s[5] for steps in parents_payload(run)["steps"] for s in steps}
    assert not {n for n in said if 0 <= n < PRIVACY_LIMIT}


def test_no_count_of_students_but_class_sizes_and_villages(run: Run) -> None:
    data = parents_payload(run)
    assert set(data["villages"][0]) == {"id", "name", "town"}
    assert {len(s) for steps in data["steps"] for s in steps} == {7}
    assert not {"demand", "load", "classes", "ledger", "indicators"} & set(data)
    assert set(data["students"]) == {"year", "villages", "towns"}
    # An open point counts places, not students.
    counts = {o[5] for o in data["open"]}
    assert counts == {1}


def test_works_are_in_order_and_true(run: Run) -> None:
    works = parents_payload(run)["works"]
    assert [w[0] for w in works] == sorted(w[0] for w in works)
    kinds = {w[1] for w in works}
    assert {"build", "expand", "close", "point"} <= kinds
    problem, plan = run.problem, run.plan
    for when, kind, j, rooms in works:
        t = problem.years.index(when)
        if kind == "close":
            assert not plan.open[j, :, t].any()
            assert plan.open[j, :, t - 1].any()
        if kind == "expand":
            assert rooms == problem.rooms[j, t] - problem.rooms[j, :t].max()
        if kind == "build":
            assert not problem.existing[j]
            assert np.flatnonzero(plan.open[j].any(axis=0))[0] == t


def test_notice_is_text_and_known(run: Run, tmp_path: Path) -> None:
    path = write_parents(run, tmp_path / "p.html", notice={"phone": HOSTILE[0]})
    text = path.read_text(encoding="utf-8")
    assert "<img" not in text
    with pytest.raises(InputError):
        write_parents(run, tmp_path / "q.html", notice={"fax": "1"})
    with pytest.raises(InputError):
        write_parents(run, tmp_path / "q.html", lang="fr")
    assert not (tmp_path / "q.html").exists()


def test_file_is_sealed_and_steady(run: Run, tmp_path: Path) -> None:
    first = write_parents(run, tmp_path / "a.html").read_bytes()
    assert write_parents(run, tmp_path / "b.html").read_bytes() == first
    text = first.decode()
    assert "default-src 'none'" in text
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)\s*=", text)
    assert "HOMEPOINT" not in text
    block = re.search(r'id="parents-data">(.*?)</script>', text)
    assert block
    assert json.loads(block.group(1))["county"] == "虚构县"


def test_hostile_names_stay_data(tmp_path: Path) -> None:
    text = write_parents(build_run(villages=60, hostile=True), tmp_path / "p.html").read_text(
        "utf-8"
    )
    block = text[text.index('id="parents-data">') + len('id="parents-data">') :]
    block = block[: block.index("</script>")]
    assert not set("<>&\u2028\u2029") & set(block)
    assert HOSTILE[0] in {v["name"] for v in json.loads(block)["villages"]}
