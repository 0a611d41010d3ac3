"""Many counties and recipes: local processes by default, a Dask cluster on request."""

from __future__ import annotations

from catchment.batch.order import Outcome, run_batch
from catchment.batch.tasks import Task, find_tasks

__all__ = ["Outcome", "Task", "find_tasks", "run_batch"]
