"""Try a foreign parser in a process of its own, so that a crash, a hang or a flood stays there.

The child only says whether it got through: no data comes back, so nothing it says is unpacked or
believed beyond that one word. It is started for files that are large or not plainly sound; starting
it costs about a second, which a county of small, sound files does not pay (docs/data.md).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

from catchment.region.guard import UnsafeError

# Files at least this large are tried apart even when they look sound.
APART_BYTES = 50_000_000
_SECONDS, _SECONDS_A_BYTE = 60.0, 1.0 / 2_000_000
_MEGABYTES, _MEGABYTES_A_BYTE = 3_000, 8.0 / 1_000_000
_REFUSED, _MEMORY = 3, 4


def tried(task: str, path: Path, *words: str, seconds: float | None = None) -> None:
    """Let a parser read a file in a limited process and raise what became of it.

    Parameters
    ----------
    task : str
        ``module:function`` of this package; it takes the path and the words as text.
    path : Path
        The file.
    *words : str
        Further arguments.
    seconds : float, optional
        Time limit; one that grows with the file when left out.

    Raises
    ------
    UnsafeError
        When the parser refused the file, crashed, ran out of memory or took too long.
    """
    size = path.stat().st_size
    limit = seconds if seconds is not None else _SECONDS + size * _SECONDS_A_BYTE
    memory = int(_MEGABYTES + size * _MEGABYTES_A_BYTE)
    home = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH")
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    environment = {
        **os.environ,
        **threads,
        "PYTHONPATH": os.pathsep.join([home, known] if known else [home]),
    }
    # -P: no module is taken from the folder the program happens to be started in.
    command = [sys.executable, "-P", "-m", "catchment.region.apart", str(memory), str(int(limit))]
    try:
        done = subprocess.run(  # noqa: S603 - the program itself, no shell
            [*command, task, str(path.resolve()), *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired as fault:
        raise UnsafeError(
            f"读取超过 {limit:.0f} 秒，已停止 / reading took over {limit:.0f} s and was stopped"
        ) from fault
    if done.returncode == 0:
        return
    if done.returncode == _REFUSED:
        said = done.stdout[:2000].decode("utf-8", "replace")
        with contextlib.suppress(ValueError):
            said = str(json.loads(said))
        raise UnsafeError(said[:200])
    if done.returncode == _MEMORY:
        raise UnsafeError(f"需要超过 {memory} MB 内存 / needs more than {memory} MB of memory")
    raise UnsafeError(f"读取程序崩溃（{done.returncode}） / the parser crashed ({done.returncode})")


def main(words: list[str]) -> int:
    """Serve one request; the parent is ``tried``.

    Parameters
    ----------
    words : list of str
        Megabytes, seconds, task, path and further words.

    Returns
    -------
    int
        Exit code: 0 when the parser got through.
    """
    megabytes, seconds, task, path, *more = words
    limit(int(megabytes) << 20, int(seconds) + 1)
    module, _, function = task.partition(":")
    if not module.startswith("catchment."):
        return 2
    try:
        getattr(importlib.import_module(module), function)(Path(path), *more)
    except MemoryError:
        return _MEMORY
    except Exception as fault:  # whatever a foreign parser trips over
        sys.stdout.write(json.dumps((str(fault).splitlines() or [type(fault).__name__])[0][:200]))
        return _REFUSED
    return 0


def limit(memory: int, seconds: int) -> None:
    """Limit memory, processor time and written bytes of this process as far as the system can.

    Parameters
    ----------
    memory : int
        Bytes of address space.
    seconds : int
        Seconds of processor time.
    """
    if sys.platform == "win32":
        with contextlib.suppress(Exception):
            _limit_job(memory)
        return
    import resource

    for kind, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 1 << 20),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, value))


def _limit_job(memory: int) -> None:
    """Put this process into a job object with a memory limit; the parent keeps the time."""
    if sys.platform != "win32":
        return
    import ctypes
    from ctypes import wintypes

    class Basic(ctypes.Structure):
        _fields_ = (
            ("process_time", ctypes.c_int64), ("job_time", ctypes.c_int64),
            ("flags", wintypes.DWORD), ("least", ctypes.c_size_t), ("most", ctypes.c_size_t),
            ("processes", wintypes.DWORD), ("affinity", ctypes.c_size_t),
            ("priority", wintypes.DWORD), ("scheduling", wintypes.DWORD),
        )  # fmt: skip

    class Extended(ctypes.Structure):
        _fields_ = (
            ("basic", Basic), ("io", ctypes.c_uint64 * 6), ("process_memory", ctypes.c_size_t),
            ("job_memory", ctypes.c_size_t), ("peak_process", ctypes.c_size_t),
            ("peak_job", ctypes.c_size_t),
        )  # fmt: skip

    kernel = ctypes.windll.kernel32
    job = kernel.CreateJobObjectW(None, None)
    wanted = Extended()
    # JOB_OBJECT_LIMIT_PROCESS_MEMORY | JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION
    wanted.basic.flags = 0x100 | 0x400
    wanted.process_memory = memory
    kernel.SetInformationJobObject(job, 9, ctypes.byref(wanted), ctypes.sizeof(wanted))
    kernel.AssignProcessToJobObject(job, kernel.GetCurrentProcess())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
