"""The pages tell of a shared village which schools its children go to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from catchment.plan import students_at
from catchment.run import Run
from catchment.views.facts import read_facts
from catchment.views.maps import write_map
from catchment.views.parents import write_parents
from tests.browser.conftest import Watched
from tests.views.shared_run import shared_run

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def run() -> Run:
    return shared_run()


def shared_village(run: Run) -> tuple[str, list[str]]:
    """Code of a shared village, and names of the two schools of its lowest shared band."""
    parts, t = run.plan.elsewhere, read_facts(run).focus_at
    assert parts is not None
    k = int((parts.shared & (parts.year == t)).argmax())
    i, names = int(parts.group[k]), read_facts(run).sites["name"].tolist()
    both = (int(run.plan.site_of[i, t]), int(parts.site[k]))
    return run.problem.village_ids[run.problem.group_village[i]], [names[j] for j in both]


def test_map_lists_the_schools_and_counts_who_comes(
    visit: Callable[..., Watched], run: Run, tmp_path: Path
) -> None:
    seen = visit(write_map(run, tmp_path / "m.html"))
    page = seen.page
    code, names = shared_village(run)
    page.fill("#find", code)
    page.keyboard.press("Enter")
    page.wait_for_selector("table.parts")
    text = page.locator("table.parts").first.inner_text()
    assert all(name in text for name in names)
    page.locator("table.parts button").nth(1).click()
    page.wait_for_timeout(800)
    site = read_facts(run).sites["name"].tolist().index(names[1])
    year = page.input_value("#year")
    there = int(students_at(run.problem, run.plan)[site, :, int(year)].sum())
    cells = page.locator("#page details table").evaluate_all(
        "all => all.map(x => Array.from(x.querySelectorAll('tbody tr')).map(r => "
        "r.children.length === 4 && r.children[2].className === 'strong' ? "
        "Number(r.children[2].textContent) || 0 : null))"
    )
    sums = [sum(row) for row in cells if row and None not in row]
    assert there in sums
    seen.quiet()


def test_parents_page_names_every_school_without_numbers(
    visit: Callable[..., Watched], run: Run, tmp_path: Path
) -> None:
    seen = visit(write_parents(run, tmp_path / "p.html"))
    page = seen.page
    code, names = shared_village(run)
    page.fill("#find", code)
    page.keyboard.press("Enter")
    page.wait_for_selector("#answer .band")
    text = page.locator("#answer").inner_text()
    assert "几所学校共同招生" in text
    assert all(name in text for name in names)
    seen.quiet()
