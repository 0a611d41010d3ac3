"""Show a document as one HTML file: no script, no address, a strict policy, styles for print."""

from __future__ import annotations

import base64
import hashlib
import html
from importlib.resources import files

from catchment.views.document import Block, Document, Heading, PageBreak, Paragraph, Picture, Table
from catchment.views.plain import plain

TEXT_MM, LETTER_MM, SMALL_LETTER_MM = 166.0, 1.78, 1.45
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
    body = "\n".join(_block(block, document.compact) for block in document.blocks)
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
        level = block.level + 1
        fresh = ' class="fresh"' if block.new_page else ""
        return f"<h{level}{fresh}>{_text(block.text)}</h{level}>"
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
            f'<td class="{column.align}">{_text(cell)}</td>'
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
