"""Run the shipped, invented county through the whole main job on a fresh machine.

Usage: python3 scripts/demo.py [--lang en] [--out FOLDER]
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import environment


def main() -> int:
    """Create the environment, run the demo county, say which file to open."""
    interpreter = environment.make()
    words = sys.argv[1:]
    if "--out" not in words:
        words += ["--out", str(environment.ROOT / "runs" / "demo")]
    started = time.monotonic()
    done = subprocess.run(
        [interpreter, "-X", "utf8", "-m", "catchment", "demo", *words],
        cwd=environment.ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    print(f"用时 {time.monotonic() - started:.0f} 秒 / took {time.monotonic() - started:.0f} s")
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main())
