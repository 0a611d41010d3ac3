"""Who travels longer: over today's first year, in the worst year, the same in every document."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pptx
import pytest

from catchment.run import Run
from catchment.views.book import book_document
from catchment.views.deck import deck_bytes
from catchment.views.document import Paragraph, Table
from catchment.views.facts import WORSE_MINUTES, worse
from catchment.views.parents import parents_payload
from catchment.views.report import report_document
from tests.views.document_run import document_run
from tests.views.stepped_run import by_two_steps


@pytest.fixture(scope="module")
def run() -> Run:
    return by_two_steps(document_run(villages=54))[0]


def reckoned(run: Run) -> dict[tuple[str, str], tuple[float, int]]:
    """Largest growth of every village-band over today's first year, and its year, by hand."""
    problem, found = run.problem, {}
    for i in range(len(problem.group_band)):
        here = int(run.today.site_of[i, 0])
        for t, year in enumerate(problem.years):
            j = int(run.plan.site_of[i, t])
            if here < 0 or j < 0:
                continue
            now = float(problem.minutes[problem.network[t], i, j])
            growth = now - float(problem.minutes[problem.network[0], i, here])
            key = (problem.village_ids[problem.group_village[i]],
                   problem.bands[problem.group_band[i]])  # fmt: skip
            if growth > WORSE_MINUTES and growth > found.get(key, (0.0, 0))[0]:
                found[key] = (growth, year)
    return found


def listed(run: Run) -> dict[tuple[str, str], tuple[float, int]]:
    table = worse(run)
    assert not table.duplicated(["village_id", "band"]).any()
    # ``growth`` is what is shown (test_one_number); who is listed hangs on the minutes themselves.
    return {
        (r.village_id, r.band): (pytest.approx(r.minutes_after - r.minutes_before), r.year)
        for r in table.itertuples()
    }


def test_a_trip_that_grows_in_two_steps_is_listed() -> None:
    run, i = by_two_steps(document_run(villages=54))
    problem = run.problem
    key = problem.village_ids[problem.group_village[i]], problem.bands[problem.group_band[i]]
    grown = np.diff([problem.minutes[0, i, j] for j in run.plan.site_of[i]])
    assert grown.max() < WORSE_MINUTES < grown.sum()
    assert reckoned(run)[key][1] == problem.years[-1]
    assert listed(run) == reckoned(run)


def test_a_longer_road_to_the_same_school_is_listed(run: Run) -> None:
    problem, plan = run.problem, run.plan.replace(
        site_of=np.repeat(run.today.site_of[:, :1], len(run.problem.years), axis=1)
    )  # fmt: skip
    network = problem.network.copy()
    network[2:] = 1
    longer = np.concatenate([problem.minutes[:1], problem.minutes[:1] + np.float32(12)])
    metres = np.concatenate([problem.metres[:1]] * 2)
    made = dataclasses.replace(
        run, plan=plan, problem=problem.replace(network=network, minutes=longer, metres=metres)
    )
    found = listed(made)
    assert len(found) == (run.today.site_of[:, 0] >= 0).sum()
    assert found == reckoned(made)
    assert {year for _, year in found.values()} == {problem.years[2]}


def test_page_report_book_and_slide_say_the_same(run: Run) -> None:
    found = reckoned(run)
    villages = len({village for village, _ in found})
    page, bands = parents_payload(run), list(run.problem.bands)
    told = set()
    for i, steps in enumerate(page["steps"]):
        if any(s[2] is not None and steps[0][2] is not None and s[2] - steps[0][2] > WORSE_MINUTES
               for s in steps[1:]):  # fmt: skip
            told.add((page["villages"][i // len(bands)]["id"], bands[i % len(bands)]))
    assert told == set(found)
    text = " ".join(
        b.text for b in report_document(run, pictures=False).blocks if isinstance(b, Paragraph)
    )
    assert f"{villages} 个村部分学段单程比 {run.problem.years[0]} 年现状增加超过 10 分钟" in text
    for document in (report_document(run, pictures=False), book_document(run, pictures=False)):
        tables = [b for b in document.blocks if isinstance(b, Table)]
        rows = sum(len(t.rows) for t in tables if t.caption.startswith("单程时间增加超过"))
        assert rows == len(found)
    slide = pptx.Presentation(io.BytesIO(deck_bytes(run))).slides[6]
    said = " ".join(s.text_frame.text for s in slide.shapes if s.has_text_frame)
    assert f"{villages} 个村" in said
