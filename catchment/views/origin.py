"""What a page comes from, in both languages: on the page, and at the foot of every printed sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catchment.views.html_writer import css_text
from catchment.views.page import LANGS, map_words
from catchment.views.payload import headings, text
from catchment.views.story import rules_of, standing_of
from catchment.views.words import name_of

if TYPE_CHECKING:
    from catchment.run import Run


def origin(run: Run) -> dict[str, dict[str, str]]:
    """Say in both languages what a sheet is, what data it comes from and what rules judged it.

    Parameters
    ----------
    run : Run
        A whole run.

    Returns
    -------
    dict
        ``standing``, ``sources`` and ``rules`` by language; the sources are empty where none is
        known.
    """
    told: dict[str, dict[str, str]] = {"standing": {}, "sources": {}, "rules": {}}
    for lang in LANGS:
        words = map_words()[lang]
        listed = [
            name_of("layer", text(s.layer), lang) + (f" {text(s.file)}" if s.file else "")
            for s in sorted(run.region.sources, key=lambda s: (s.layer, s.file))
        ]
        told["standing"][lang] = standing_of(run.provenance, lang)
        told["sources"][lang] = (
            words["par.sources"].replace("{n}", words["map.comma"].join(listed)) if listed else ""
        )
        told["rules"][lang] = words["par.rules"].replace("{n}", text(rules_of(run)))
    return told


def printed_foot(run: Run, *, base: str = "") -> str:
    """Foot of every printed sheet of a page, as margin boxes of a style sheet.

    Parameters
    ----------
    run : Run
        A whole run.
    base : str
        Review number of the base map below it, where it has one.

    Returns
    -------
    str
        One named page for each language; the page's own language chooses.
    """
    told, facts = origin(run), headings(run)
    parts = []
    for lang, page in (("zh", "zh-CN"), ("en", "en")):
        words = map_words()[lang]
        lines = (
            told["standing"][lang],
            " · ".join(
                each
                for each in (
                    words["map.stamp_digest"].replace("{d}", facts["digest"]),
                    words["map.stamp_seed"].replace("{s}", str(facts["seed"])),
                    told["rules"][lang], facts["crs"],
                    words["map.base"].replace("{n}", text(base)) if base else "",
                )
                if each
            ),
            told["sources"][lang],
        )  # fmt: skip
        content = ' "\\a " '.join(css_text(line) for line in lines if line)
        parts.append(
            f'html[lang="{page}"] body {{ page: sheet-{lang}; }}\n'
            f"@page sheet-{lang} {{ size: A4 landscape; margin: 10mm 10mm 17mm; "
            "@bottom-center { white-space: pre-wrap; font-size: 6.5pt; line-height: 1.3; "
            f"text-align: center; content: {content}; }} }}"
        )
    return "\n".join(parts)
