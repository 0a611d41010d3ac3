"""Run everything that CI runs on a fresh machine: lint, types, floors, docstrings, tests, browser.

Usage: python3 scripts/test.py [--fast] [pytest arguments]

The environment and the test extra are installed first. The browser tests need Chromium: Debian's
package is installed where that is possible; elsewhere they are skipped and the closing lines say so.
In CI (environment variable CI set) nothing is skipped: a missing browser fails the run.
"""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import environment

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
WINDOWS_BROWSERS = (
    Path("C:/Program Files/Google/Chrome/Application/chrome.exe"),
    Path("C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe"),
)


def find_browser() -> str | None:
    """Return a Chromium on this machine, or None."""
    given = os.environ.get("CATCHMENT_CHROMIUM")
    if given and Path(given).is_file():
        return given
    for name in BROWSERS:
        found = shutil.which(name)
        if found:
            return found
    return next((str(p) for p in WINDOWS_BROWSERS if p.is_file()), None)


def has_postgis() -> bool:
    """Say whether a PostgreSQL server with PostGIS is installed here; the tests start their own."""
    return any(Path("/usr/share/postgresql").glob("*/extension/postgis.control"))


def install_debian(packages: list[str]) -> None:
    """Install Debian packages where this process may; say so where it may not."""
    apt = shutil.which("apt-get")
    if apt is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        print(f"请自行安装 / please install: {', '.join(packages)}", flush=True)
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    print(f"安装 / installing {', '.join(packages)} …", flush=True)
    subprocess.run([apt, "update", "-qq"], env=quiet, check=False, stdout=subprocess.DEVNULL)
    subprocess.run(
        [apt, "install", "-y", "-qq", "--no-install-recommends", *packages],
        env=quiet, check=False, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def main() -> int:
    """Run the checks in order; the first failure ends the run, pytest comes last."""
    words = sys.argv[1:]
    in_ci = bool(os.environ.get("CI"))
    interpreter = environment.make("test")
    browser = find_browser()
    if browser is None:
        install_debian(["chromium", "fonts-wqy-microhei"])
        browser = find_browser()
    if ctypes.util.find_library("pango-1.0") is None:
        install_debian(["libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0"])
    if not has_postgis():
        install_debian(["postgresql-postgis"])
    if browser is None and in_ci:
        print("没有 Chromium，而 CI 中不得跳过 / no Chromium, and CI may skip nothing", flush=True)
        return 1
    env = {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"}
    if browser is not None:
        env["CATCHMENT_CHROMIUM"] = browser
    if in_ci:
        env["CATCHMENT_REQUIRE_BROWSER"] = "1"
        env["CATCHMENT_REQUIRE_POSTGIS"] = "1"
    if "--fast" in words:
        words.remove("--fast")
    else:
        lint = Path(interpreter).with_name("lint-imports")
        if os.name == "nt":
            lint = lint.with_suffix(".exe")
        modules = sorted((environment.ROOT / "catchment").rglob("*.py"))
        checks = [
            [interpreter, "-m", "ruff", "check", "."],
            [interpreter, "-m", "ruff", "format", "--check", "."],
            [interpreter, "-m", "mypy"],
            [lint],
            [interpreter, "-m", "numpydoc", "lint", *modules],
        ]
        for command in checks:
            print("▶", *(Path(c).name for c in command[:6]), flush=True)
            done = subprocess.run(command, cwd=environment.ROOT, env=env, check=False)
            if done.returncode:
                return done.returncode
    if browser is None:
        print(
            "没有 Chromium：浏览器测试将被跳过 / no Chromium: browser tests are skipped", flush=True
        )
    command = [interpreter, "-m", "pytest", *words]
    return subprocess.run(command, cwd=environment.ROOT, env=env, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
