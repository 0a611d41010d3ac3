"""A worker process: opens the county for itself and does one task after the other.

It ends when the server ends. A task is stopped by an interrupt of the main thread, which the
searches take as "give me the best so far".
"""

from __future__ import annotations

import _thread
import contextlib
import json
import os
import queue
import sys
import threading
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

Plain = dict[str, Any]
Progress = Callable[..., None]


class _Post:
    """The pipe to the server, read in a thread of its own."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.tasks: queue.Queue[Plain] = queue.Queue()
        self.current: int | None = None
        self._lock = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                message = json.loads(self.pipe.recv_bytes())
            except (EOFError, OSError, ValueError):
                # The server is gone; nobody waits for what is being done.
                os._exit(0)
            if message["kind"] == "stop":
                if self.current == message["id"]:
                    _thread.interrupt_main()
            else:
                self.tasks.put(message)

    def say(self, **message: Any) -> None:
        with self._lock, contextlib.suppress(OSError):
            text = json.dumps(message, ensure_ascii=False, allow_nan=False)
            self.pipe.send_bytes(text.encode("utf-8", "replace"))


def _step_back(nice: int) -> None:
    """Let everybody else go first, and use one thread."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"
    with contextlib.suppress(OSError, AttributeError):
        if sys.platform == "win32":
            import ctypes

            own = ctypes.windll.kernel32.GetCurrentProcess()
            ctypes.windll.kernel32.SetPriorityClass(own, 0x4000)
        else:
            os.nice(nice)


def main(pipe: Connection, setup_text: str) -> None:
    """Work until the server goes.

    Parameters
    ----------
    pipe : Connection
        To the server.
    setup_text : str
        JSON: ``folder``, ``set_aside``, ``scenario``, ``nice``.
    """
    setup: Plain = json.loads(setup_text)
    _step_back(int(setup.get("nice", 0)))
    warnings.simplefilter("ignore")
    post = _Post(pipe)
    from catchment.errors import CatchmentError
    from catchment.web import tasks
    from catchment.web.languages import halves

    table: Any = None
    while True:
        try:
            task = post.tasks.get()
        except KeyboardInterrupt:
            continue
        ident = task["id"]
        post.current = ident

        def tell(zh: str, en: str, ident: int = ident, last: bool = False, **more: Any) -> None:
            if last:
                # The search is over: a stop must not throw away what is being written down.
                post.current = None
            post.say(id=ident, event="progress", text={"zh": zh, "en": en}, **more)

        try:
            if table is None and setup.get("folder"):
                tell("打开县域数据", "opening the county")
                table = tasks.open_table(setup)
            result = tasks.TASKS[task["kind"]](table, task, tell)
            post.current = None
            post.say(id=ident, event="done", result=result)
        except KeyboardInterrupt:
            post.say(id=ident, event="failed", zh="已停止", en="stopped")
        except CatchmentError as fault:
            zh, en = halves(str(fault))
            post.say(id=ident, event="failed", zh=zh[:2000], en=en[:2000])
        except Exception as fault:  # whatever it is, the server must hear of it
            name = f"{type(fault).__name__}: {fault}"[:500]
            post.say(
                id=ident, event="failed", zh=f"程序内部错误：{name}", en=f"internal error: {name}"
            )
        finally:
            post.current = None
