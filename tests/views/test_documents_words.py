"""The table of words, plain text and whole files."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.errors import CatchmentError
from catchment.views import plain as plain_module
from catchment.views import words as table
from catchment.views.files import steady_zip, write_atomically, write_bytes
from catchment.views.plain import decimal, guarded, percent, plain, whole

VIEWS = Path(table.__file__).parent
MINE = (
    "story", "report", "townships", "charts", "workbook", "geopackage", "facts", "deck",
    "comparison", "comparison_book", "comparison_pictures", "decisions", "book", *(f"chapters/{name}" for name in
                    ("actions", "figures", "findings", "gate", "large_classes", "methods", "overview")),
)  # fmt: skip
XML_CHARACTERS = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")


def test_both_languages_are_complete() -> None:
    for key, texts in table.words().items():
        assert set(texts) == {"zh", "en"}
        for lang, text in texts.items():
            assert text.strip() or key in ("foot.page3", "none_known"), (key, lang)
        assert table.fields(texts["zh"]) == table.fields(texts["en"]), key
        assert not re.search("[\u4e00-\u9fff]", texts["en"]), key


def test_every_key_in_the_code_is_in_the_table() -> None:
    known = set(table.words())
    checked = 0
    for name in MINE:
        tree = ast.parse((VIEWS / f"{name}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            function = (
                node.func.attr
                if isinstance(node.func, ast.Attribute)
                else getattr(node.func, "id", "")
            )
            first = node.args[0]
            if function in ("say", "word") and isinstance(first, ast.Constant):
                assert first.value in known, (name, first.value)
                checked += 1
    assert checked > 100


def test_every_column_of_the_workbook_has_a_heading_and_a_meaning() -> None:
    text = (VIEWS / "workbook.py").read_text(encoding="utf-8")
    keys = set(re.findall(r'Field\("(\w+)"', text))
    assert len(keys) > 40
    for key in keys:
        assert f"x.{key}" in table.words()
        assert f"m.{key}" in table.words()


def test_a_missing_word_raises() -> None:
    with pytest.raises(LookupError, match="no_such_key"):
        table.word("no_such_key", "zh")
    with pytest.raises(LookupError, match="fr"):
        table.word("village", "fr")
    with pytest.raises(LookupError, match="county"):
        table.word("report.title", "zh", town="x")


def test_what_is_filled_in_is_not_formatted_again() -> None:
    text = table.word("report.title", "en", county="{0} {county} %s ${x}")
    assert "{0} {county} %s ${x}" in text


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=60))
def test_plain_text_fits_every_format(text: str) -> None:
    clean = plain(text)
    assert XML_CHARACTERS.fullmatch(clean)
    assert not re.search("[\r\n\t\u2028\u2029\u202a-\u202e\u2066-\u2069]", clean)
    assert plain(clean) == clean


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="=+-@\t\r\n ＝＋－＠\u200b\u202e\x00ab1", max_size=12))
def test_guarded_text_is_no_formula(text: str) -> None:
    cell = guarded(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))
    assert cell.lstrip("'").strip() in (plain(text).lstrip("'").strip(), "")


def test_no_printable_character_needs_to_be_taken_out() -> None:
    taken = (
        plain_module._ILLEGAL,
        plain_module._UNSEEN,
        plain_module._BEYOND,
        plain_module._BREAKS,
    )
    every = "".join(map(chr, range(0x110000)))
    for pattern in taken:
        assert not any(c.isprintable() for found in pattern.findall(every) for c in found)


def test_long_text_is_cut_and_says_so() -> None:
    assert plain("长" * 5000).endswith("…")
    assert len(plain("长" * 5000)) == 2000


def test_figures() -> None:
    assert (whole(1234.6), decimal(12.34), percent(0.1234)) == ("1,235", "12.3", "12.3%")
    assert whole(None) == decimal(float("inf")) == percent(float("nan")) == "—"


def test_a_failed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "表[1].txt"
    write_bytes(path, b"old")

    def fail(beside: Path) -> None:
        beside.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(CatchmentError, match="No space left"):
        write_atomically(path, fail)

    def stop(beside: Path) -> None:
        beside.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, stop)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_repacked_archives_do_not_tell_the_time() -> None:
    import io
    import zipfile

    packed = []
    for year in (1999, 2024):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(zipfile.ZipInfo("a.xml", (year, 1, 2, 3, 4, 6)), "x" * 1000)
        packed.append(steady_zip(out.getvalue()))
    assert packed[0] == packed[1]
