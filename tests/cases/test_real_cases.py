"""Two real counties from their raw data to every output, checked against facts known beforehand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from catchment.run import Run, execute
from catchment.views.folder import write_run
from tests.cases.real_regions import CASES, write_rutland, write_taitung

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(
        not CASES.is_dir(), reason="the folder of real cases is not beside the project"
    ),
]


@pytest.fixture(scope="module")
def rutland(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    folder = write_rutland(tmp_path_factory.mktemp("rutland"))
    run = execute(folder / "scenarios" / "run.toml")
    write_run(run, folder / "out", recipe=folder / "scenarios" / "run.toml")
    return run, folder / "out"


@pytest.fixture(scope="module")
def taitung(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = write_taitung(tmp_path_factory.mktemp("taitung"))
    return execute(folder / "scenarios" / "run.toml")


def _conserved(run: Run) -> None:
    table = run.conservation
    assert (table["students_in"] == table["served"] + table["unserved"] + table["rejected"]).all()
    children = run.region.children
    grades = children["grade"].isin(run.problem.grades)
    for year, given in children[grades].groupby("year")["students"].sum().items():
        assert int(table.set_index("year").loc[int(str(year)), "students_in"]) == int(given)


def test_rutland_nearest_primary_agrees_with_independent_facts(rutland: tuple[Run, Path]) -> None:
    run, _ = rutland
    assert len(run.region.villages) == 61
    primary = (run.region.schools["role"] == "complete").to_numpy()
    metres = run.times.metres[run.times.modes.index("bus")][:, : len(primary)][:, primary]
    nearest = metres.min(axis=1)
    # Independent: mean 2.9 km and worst 8.5 km to the nearest primary over drivable roads, the
    # largest step from a settlement to a road 93 m (to a node; an edge is never farther).
    # A bus takes the fastest road, which may be a little longer than the shortest.
    assert 2.85 <= nearest.mean() / 1000 <= 3.1
    assert 8.4 <= nearest.max() / 1000 <= 9.0
    snaps = run.times.snaps
    villages = snaps[snaps["kind"] == "village"]
    assert villages["drive_m"].max() <= 93.5


def test_rutland_runs_end_to_end_and_conserves(rutland: tuple[Run, Path]) -> None:
    run, out = rutland
    _conserved(run)
    assert run.problem.estimated.all()
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["region"] == "Rutland"
    assert (out / "map.html").stat().st_size < 2_000_000
    assert "OpenStreetMap contributors" in (out / "report.html").read_text(encoding="utf-8")


def test_taitung_islands_walk_straight_or_are_unreachable_and_are_counted(taitung: Run) -> None:
    _conserved(taitung)
    villages, times = taitung.region.villages, taitung.times
    island = villages["township"].isin(["綠島鄉", "蘭嶼鄉"]).to_numpy()
    assert island.sum() >= 2
    rows = np.flatnonzero(island)
    # The provincial highways stop at the coast: no ride, and on foot the straight line alone,
    # where a school stands beside the village.
    bus = times.modes.index("bus")
    assert not np.isfinite(times.minutes[bus, rows]).any()
    x, y = villages.geometry.x.to_numpy(), villages.geometry.y.to_numpy()
    schools = taitung.region.schools.geometry
    for k, band in enumerate(taitung.region.bands):
        straight = np.hypot(
            x[rows, None] - schools.x.to_numpy(), y[rows, None] - schools.y.to_numpy()
        )
        near = (straight <= 500) & (straight / (band.walk_kmh * 1000 / 60) <= band.walk_limit_min)
        assert (np.isfinite(times.minutes[k, rows]) == near).all()
    assert times.direct[rows].any()
    # Elsewhere too nobody is sent farther over ground that no map knows.
    far = np.hypot(x[:, None] - schools.x.to_numpy(), y[:, None] - schools.y.to_numpy())
    assert far[times.direct].max() <= 500
    assert times.direct.any(axis=1).sum() == 4
    groups = np.isin(taitung.problem.group_village, rows)
    reached = np.isfinite(taitung.problem.minutes[0, groups]).any(axis=1)
    assert ((taitung.plan.site_of[groups, 0] >= 0) == reached).all()
    assert reached.any()
    assert not reached.all()
    lost = int(taitung.problem.demand()[groups, 0][~reached].sum())
    assert 0 < lost <= int(taitung.conservation["unserved"].iloc[0])
    said = " ".join(times.notes)
    assert "没有任何道路" in said
    assert "直线步行" in said
    # Every group so served is flagged, undecided, beside those with no school at all.
    flagged = taitung.findings[
        (taitung.findings["code"] == "R-NEAR-01") & (taitung.findings["result"] == "unknown")
    ]
    assert len(flagged) > 0
    assert flagged["detail_zh"].str.contains("直线步行").all()


def test_traditional_chinese_names_arrive_as_they_are(taitung: Run) -> None:
    assert "臺東市國小（示意）" in set(taitung.region.schools["name"])
    assert taitung.region.name == "臺東縣"
