"""Draw the finished maps of the shipped county into ``maps/`` and the pictures of the documents.

Usage: python scripts/make_maps.py [--no-pictures]

The pictures need a Chromium (environment variable CATCHMENT_CHROMIUM or on the path) and the test
extra; the maps need neither.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from catchment.run import execute
from catchment.views.maps import write_map
from catchment.views.parents import write_parents

ROOT = Path(__file__).resolve().parents[1]
SCENARIOS = ROOT / "data" / "demo" / "scenarios"
WHAT_IF = "2152270062"  # the central school that the shipped scenario builds on


def main() -> None:
    """Write the maps, then the pictures."""
    maps = ROOT / "maps"
    for name in ("merge-2028", "capacity"):
        run = execute(SCENARIOS / f"{name}.toml", progress=print)
        write_map(run, maps / f"demo-{name}.html")
        if name == "merge-2028":
            write_map(run, maps / "demo-merge-2028.en.html", lang="en")
            write_parents(run, maps / "demo-parents.html")
    if "--no-pictures" not in sys.argv:
        take_pictures(maps, ROOT / "docs" / "images")


def take_pictures(maps: Path, images: Path) -> None:
    """Open each page offline and keep what a person sees."""
    from playwright.sync_api import sync_playwright

    images.mkdir(parents=True, exist_ok=True)
    program = os.environ.get("CATCHMENT_CHROMIUM") or shutil.which("chromium")
    pages = (
        ("demo-merge-2028.html", "map.png", 1366, 768),
        ("demo-merge-2028.en.html", "map-en.png", 1366, 768),
        ("demo-parents.html", "parents.png", 390, 844),
    )
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        for page_file, picture, width, height in pages:
            context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
            page = context.new_page()
            page.goto((maps / page_file).as_uri())
            page.wait_for_timeout(1500)
            page.screenshot(path=images / picture)
            if picture == "map.png":
                page.fill("#find", WHAT_IF)
                page.keyboard.press("Enter")
                page.wait_for_timeout(1200)
                page.click("[data-try=close]")
                page.click("#tab-trial")
                page.wait_for_timeout(300)
                page.screenshot(path=images / "what-if.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
