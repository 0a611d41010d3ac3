"""Show a document as one HTML file: no script, no address, a strict policy, styles for print."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib.resources import files

from catchment.views.document import Block, Document, Heading, PageBreak, Paragraph, Picture, Table
from catchment.views.plain import plain
from catchment.views.words import word

MANY_CHAPTERS = 6
"""A document of so many chapters has a list of contents."""
TEXT_MM, LETTER_MM, SMALL_LETTER_MM = 166.0, 1.78, 1.45
_NUMBER = re.compile(r"[-+]?[\d,.]+[※%]?")
"""Width of the text on paper, and of a small letter in a table, also in a compact or dense one."""


def html_bytes(document: Document) -> bytes:
    """Show a document as one self-contained HTML file.

    Parameters
    ----------
    document : Document
        What to show.

    Returns
    -------
    bytes
        UTF-8. The content security policy allows this style sheet and pictures inside the file,
        nothing else.
    """
    style = files("catchment.views").joinpath("report.css").read_text(encoding="utf-8")
    style += _page_foot(document)
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    lang = "zh-CN" if document.lang == "zh" else "en"
    body = "\n".join(_numbered(document))
    foot = "".join(f"<p>{_text(line)}</p>" for line in document.footer)
    tight = ' class="compact"' if document.compact else ""
    page = f"""<!DOCTYPE html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{_text(document.title)}</title>
<style>{style}</style>
</head>
<body>
<main{tight}>
{body}
</main>
<footer>{foot}</footer>
</body>
</html>
"""
    return page.encode("utf-8")


def _numbered(document: Document) -> list[str]:
    """Blocks in order, each chapter and section with its number to jump to, the contents first."""
    parts: list[str] = []
    places: list[tuple[int, Heading]] = []
    first = -1
    for block in document.blocks:
        if isinstance(block, Heading) and 0 < block.level < 3:
            first = len(parts) if first < 0 else first
            places.append((len(places) + 1, block))
            parts.append(_heading(block, len(places)))
        else:
            parts.append(_block(block, document.compact))
    if sum(block.level == 1 for _, block in places) >= MANY_CHAPTERS:
        parts.insert(first, _contents(document, places))
    return parts


def _contents(document: Document, places: list[tuple[int, Heading]]) -> str:
    """List chapters, one a line with its sections behind it, each a jump inside the file."""
    lines: list[str] = []
    for number, block in places:
        jump = f'<a href="#s{number}">{_text(block.text)}</a>'
        if block.level == 1 or not lines:
            lines.append(f"<li>{jump}")
        else:
            lines[-1] += f" {jump}"
    items = "</li>\n".join(lines)
    title = _text(word("contents", document.lang))
    return f'<nav aria-label="{title}"><p>{title}</p><ol>{items}</li></ol></nav>'


def _page_foot(document: Document) -> str:
    """Foot of every printed page, as margin boxes: browsers number pages only there."""
    before, between, after = (css_text(words) for words in document.page_words)
    lines = ' "\\a " '.join(css_text(plain(line)) for line in document.footer) or '""'
    number = f'{before} counter(page) {between} counter(pages) {after} "\\a "'
    return (
        "\n@page { @bottom-center { white-space: pre-wrap; font-size: 7.5pt; line-height: 1.4; "
        f"text-align: center; content: {number} {lines}; }} }}\n"
    )


def css_text(text: str) -> str:
    """Quote text for a style sheet.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        In quotation marks; all but letters and digits is escaped by number.
    """
    return '"' + "".join(c if c.isalnum() else f"\\{ord(c):x} " for c in text) + '"'


def _text(value: str) -> str:
    return html.escape(plain(value, longest=20000), quote=True)


def _block(block: Block, compact: bool) -> str:
    if isinstance(block, Heading):
        return _heading(block)
    if isinstance(block, Paragraph):
        kept = " keep" if block.keep else ""
        return f'<p class="{block.style}{kept}">{_text(block.text)}</p>'
    if isinstance(block, Table):
        return _table(block, SMALL_LETTER_MM if compact or block.dense else LETTER_MM)
    if isinstance(block, Picture):
        data = base64.b64encode(block.png).decode("ascii")
        narrow = f' width="{round(block.width_mm * 96 / 25.4)}"' if block.width_mm < 150 else ""
        return (
            f'<figure><img alt="{_text(block.alt)}"{narrow} src="data:image/png;base64,{data}">'
            f"<figcaption>{_text(block.caption)}</figcaption></figure>"
        )
    assert isinstance(block, PageBreak)
    return '<div class="fresh"></div>'


def _heading(block: Heading, number: int = 0) -> str:
    level = block.level + 1
    fresh = ' class="fresh"' if block.new_page else ""
    place = f' id="s{number}"' if number else ""
    return f"<h{level}{place}{fresh}>{_text(block.text)}</h{level}>"


def _table(table: Table, letter: float) -> str:
    caption = f"<caption>{_text(table.caption)}</caption>" if table.caption else ""
    if not table.rows:
        return f'<p class="note">{_text(table.empty or table.caption) or "—"}</p>'
    columns = "".join(
        f'<col width="{share * 100:.2f}%">' for share in table.shares(TEXT_MM, letter)
    )
    head = "".join(f'<th scope="col">{_text(column.title)}</th>' for column in table.columns)
    lines = []
    for number, row in enumerate(table.rows):
        tone = table.tone(number)
        cells = "".join(
            f'<td class="{column.align}{" num" if _NUMBER.fullmatch(cell) else ""}">{_text(cell)}</td>'
            for column, cell in zip(table.columns, row, strict=True)
        )
        lines.append(f'<tr class="{tone}">{cells}</tr>' if tone else f"<tr>{cells}</tr>")
    rows = "\n".join(lines)
    kind = "tall" if table.tall else "dense" if table.dense else ""
    marked = f' class="{kind}"' if kind else ""
    return (
        f'<div class="scroll"><table{marked}>{caption}<colgroup>{columns}</colgroup>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )
