"""Workers of a Dask cluster; they must see the same folders. The only importer of Dask."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from catchment.batch.work import carry_out
from catchment.errors import CatchmentError


class ClusterPool:
    """A Dask cluster in the shape of :class:`catchment.batch.pool.LocalPool`.

    Parameters
    ----------
    address : str
        Address of the scheduler, for example ``tcp://scheduler:8786``.
    patience : float
        Seconds to wait for the first worker, and at most 10 of them for the scheduler.

    Raises
    ------
    CatchmentError
        When the extra is not installed, nobody answers at the address, or no worker comes.
    """

    def __init__(self, address: str, *, patience: float = 60.0) -> None:
        try:
            from distributed import Client, as_completed
        except ImportError as fault:
            raise CatchmentError(
                "未安装集群组件：pip install school-catchment[cluster] / the extra [cluster] is not "
                "installed"
            ) from fault
        try:
            self._client = Client(address, timeout=min(10.0, patience))
        except (OSError, TimeoutError, ValueError) as fault:
            raise CatchmentError(
                f"{address}: 没有调度器应答 / no scheduler answers there: {fault}"
            ) from fault
        try:
            # Without workers a batch would wait for ever and say nothing.
            self._client.wait_for_workers(1, timeout=patience)
        except TimeoutError as fault:
            self._client.close()
            raise CatchmentError(
                f"{address}: 调度器没有工作进程；请先启动 dask worker / the scheduler has no workers; "
                "start dask worker first"
            ) from fault
        self._names: dict[str, str] = {}
        self._arrived = as_completed(loop=self._client.loop)

    def submit(self, arguments: dict[str, Any]) -> None:
        """Queue a task.

        Parameters
        ----------
        arguments : dict
            Arguments of :func:`catchment.batch.work.carry_out`.
        """
        name = arguments["plain"]["name"]
        key = f"{name}-{uuid.uuid4().hex[:12]}"
        self._names[key] = name
        self._arrived.add(self._client.submit(carry_out, **arguments, pure=False, key=key))

    def results(self) -> Iterator[dict[str, Any]]:
        """Answers as they come, until nothing is queued or in work.

        Yields
        ------
        dict
            An answer of :func:`catchment.batch.work.carry_out`; ``state`` is ``died`` where the
            cluster gave the task up because its workers died.
        """
        for future in self._arrived:
            fault = future.exception()
            if fault is None:
                yield future.result()
            else:
                yield {"name": self._names[future.key], "state": "died"}
            future.release()

    def close(self) -> None:
        """Leave the cluster; it goes on."""
        self._client.close()
