"""Numbers stand with the right noun in English, and every console line and note asks for it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from catchment.english import counted

PACKAGE = Path(__file__).resolve().parents[2] / "catchment"
NOUNS = (
    "village|village-band|school|student|plan|place|site|row|room|classroom|bed|seat|file|error|"
    "warning|note|repair|template|problem|item|action|rule|demand|catchment|boarder|teacher|year|"
    "minute|student-minute|township|area|point|stop|candidate|county|trip|road|limit|change|sheet"
)
PLURAL = re.compile(rf" (?:[a-z]+ )?(?:(?:{NOUNS})s|children|classes|counties)\b")


@pytest.mark.parametrize(
    ("count", "words", "form", "told"),
    [
        (0, ("village",), "", "0 villages"),
        (1, ("village",), "", "1 village"),
        (2, ("village travels", "villages travel"), "", "2 villages travel"),
        (1, ("village travels", "villages travel"), "", "1 village travels"),
        (1.0, ("student",), ",.0f", "1 student"),
        (0.6, ("student",), ",.0f", "1 student"),
        (1.0, ("minute",), ".1f", "1.0 minutes"),
        (1204, ("child", "children"), ",", "1,204 children"),
    ],
)
def test_one_is_singular_and_all_else_plural(count, words, form, told):
    assert counted(count, *words, form=form) == told


def plurals(source: str) -> list[tuple[int, str]]:
    """Lines of texts in which a number that may be 1 stands before a plural."""
    out = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, after in zip(node.values, node.values[1:], strict=False):
            if not (isinstance(value, ast.FormattedValue) and isinstance(after, ast.Constant)):
                continue
            found = PLURAL.match(str(after.value))
            name = ast.unparse(value.value)
            shape = "" if value.format_spec is None else ast.unparse(value.format_spec)
            # A constant is never 1, and a figure with decimals is never written so.
            never_one = name.strip("_").isupper() or re.search(r"\.[12]f", shape)
            if found and not never_one:
                out.append((node.lineno, f"{{{name}}}{found[0]}"))
    return out


def test_the_scan_finds_a_bare_plural():
    assert plurals('f"a {n} villages b"') == [(1, "{n} villages")]
    assert plurals('f"{len(x):,.0f} hard rules"') == [(1, "{len(x)} hard rules")]
    assert plurals("f\"{counted(n, 'village')} b {x:.1f} minutes {MOST} years {a} is\"") == []


ENOUGH = {"{len(tried)} actions", "{raised} minutes"}
"""Said only where there are many, or of several figures at once."""


@pytest.mark.parametrize("room", ["cli", "run"])
def test_no_console_line_or_note_has_a_bare_plural(room):
    found = [
        (path.name, line, text)
        for path in sorted((PACKAGE / room).glob("*.py"))
        for line, text in plurals(path.read_text(encoding="utf-8"))
        if text not in ENOUGH
    ]
    assert found == []
