"""Benchmarks against peers: ``python scripts/benchmark.py THEME [--write] ...``.

Every module of ``scripts/benchmarks`` with a function ``run`` is a theme. It may have a function
``add_arguments(parser)``; ``run(options)`` returns the Markdown of its tables. With ``--write`` the
text between ``<!-- benchmark THEME -->`` and ``<!-- end THEME -->`` of ``docs/benchmarks.md`` is
replaced (or appended), headed by the commit it was measured at (with a plus where files named in
the theme's ``MEASURED`` had changes of their own). What compares is the ratio of
processor times measured in one process; absolute times depend on the machine.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import platform
import subprocess
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "benchmarks.md"


def themes() -> dict[str, ModuleType]:
    """Find the registered themes."""
    for place in (str(ROOT), str(ROOT / "scripts")):
        if place not in sys.path:
            sys.path.insert(0, place)
    package = importlib.import_module("benchmarks")
    found = {}
    for entry in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"benchmarks.{entry.name}")
        if hasattr(module, "run"):
            found[entry.name] = module
    return found


def commit(paths: tuple[str, ...]) -> str:
    """Name the commit, with a plus where any of these paths has uncommitted changes."""
    git = ["git", "-C", str(ROOT)]
    name = subprocess.run(
        [*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    changes = subprocess.run(
        [*git, "status", "--porcelain", "--", *paths],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return name + ("+" if changes.strip() else "")


def write(theme: str, text: str, measured_at: str) -> None:
    """Put a theme's tables into the document, replacing its former ones."""
    begin, end = f"<!-- benchmark {theme} -->", f"<!-- end {theme} -->"
    head = f"Measured at commit `{measured_at}`, {os.cpu_count()} processors, "
    head += f"{platform.system()} {platform.machine()}, Python {platform.python_version()}."
    section = f"{begin}\n{head}\n\n{text.strip()}\n{end}"
    before = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else "# Benchmarks\n"
    if begin in before and end in before:
        after = before[: before.index(begin)] + section + before[before.index(end) + len(end) :]
    else:
        after = f"{before.rstrip()}\n\n{section}\n"
    part = DOCUMENT.with_name(f".{DOCUMENT.name}.part")
    part.write_text(after, encoding="utf-8")
    part.replace(DOCUMENT)


def main() -> None:
    """Run one theme and print (or write) its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="theme", required=True)
    found = themes()
    for name, module in found.items():
        verb = verbs.add_parser(name, help=(module.__doc__ or "").splitlines()[0])
        verb.add_argument("--write", action="store_true", help="write into docs/benchmarks.md")
        if hasattr(module, "add_arguments"):
            module.add_arguments(verb)
    options = parser.parse_args()
    measured_at = commit(getattr(found[options.theme], "MEASURED", ("catchment",)))
    options.measured_at = measured_at
    text = found[options.theme].run(options)
    sys.stdout.write(text + "\n")
    if options.write:
        write(options.theme, text, measured_at)


if __name__ == "__main__":
    main()
