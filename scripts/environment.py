"""Make the environment that the other scripts run in, with the standard library alone."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"


def python() -> Path:
    """Return the interpreter of the environment, on Windows and elsewhere."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make(extra: str = "") -> Path:
    """Create the environment if needed, install the project and its dependencies, return python.

    What is installed is remembered by a digest of the project file and the constraints, so that a
    second call does nothing and needs no network.
    """
    if sys.version_info < (3, 11):
        raise SystemExit("需要 Python 3.11 或更新版本 / Python 3.11 or newer is needed")
    wanted = hashlib.sha256(
        b"".join((ROOT / f).read_bytes() for f in ("pyproject.toml", "constraints.txt"))
        + extra.encode()
    ).hexdigest()
    stamp = VENV / f"installed-{extra or 'base'}.txt"
    if python().is_file() and stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python()
    if not python().is_file():
        print("建立环境 / creating the environment …", flush=True)
        venv.create(VENV, with_pip=True)
    print("安装依赖（需要网络，只此一次）/ installing (needs a network, once) …", flush=True)
    target = f".[{extra}]" if extra else "."
    subprocess.run(
        [python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
         "--constraint", "constraints.txt", "--editable", target],
        cwd=ROOT, check=True,
    )  # fmt: skip
    stamp.write_text(wanted, encoding="utf-8")
    return python()
