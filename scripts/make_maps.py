"""Draw the finished maps of the shipped county into ``maps/`` and the pictures of the documents.

Usage: python scripts/make_maps.py [--no-pictures]

The pictures need a Chromium (environment variable CATCHMENT_CHROMIUM or on the path) and the test
extra; those of Word, Excel and PowerPoint files also LibreOffice and ``pdftoppm``, and are left as
they are where these are missing. The maps need none of it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from catchment.run import Run, execute
from catchment.views.book import write_book
from catchment.views.comparison import write_comparison
from catchment.views.deck import write_deck
from catchment.views.folder import write_record
from catchment.views.geopackage import write_geopackage
from catchment.views.maps import write_map
from catchment.views.notice_sheet import write_notice
from catchment.views.parents import write_parents
from catchment.views.tables import write_tables
from catchment.views.workbook import write_ledger

ROOT = Path(__file__).resolve().parents[1]
SCENARIOS = ROOT / "data" / "demo" / "scenarios"
WHAT_IF = "2152270062"  # the central school that the shipped scenario builds on
TOWNSHIP, VILLAGE = "桐子园镇", "新塘"  # where the shipped scenario closes a school
OFFICE = (
    ("book.docx", "book.png", 4, 62),
    ("notice.docx", "notice.png", 1, 62),
    ("deck.pptx", "slide.png", 7, 80),
    ("ledger.xlsx", "workbook.png", 1, 75),
)
"""File, picture, page and dots per inch."""


def main() -> None:
    """Write the maps, then the pictures."""
    maps = ROOT / "maps"
    images = ROOT / "docs" / "images"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        runs = []
        for name in ("merge-2028", "capacity"):
            run = execute(SCENARIOS / f"{name}.toml", progress=print)
            write_map(run, maps / f"demo-{name}.html")
            runs.append(_recorded(run, folder / name))
            if name == "merge-2028":
                write_map(run, maps / "demo-merge-2028.en.html", lang="en")
                write_parents(run, maps / "demo-parents.html")
                if "--no-pictures" not in sys.argv:
                    _documents(run, folder)
        if "--no-pictures" in sys.argv:
            return
        write_comparison(runs, folder)
        _take_pictures(maps, folder, images)
        _take_office_pictures(folder, images)
    for picture in images.glob("*.png"):
        _lighter(picture)


def _recorded(run: Run, folder: Path) -> Path:
    """Write what a comparison reads of a run."""
    folder.mkdir()
    write_geopackage(run, folder / "plan.gpkg")
    write_tables(run, folder)
    write_record(run, folder)
    return folder


def _documents(run: Run, folder: Path) -> None:
    write_book(run, folder, township=TOWNSHIP)
    write_notice(run, folder)
    write_deck(run, folder / "deck.pptx")
    write_ledger(run, folder / "ledger.xlsx")


def _take_pictures(maps: Path, folder: Path, images: Path) -> None:
    """Open each page offline and keep what a person sees."""
    from playwright.sync_api import sync_playwright

    images.mkdir(parents=True, exist_ok=True)
    program = os.environ.get("CATCHMENT_CHROMIUM") or shutil.which("chromium")
    pages = (
        (maps / "demo-merge-2028.html", "map.png", 1366, 768),
        (maps / "demo-merge-2028.en.html", "map-en.png", 1366, 768),
        (maps / "demo-parents.html", "parents.png", 390, 844),
        (folder / "compare.html", "compare.png", 1000, 1000),
    )
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        for page_file, picture, width, height in pages:
            context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
            page = context.new_page()
            page.goto(page_file.as_uri())
            page.wait_for_timeout(1500)
            if picture == "compare.png":
                page.evaluate("document.querySelectorAll('figure')[1].scrollIntoView()")
            page.screenshot(path=images / picture)
            if picture == "map.png":
                page.fill("#find", WHAT_IF)
                page.keyboard.press("Enter")
                page.wait_for_timeout(1200)
                page.click("[data-try=close]")
                page.click("#tab-trial")
                page.wait_for_timeout(300)
                page.screenshot(path=images / "what-if.png")
            if picture == "parents.png":
                page.fill("#find", VILLAGE)
                page.keyboard.press("Enter")
                page.wait_for_timeout(300)
                page.screenshot(path=images / "parents-village.png")
                page.evaluate("window.print = function () {}")
                page.click("#print-one")
                sheet = images / "sheet.pdf"
                page.pdf(path=sheet, prefer_css_page_size=True, print_background=True)
                _paint(sheet, images / "sheet.png", 1, 84)
                sheet.unlink()
            context.close()
        browser.close()


def _take_office_pictures(folder: Path, images: Path) -> None:
    """Set each document by LibreOffice and keep one page of it."""
    office = shutil.which("soffice")
    if office is None or shutil.which("pdftoppm") is None:
        print("LibreOffice or pdftoppm is missing: pictures of office files are left as they are")
        return
    for name, picture, number, dots in OFFICE:
        subprocess.run(
            [office, "--headless", "--convert-to", "pdf", "--outdir", str(folder), name],
            cwd=folder, check=True, capture_output=True, timeout=300,
        )  # fmt: skip
        _paint((folder / name).with_suffix(".pdf"), images / picture, number, dots)


def _paint(paper: Path, picture: Path, number: int, dots: int) -> None:
    """Keep one page of a PDF as a picture, where there is a program for it."""
    painter = shutil.which("pdftoppm")
    if painter is None:
        return
    page = str(number)
    subprocess.run(
        [painter, "-png", "-singlefile", "-r", str(dots), "-f", page, "-l", page,
         str(paper), str(picture.with_suffix(""))],
        check=True, timeout=120,
    )  # fmt: skip


def _lighter(picture: Path) -> None:
    """Keep 128 colours: a screenshot has few, and is a third as large."""
    with Image.open(picture) as opened:
        if opened.mode == "P":
            return
        few = opened.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    few.save(picture, optimize=True)


if __name__ == "__main__":
    main()
