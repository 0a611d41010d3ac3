"""Work in processes of their own: full checks at once, the optimiser and the documents in turn.

Toggles must not wait for any of it. A process that dies is told, never waited for; its job is
``lost`` and says so. Messages are JSON over a pipe.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from catchment.errors import CatchmentError, InputError
from catchment.web.languages import halves
from catchment.web.store import Store, moment
from catchment.web.worker import main

Plain = dict[str, Any]
Tell = Callable[[str, Plain], None]

KEPT_CHECKS = 64
MOST_QUEUED = 20
"""Jobs that may wait."""
_PATIENCE = 20.0
"""Seconds a worker may take to stop by itself."""


_REST = 0.3
"""Seconds that a full check lets the answer go first."""


class BusyError(CatchmentError):
    """Too much is waiting already."""


class Helper:
    """One worker process and the pipe to it; started when first needed.

    Parameters
    ----------
    setup : dict
        What it opens: ``folder``, ``set_aside``, ``scenario``, ``nice``.
    """

    def __init__(self, setup: Plain) -> None:
        self.setup = setup
        self._process: Any = None
        self._pipe: Connection | None = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Number of the process while it lives."""
        process = self._process
        return process.pid if process is not None and process.is_alive() else None

    def send(self, message: Plain) -> None:
        """Send a message, starting the process if need be.

        Parameters
        ----------
        message : dict
            Plain values.
        """
        with self._lock:
            if self.pid is None:
                self._start()
            if self._pipe is not None:
                self._pipe.send_bytes(json.dumps(message).encode())

    def _start(self) -> None:
        self._shut()
        # Never fork: the server has threads, and county offices run Windows.
        context = multiprocessing.get_context("spawn")
        mine, theirs = context.Pipe()
        process = context.Process(
            target=main, args=(theirs, json.dumps(self.setup)), daemon=True, name="catchment worker"
        )
        process.start()
        theirs.close()
        self._process, self._pipe = process, mine

    def receive(self, seconds: float) -> Plain | None:
        """Wait for a message.

        Parameters
        ----------
        seconds : float
            How long at most.

        Returns
        -------
        dict or None
            None when none came in time.

        Raises
        ------
        EOFError
            When the process has died.
        """
        pipe = self._pipe
        if pipe is None:
            raise EOFError
        try:
            if not pipe.poll(seconds):
                if self.pid is None:
                    raise EOFError
                return None
            found: Plain = json.loads(pipe.recv_bytes())
        except (OSError, ValueError) as fault:
            raise EOFError from fault
        return found

    def kill(self) -> None:
        """End the process at once."""
        with self._lock:
            self._shut()

    def _shut(self) -> None:
        if self._process is not None:
            with contextlib.suppress(OSError, ValueError):
                self._process.kill()
                self._process.join(5)
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                self._pipe.close()
        self._process = self._pipe = None


def ask_once(task: Plain, seconds: float) -> Plain:
    """Have a process of its own do one task, and end it.

    Parameters
    ----------
    task : dict
        Task of :mod:`catchment.web.worker` that needs no county.
    seconds : float
        How long it may take.

    Returns
    -------
    dict
        Its result.

    Raises
    ------
    InputError
        When it fails, dies or takes too long.
    """
    helper = Helper({"folder": None, "nice": 10})
    try:
        helper.send({"id": 1, **task})
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            message = helper.receive(0.2)
            if message is None or message["event"] == "progress":
                continue
            if message["event"] == "failed":
                raise InputError(f"{message['zh']} / {message['en']}")
            result: Plain = message["result"]
            return result
    except EOFError as death:
        raise InputError(
            "检查进程中断，文件可能过大或已损坏 / the check broke off; a file may be too large or damaged"
        ) from death
    finally:
        helper.kill()
    raise InputError(
        f"检查超过 {seconds:.0f} 秒，已停止 / the check took more than {seconds:.0f} s"
    )


class Checker:
    """Full checks of variants, the newest of each first, in one worker process.

    Parameters
    ----------
    setup : dict
        What the worker opens.
    tell : callable
        Passes news on.
    """

    def __init__(self, setup: Plain, tell: Tell) -> None:
        self._helper = Helper({**setup, "nice": 10})
        self._tell = tell
        self._wanted: OrderedDict[str, tuple[Plain, list[Plain]]] = OrderedDict()
        self._found: OrderedDict[str, Plain] = OrderedDict()
        self._ready = threading.Condition()
        self._ended = False
        self._running = ""
        self._thread = threading.Thread(target=self._work, daemon=True, name="checks")
        self._thread.start()

    def ask(self, digest: str, task: Plain, label: Plain | None = None) -> None:
        """Ask for a check; an older wish of the same variant is dropped.

        Parameters
        ----------
        digest : str
            Digest of the recipe.
        task : dict
            ``scenario`` and ``proof``, the digest of the quick plan.
        label : dict, optional
            ``variant`` and ``version``, told when it is done.
        """
        with self._ready:
            if digest in self._found:
                if label is not None:
                    self._tell("check", {**label, "digest": digest})
                return
            if label is not None:
                for key in [k for k, (_, held) in self._wanted.items() if key_of(held) == label["variant"]]:  # fmt: skip
                    self._wanted.pop(key)
            _, labels = self._wanted.pop(digest, (task, []))
            self._wanted[digest] = (task, [*labels, label] if label is not None else labels)
            while len(self._wanted) > 200:
                self._wanted.popitem(last=False)
            self._ready.notify_all()

    def found(self, digest: str) -> Plain | None:
        """Return a check that is done.

        Parameters
        ----------
        digest : str
            Digest of the recipe.

        Returns
        -------
        dict or None
            None while it is not done.
        """
        with self._ready:
            return self._found.get(digest)

    def wait(self, digest: str, seconds: float) -> Plain:
        """Wait for a check.

        Parameters
        ----------
        digest : str
            Digest of the recipe.
        seconds : float
            How long at most.

        Returns
        -------
        dict
            The check.

        Raises
        ------
        BusyError
            When it is not done in time.
        """
        with self._ready:
            self._ready.wait_for(lambda: digest in self._found, seconds)
            found = self._found.get(digest)
        if found is None:
            raise BusyError("完整核查仍在进行，请稍候再取 / the full check is still going on")
        return found

    def replace(self, setup: Plain) -> None:
        """Open another county.

        Parameters
        ----------
        setup : dict
            What the worker opens from now on.
        """
        with self._ready:
            self._wanted.clear()
            self._found.clear()
            self._helper.setup = {**setup, "nice": 10}
        self._helper.kill()

    def close(self) -> None:
        """End the worker."""
        with self._ready:
            self._ended = True
            self._ready.notify_all()
        self._helper.kill()

    def _work(self) -> None:
        # The county is opened before anybody asks.
        with contextlib.suppress(OSError):
            self._helper.send({"id": 0, "kind": "warm"})
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._ended or bool(self._wanted))
                # Figures of the click are painted first, and a burst of clicks is checked once.
                self._ready.wait_for(lambda: self._ended, _REST)
                if self._ended:
                    return
                if not self._wanted:
                    continue
                digest, (task, labels) = self._wanted.popitem(last=False)
            result = self._one(digest, task)
            with self._ready:
                # What was asked for again meanwhile is answered with it.
                again = self._wanted.pop(digest, (task, []))[1]
                self._found[digest] = result
                while len(self._found) > KEPT_CHECKS:
                    self._found.popitem(last=False)
                self._ready.notify_all()
            for label in [*labels, *again]:
                self._tell("check", {**label, "digest": digest})

    def _one(self, digest: str, task: Plain) -> Plain:
        try:
            self._helper.send({"id": 1, "kind": "check", **task})
            while not self._ended:
                message = self._helper.receive(1.0)
                if message is None or message["id"] == 0 or message["event"] == "progress":
                    continue
                if message["event"] == "done":
                    return {"state": "done", **message["result"]}
                return {"state": "failed", "zh": message["zh"], "en": message["en"]}
        except (EOFError, OSError):
            self._helper.kill()
        return {
            "state": "failed",
            "zh": "完整核查中断，请再试一次",
            "en": "the full check broke off; try again",
        }


def key_of(labels: list[Plain]) -> int | None:
    """Return the variant that a wish is for.

    Parameters
    ----------
    labels : list of dict
        Its labels.

    Returns
    -------
    int or None
        None where it is for none or for several.
    """
    found = {label["variant"] for label in labels}
    return found.pop() if len(found) == 1 else None


class Jobs:
    """Jobs one after the other in one worker process; every step is kept in the state file.

    Parameters
    ----------
    setup : dict
        What the worker opens.
    store : Store
        The state file.
    tell : callable
        Passes news on.
    finish : callable
        (job, result) -> what is kept of the result; makes the variants.
    """

    def __init__(
        self, setup: Plain, store: Store, tell: Tell, finish: Callable[[Plain, Plain], Plain]
    ) -> None:
        self._helper = Helper({**setup, "nice": 10})
        self._store, self._tell, self._finish = store, tell, finish
        self._queue: deque[int] = deque()
        self._tasks: dict[int, Plain] = {}
        self._stops: dict[int, float] = {}
        self._now: Plain | None = None
        self._ready = threading.Condition()
        self._ended = False
        for job in store.jobs(1000):
            if job["state"] in ("queued", "running"):
                self._close(job, "lost", "服务器重新启动，任务中断，请重新提交", "the server was restarted; ask again")  # fmt: skip
        self._thread = threading.Thread(target=self._work, daemon=True, name="jobs")
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Number of the worker process while it lives."""
        return self._helper.pid

    def add(self, kind: str, by: str, task: Plain, about: Plain) -> Plain:
        """Put a job in the queue.

        Parameters
        ----------
        kind : str
            Its kind.
        by : str
            Who asks.
        task : dict
            What the worker is told.
        about : dict
            ``variant``, ``version``, ``seconds``.

        Returns
        -------
        dict
            The job.

        Raises
        ------
        BusyError
            When too many are waiting.
        """
        with self._ready:
            if len(self._queue) >= MOST_QUEUED:
                raise BusyError("排队的任务太多，请稍候 / too many jobs are waiting")
            body = {
                "kind": kind, **about, "by": by, "at": moment(), "state": "queued", "elapsed": 0.0,
                "text": {"zh": "排队中", "en": "waiting"}, "best": None, "bound": None, "gap": None,
                "result": None, "error": None,
            }  # fmt: skip
            ident = self._store.add_job(body)
            self._tasks[ident] = task
            self._queue.append(ident)
            self._ready.notify_all()
        job = {"id": ident, **body}
        self._tell("job", job)
        return job

    def job(self, ident: int) -> Plain:
        """Return one job as it stands.

        Parameters
        ----------
        ident : int
            Its number.

        Returns
        -------
        dict
            The job.
        """
        now = self._now
        return dict(now) if now is not None and now["id"] == ident else self._store.job(ident)

    def jobs(self) -> list[Plain]:
        """List the jobs as they stand.

        Returns
        -------
        list of dict
            Newest first.
        """
        return [self.job(job["id"]) for job in self._store.jobs()]

    def stop(self, ident: int) -> Plain:
        """Stop a job; the best so far is kept where there is one.

        Parameters
        ----------
        ident : int
            Its number.

        Returns
        -------
        dict
            The job.
        """
        job = self.job(ident)
        with self._ready:
            if ident in self._queue:
                self._queue.remove(ident)
                return self._close(job, "stopped", "已取消", "cancelled")
            if self._now is not None and self._now["id"] == ident:
                self._stops.setdefault(ident, time.monotonic())
                with contextlib.suppress(OSError):
                    self._helper.send({"id": ident, "kind": "stop"})
        return job

    def replace(self, setup: Plain) -> None:
        """Open another county; what runs is lost.

        Parameters
        ----------
        setup : dict
            What the worker opens from now on.
        """
        self._helper.setup = {**setup, "nice": 10}
        self._helper.kill()

    def close(self) -> None:
        """End the worker."""
        with self._ready:
            self._ended = True
            self._ready.notify_all()
        self._helper.kill()

    def _work(self) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._ended or bool(self._queue))
                if self._ended:
                    return
                ident = self._queue.popleft()
                task = self._tasks.pop(ident)
                self._now = {**self._store.job(ident), "state": "running"}
            try:
                self._run(self._now, task)
            except Exception as fault:  # a job must never end the queue
                self._close(self._now, "failed", f"任务失败：{fault}", f"the job failed: {fault}")
            finally:
                with self._ready:
                    self._now = None
                    self._stops.pop(ident, None)

    def _run(self, job: Plain, task: Plain) -> None:
        began = said = time.monotonic()
        ident = job["id"]
        self._keep(job)
        try:
            self._helper.send({"id": ident, **task})
            while True:
                message = self._helper.receive(0.5)
                now = time.monotonic()
                job["elapsed"] = round(now - began, 1)
                asked = self._stops.get(ident)
                if asked is not None and now - asked > _PATIENCE:
                    self._helper.kill()
                    self._close(job, "stopped", "已停止，没有可用结果", "stopped; nothing to keep")
                    return
                if message is None or message.get("id") != ident:
                    self._tell("job", dict(job))
                    continue
                if message["event"] == "progress":
                    job |= {k: message[k] for k in ("text", "best", "bound", "gap") if k in message}
                    if now - said > 0.3:
                        said = now
                        self._keep(job)
                    continue
                self._done(job, message, stopped=asked is not None)
                return
        except (EOFError, OSError):
            self._helper.kill()
            if not self._ended:
                zh = "计算进程意外中断，任务没有结果，请重新提交"
                self._close(job, "lost", zh, "the worker died; the job has no result: ask again")

    def _done(self, job: Plain, message: Plain, *, stopped: bool) -> None:
        if message["event"] == "failed":
            state = "stopped" if stopped else "failed"
            self._close(job, state, message["zh"], message["en"])
            return
        result = message["result"]
        job |= {k: result[k] for k in ("best", "bound", "gap") if k in result}
        try:
            kept = self._finish(job, result)
        except CatchmentError as fault:
            self._close(job, "failed", *halves(str(fault)))
            return
        done = {"zh": "完成", "en": "done"}
        if stopped:
            done = {"zh": "已停止，保留目前最好的方案", "en": "stopped; the best so far is kept"}
        job |= {"state": "stopped" if stopped else "done", "result": kept, "text": done}
        self._keep(job)

    def _close(self, job: Plain, state: str, zh: str, en: str) -> Plain:
        ended = {**job, "state": state, "text": {"zh": zh, "en": en}}
        ended["error"] = {"zh": zh, "en": en} if state in ("failed", "lost") else None
        job.update(ended)
        self._keep(job)
        return ended

    def _keep(self, job: Plain) -> None:
        self._store.set_job(job["id"], {k: v for k, v in job.items() if k != "id"})
        self._tell("job", dict(job))
