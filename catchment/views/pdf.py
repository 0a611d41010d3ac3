"""A document as PDF, where the optional extra ``pdf`` is installed.

Without it every page prints from the browser with its own print styles (A4, page numbers, repeated
heads of tables).
"""

from __future__ import annotations

import importlib
import logging
import re
from pathlib import Path
from typing import Any

from catchment.errors import CatchmentError
from catchment.views.document import Document
from catchment.views.files import write_bytes
from catchment.views.html_writer import html_bytes

_CAPTION = re.compile(r"(<table[^>]*>)<caption>(.*?)</caption>", re.DOTALL)


def write_pdf(document: Document, path: Path) -> Path:
    """Write a document as PDF, offline and with the fonts of this machine.

    Parameters
    ----------
    document : Document
        What to show.
    path : Path
        The ``.pdf`` file.

    Returns
    -------
    Path
        ``path``; written whole or not at all.

    Raises
    ------
    CatchmentError
        When the extra is not installed or cannot work here.
    """
    return write_bytes(path, pdf_bytes(document))


def pdf_bytes(document: Document) -> bytes:
    """Make the PDF of a document.

    Parameters
    ----------
    document : Document
        What to show.

    Returns
    -------
    bytes
        A PDF with bookmarks, selectable text and the fonts it uses; the same bytes for the same
        document and fonts. Nothing is fetched.

    Raises
    ------
    CatchmentError
        When the extra is not installed or cannot work here.
    """
    maker = _maker()
    page = html_bytes(document).decode("utf-8")
    # WeasyPrint tears a caption from its table; a line of text that keeps with what follows stays.
    page = _CAPTION.sub(r'<p class="caption keep">\2</p>\1', page)
    # Warnings of style rules that only browsers know are of no use to a reader.
    log = logging.getLogger("weasyprint")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        made = maker.HTML(
            string=page, url_fetcher=maker.urls.URLFetcher(allowed_protocols=("data",))
        ).write_pdf(pdf_identifier=b"catchment", optimize_images=False, presentational_hints=True)
    finally:
        log.setLevel(level)
    return bytes(made)


def _maker() -> Any:
    try:
        return importlib.import_module("weasyprint")
    except (ImportError, OSError) as fault:  # OSError: Pango is missing on the machine
        raise CatchmentError(
            "写 PDF 需要可选组件 weasyprint（及系统的 Pango）：pip install school-catchment[pdf]；或在浏览器中打开 "
            "report.html 打印为 PDF / writing PDF needs the optional weasyprint (and Pango): pip install "
            "school-catchment[pdf]; or print report.html to PDF from a browser"
        ) from fault
