"""Show a document as DOCX in the layout of official documents (GB/T 9704)."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import docx
from docx.enum.section import WD_ORIENT
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_LINE_SPACING
from docx.image.image import Image
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.oxml.shape import CT_Inline
from docx.parts.image import ImagePart
from docx.shared import Mm, Pt, RGBColor

from catchment.views.document import Document, Heading, PageBreak, Paragraph, Picture, Table
from catchment.views.files import steady_zip
from catchment.views.plain import plain

TITLE_FONT = "方正小标宋简体"
BODY_FONT = "仿宋_GB2312"
HEADING_FONTS = ("黑体", "楷体_GB2312", "仿宋_GB2312")
LATIN_FONT = "Times New Roman"
PAGE_MM = (210, 297)
MARGINS_MM = (37, 35, 28, 26)
"""Top, bottom, left, right."""
BODY_PT, LINE_PT, TITLE_PT, TABLE_PT, NOTE_PT = 16, 28, 22, 9, 10.5
TEXT_MM = PAGE_MM[0] - MARGINS_MM[2] - MARGINS_MM[3]

LETTER_MM, SMALL_LETTER_MM = 1.66, 1.4
"""Width of a small Latin letter in a table, also in a compact or dense one."""

_SHADES = {"bad": "F6DAD3", "warn": "FBF1D0", "good": "E2EFDA", "sum": "EDEDED"}
_ALIGN = {
    "left": WD_ALIGN_PARAGRAPH.LEFT,
    "center": WD_ALIGN_PARAGRAPH.CENTER,
    "right": WD_ALIGN_PARAGRAPH.RIGHT,
}


def docx_bytes(document: Document) -> bytes:
    """Show a document as DOCX.

    Fonts are named, never embedded: Word and WPS take the county's own. Equal documents give equal
    bytes.

    Parameters
    ----------
    document : Document
        What to show.

    Returns
    -------
    bytes
        A ``.docx`` file.
    """
    paper = docx.Document()
    _page(paper)
    _styles(paper, document.lang, compact=document.compact)
    _footer(paper, document)
    pictures = 0
    for block in document.blocks:
        if isinstance(block, Heading):
            _heading(paper, block)
        elif isinstance(block, Paragraph):
            text = plain(block.text, longest=20000)
            shape = _paragraph(paper, text, f"cat{block.style}").paragraph_format
            shape.keep_with_next = block.keep or None
        elif isinstance(block, Table):
            _table(paper, block, compact=document.compact)
        elif isinstance(block, Picture):
            pictures += 1
            _picture(paper, block, pictures)
        elif isinstance(block, PageBreak):
            _paragraph(paper, "", "catpicture").paragraph_format.page_break_before = True
    _properties(paper, document)
    out = io.BytesIO()
    paper.save(out)
    return steady_zip(out.getvalue())


def _page(paper: Any) -> None:
    section = paper.sections[0]
    section.orientation = WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = Mm(PAGE_MM[0]), Mm(PAGE_MM[1])
    top, bottom, left, right = MARGINS_MM
    section.top_margin, section.bottom_margin = Mm(top), Mm(bottom)
    section.left_margin, section.right_margin = Mm(left), Mm(right)
    section.footer_distance = Mm(14)


_COMPACT: dict[str, dict[str, Any]] = {
    "note": {"size": 9, "line": 12, "after": 2},
    "caption": {"size": 9, "line": 12, "before": 2, "after": 1},
    "cell": {"size": 8, "line": 10},
    "head": {"size": 8, "line": 10},
    "gap": {"size": 2, "line": 3},
}
"""What is set closer in a compact document: tables, their captions and notes."""


def _styles(paper: Any, lang: str, *, compact: bool = False) -> None:
    normal = paper.styles["Normal"]
    _font(normal, BODY_FONT, BODY_PT)
    _spacing(normal, LINE_PT)
    for name, chosen in _paragraph_styles(lang).items():
        if compact:
            chosen = {**chosen, **_COMPACT.get(name, {})}
        style = paper.styles.add_style(f"cat {name}", WD_STYLE_TYPE.PARAGRAPH)
        style.base_style = normal
        _font(style, chosen["font"], chosen["size"], bold=chosen.get("bold", False))
        _spacing(
            style, chosen["line"], before=chosen.get("before", 0), after=chosen.get("after", 0)
        )
        style.paragraph_format.alignment = chosen.get("align")
        style.paragraph_format.keep_with_next = chosen.get("keep", False)
        style.paragraph_format.widow_control = True
        _indent(style.element.get_or_add_pPr(), chosen.get("chars", 0), chosen["size"])
        if name == "warning":
            _frame(style.element.get_or_add_pPr())
    for level, font in enumerate(HEADING_FONTS, start=1):
        style = paper.styles[f"Heading {level}"]
        _font(style, font, BODY_PT, bold=level == 3)
        style.font.color.rgb = RGBColor(0, 0, 0)
        style.font.italic = False
        _spacing(style, LINE_PT, before=6 if level < 3 else 0)
        style.paragraph_format.keep_with_next = True
        _indent(style.element.get_or_add_pPr(), 2 if lang == "zh" else 0, BODY_PT)
    title = paper.styles["Title"]
    _font(title, TITLE_FONT, TITLE_PT)
    title.font.color.rgb = RGBColor(0, 0, 0)
    _spacing(title, 36, after=6)
    title.paragraph_format.alignment = WD_ALIGN_PARAGRAPH.CENTER
    border = title.element.pPr.find(qn("w:pBdr"))
    if border is not None:
        title.element.pPr.remove(border)


def _paragraph_styles(lang: str) -> dict[str, dict[str, Any]]:
    chinese = lang == "zh"
    body = {
        "font": BODY_FONT,
        "size": BODY_PT if chinese else 12,
        "line": LINE_PT if chinese else 20,
        "chars": 2 if chinese else 0,
        "align": WD_ALIGN_PARAGRAPH.JUSTIFY if chinese else None,
        "after": 0 if chinese else 4,
    }
    note = {"font": BODY_FONT, "size": NOTE_PT, "line": 16, "after": 4}
    head = {"font": HEADING_FONTS[0], "align": WD_ALIGN_PARAGRAPH.CENTER}
    return {
        "body": body,
        "note": note,
        "warning": {**note, "font": HEADING_FONTS[0], "size": 12, "line": 18, "after": 6,
                    "before": 6, "align": WD_ALIGN_PARAGRAPH.CENTER},
        "kicker": {**note, "font": HEADING_FONTS[1], "size": 13, "line": 20,
                   "align": WD_ALIGN_PARAGRAPH.CENTER, "after": 6},
        "right": {**body, "chars": 0, "align": WD_ALIGN_PARAGRAPH.RIGHT},
        "center": {**body, "chars": 0, "align": WD_ALIGN_PARAGRAPH.CENTER},
        "caption": {**note, "font": HEADING_FONTS[0], "before": 6, "after": 2, "keep": True,
                    "align": WD_ALIGN_PARAGRAPH.CENTER},
        "picture": {**note, "line": None, "keep": True, "align": WD_ALIGN_PARAGRAPH.CENTER},
        "gap": {"font": BODY_FONT, "size": 4, "line": 8},
        "cell": {"font": BODY_FONT, "size": TABLE_PT, "line": 12},
        "head": {**head, "size": TABLE_PT, "line": 12},
        "densecell": {"font": BODY_FONT, "size": TABLE_PT - 1, "line": 10},
        "densehead": {**head, "size": TABLE_PT - 1, "line": 10},
        "foot": {"font": BODY_FONT, "size": 8, "line": 10, "align": WD_ALIGN_PARAGRAPH.CENTER},
    }  # fmt: skip


def _font(style: Any, chinese: str, size: float, *, bold: bool = False) -> None:
    style.font.name = LATIN_FONT
    style.font.size = Pt(size)
    style.font.bold = bold
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    # Without eastAsia Word shows Chinese in its own default font; theme fonts would win over both.
    for kind in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
        fonts.attrib.pop(qn(f"w:{kind}"), None)
    fonts.set(qn("w:eastAsia"), chinese)
    fonts.set(qn("w:hAnsi"), LATIN_FONT)
    fonts.set(qn("w:cs"), LATIN_FONT)


def _spacing(style: Any, line: float | None, *, before: float = 0, after: float = 0) -> None:
    shape = style.paragraph_format
    shape.space_before, shape.space_after = Pt(before), Pt(after)
    if line is None:
        shape.line_spacing_rule = WD_LINE_SPACING.SINGLE
    else:
        shape.line_spacing_rule = WD_LINE_SPACING.EXACTLY
        shape.line_spacing = Pt(line)


def _indent(properties: Any, chars: int, size: float) -> None:
    found = properties.find(qn("w:ind"))
    if found is None:
        found = properties._add_ind()
    found.set(qn("w:firstLineChars"), str(chars * 100))
    found.set(qn("w:firstLine"), str(round(chars * size * 20)))


def _frame(properties: Any) -> None:
    border = OxmlElement("w:pBdr")
    for side in ("top", "left", "bottom", "right"):
        line = OxmlElement(f"w:{side}")
        for key, value in (("val", "single"), ("sz", "12"), ("space", "4"), ("color", "A03020")):
            line.set(qn(f"w:{key}"), value)
        border.append(line)
    following = ("w:shd", "w:tabs", "w:spacing", "w:ind", "w:jc", "w:rPr", "w:outlineLvl")
    place = next((e for e in properties if e.tag in {qn(t) for t in following}), None)
    if place is None:
        properties.append(border)
    else:
        place.addprevious(border)


def _footer(paper: Any, document: Document) -> None:
    foot = paper.sections[0].footer
    foot.is_linked_to_previous = False
    first = foot.paragraphs[0]
    first.style = paper.styles["cat foot"]
    before, between, after = document.page_words
    first.add_run(before)
    _field(first, "PAGE")
    first.add_run(between)
    _field(first, "NUMPAGES")
    first.add_run(after)
    for line in document.footer:
        foot.add_paragraph(plain(line), style="cat foot")


def _field(paragraph: Any, code: str) -> None:
    for kind, text in (("begin", ""), ("", code), ("separate", ""), ("text", "1"), ("end", "")):
        run = paragraph.add_run()
        if kind == "text":
            run.text = text
            continue
        if kind:
            mark = OxmlElement("w:fldChar")
            mark.set(qn("w:fldCharType"), kind)
        else:
            mark = OxmlElement("w:instrText")
            mark.set(qn("xml:space"), "preserve")
            mark.text = f" {text} "
        run._r.append(mark)


def _paragraph(paper: Any, text: str, style: str) -> Any:
    """Add a paragraph; python-docx's way from a style's name to its id reads all styles again."""
    paragraph = paper.add_paragraph(text)
    paragraph._p.style = style
    return paragraph


def _heading(paper: Any, heading: Heading) -> None:
    name = "Title" if heading.level == 0 else f"Heading{heading.level}"
    paragraph = _paragraph(paper, plain(heading.text), name)
    paragraph.paragraph_format.page_break_before = heading.new_page or None


def _picture(paper: Any, picture: Picture, number: int) -> None:
    paragraph = _paragraph(paper, "", "catpicture")
    # python-docx's add_picture hashes every earlier picture and reads every earlier id again.
    image = Image.from_blob(picture.png)
    part = ImagePart.from_image(image, PackURI(f"/word/media/image{number}.png"))
    width, height = image.scaled_dimensions(Mm(min(picture.width_mm, TEXT_MM)), None)
    inline = CT_Inline.new_pic_inline(
        number, paper.part.relate_to(part, RELATIONSHIP_TYPE.IMAGE), f"image{number}.png", width,
        height,
    )  # fmt: skip
    paragraph.add_run()._r.add_drawing(inline)
    inline.docPr.set("descr", plain(picture.alt))
    inline.docPr.set("name", plain(picture.caption)[:60])
    caption = _paragraph(paper, plain(picture.caption), "catcaption")
    caption.paragraph_format.keep_with_next = False


def _table(paper: Any, table: Table, *, compact: bool) -> None:
    if not table.rows:
        _paragraph(paper, plain(table.empty or table.caption) or "—", "catnote")
        return
    if table.caption:
        _paragraph(paper, plain(table.caption), "catcaption")
    grid = paper.add_table(rows=0, cols=len(table.columns))
    grid._tbl.tblStyle_val = "TableGrid"
    grid.alignment = WD_TABLE_ALIGNMENT.CENTER
    grid.autofit = False
    shares = table.shares(TEXT_MM, SMALL_LETTER_MM if compact or table.dense else LETTER_MM)
    small = "dense" if table.dense else ""
    widths = [round(TEXT_MM * 56.6929 * share) for share in shares]
    for cell, width in zip(grid._tbl.tblGrid.findall(qn("w:gridCol")), widths, strict=True):
        cell.set(qn("w:w"), str(width))
    _cell_margins(grid._tbl.tblPr)
    titles = tuple(column.title for column in table.columns)
    _row(
        grid, titles, widths, [f"{small}head"] * len(widths), ["center"] * len(widths), "D9E2EC",
        head=True,
    )  # fmt: skip
    aligns = [column.align for column in table.columns]
    for number, row in enumerate(table.rows):
        shade = _SHADES.get(table.tone(number), "")
        _row(grid, row, widths, [f"{small}cell"] * len(widths), aligns, shade, tall=table.tall)
    _paragraph(paper, "", "catgap")


def _cell_margins(properties: Any) -> None:
    margins = OxmlElement("w:tblCellMar")
    for side, width in (("top", 20), ("left", 50), ("bottom", 20), ("right", 50)):
        edge = OxmlElement(f"w:{side}")
        edge.set(qn("w:w"), str(width))
        edge.set(qn("w:type"), "dxa")
        margins.append(edge)
    look = properties.find(qn("w:tblLook"))
    if look is None:
        properties.append(margins)
    else:
        look.addprevious(margins)


def _row(
    grid: Any,
    cells: tuple[str, ...],
    widths: list[int],
    styles: list[str],
    aligns: list[Any],
    shade: str,
    *,
    head: bool = False,
    tall: bool = False,
) -> None:
    """Add one row, written as XML at once: python-docx's own cells are quadratic in the rows."""
    row = OxmlElement("w:tr")
    properties = OxmlElement("w:trPr")
    properties.append(OxmlElement("w:cantSplit"))
    if tall:
        height = OxmlElement("w:trHeight")
        height.set(qn("w:val"), "1080")
        height.set(qn("w:hRule"), "atLeast")
        properties.append(height)
    if head:
        properties.append(OxmlElement("w:tblHeader"))
    row.append(properties)
    for text, width, style, align in zip(cells, widths, styles, aligns, strict=True):
        row.append(_cell(plain(text, longest=20000), width, style, align, shade))
    grid._tbl.append(row)


def _cell(text: str, width: int, style: str, align: str, shade: str) -> Any:
    cell = OxmlElement("w:tc")
    properties = OxmlElement("w:tcPr")
    size = OxmlElement("w:tcW")
    size.set(qn("w:w"), str(width))
    size.set(qn("w:type"), "dxa")
    properties.append(size)
    if shade:
        fill = OxmlElement("w:shd")
        fill.set(qn("w:val"), "clear")
        fill.set(qn("w:color"), "auto")
        fill.set(qn("w:fill"), shade)
        properties.append(fill)
    middle = OxmlElement("w:vAlign")
    middle.set(qn("w:val"), "center")
    properties.append(middle)
    cell.append(properties)
    paragraph = OxmlElement("w:p")
    shape = OxmlElement("w:pPr")
    name = OxmlElement("w:pStyle")
    name.set(qn("w:val"), f"cat{style}")
    shape.append(name)
    if style.endswith("head"):
        shape.append(OxmlElement("w:keepNext"))
    place = OxmlElement("w:jc")
    place.set(qn("w:val"), align)
    shape.append(place)
    paragraph.append(shape)
    run = OxmlElement("w:r")
    words = OxmlElement("w:t")
    words.set(qn("xml:space"), "preserve")
    words.text = text
    run.append(words)
    paragraph.append(run)
    cell.append(paragraph)
    return cell


def _properties(paper: Any, document: Document) -> None:
    when = dt.datetime(document.year, 9, 1)  # noqa: DTZ001 - the file format has no zone
    facts = paper.core_properties
    facts.title = plain(document.title, longest=250)
    facts.author = plain(document.author, longest=250)
    facts.last_modified_by = facts.author
    facts.comments = ""
    facts.created = facts.modified = when
    facts.language = "zh-CN" if document.lang == "zh" else "en"
    facts.revision = 1
