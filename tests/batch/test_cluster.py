"""The same batch on a Dask cluster: the same bytes, and words where there is no cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catchment.batch import find_tasks, run_batch
from catchment.batch.cluster import ClusterPool
from catchment.batch.work import carry_out, digest_of
from catchment.errors import CatchmentError
from tests.batch.counties import moved_east, spoil_rows, write_counties

distributed = pytest.importorskip("distributed", reason="the extra [cluster] is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of a library's own making


@pytest.fixture
def scheduler() -> Any:
    """Start a scheduler without workers, in this process."""
    with distributed.LocalCluster(
        n_workers=0, threads_per_worker=1, processes=False, dashboard_address=None
    ) as found:
        yield found


def test_local_and_dask_give_the_same_bytes(scheduler: Any, tmp_path: Path) -> None:
    folder = write_counties(tmp_path / "in", 3)
    moved_east(folder / "county-001", 4000.0)
    spoil_rows(folder / "county-002")
    tasks = find_tasks(folder, reach_km=20)
    scheduler.scale(1)
    outcome = run_batch(tasks, tmp_path / "dask", scheduler=scheduler.scheduler_address)
    assert outcome.table["state"].tolist() == ["done", "done", "refused"]
    for task, output in zip(tasks[:2], outcome.table["output"], strict=False):
        here = carry_out(task.plain(), str(tmp_path / "here"), "s", 0, 3, alone=False)
        assert here["output"] == output
        places = [tmp_path / k / "counties" / task.name for k in ("dask", "here")]
        assert digest_of(places[0]) == digest_of(places[1])


def test_a_task_that_the_cluster_gives_up_is_said_to_have_died(
    scheduler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(**_: Any) -> None:
        raise distributed.scheduler.KilledWorker("task", None, 3)

    monkeypatch.setattr("catchment.batch.cluster.carry_out", killed)
    scheduler.scale(1)
    pool = ClusterPool(scheduler.scheduler_address)
    try:
        pool.submit({"plain": {"name": "a/b"}})
        assert list(pool.results()) == [{"name": "a/b", "state": "died"}]
    finally:
        pool.close()


def test_no_scheduler_and_no_workers_are_said(scheduler: Any) -> None:
    with pytest.raises(CatchmentError, match="has no workers"):
        ClusterPool(scheduler.scheduler_address, patience=0.2)
    with pytest.raises(CatchmentError, match="no scheduler answers"):
        ClusterPool("tcp://127.0.0.1:9", patience=0.2)
