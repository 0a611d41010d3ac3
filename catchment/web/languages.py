"""Texts in two languages, "中文 / English", taken apart."""

from __future__ import annotations

_BETWEEN = " / "


def halves(text: str) -> tuple[str, str]:
    """Take a text in two languages apart.

    A value that is quoted may hold the mark between the languages itself; of several marks that one
    counts which leaves most Chinese before it and least behind.

    Parameters
    ----------
    text : str
        "中文 / English", or one language alone.

    Returns
    -------
    (str, str)
        Chinese and English; twice the same where there is one language.
    """
    parts = text.split(_BETWEEN)
    if len(parts) == 1:
        return text, text
    cuts = [
        (_BETWEEN.join(parts[:k]).strip(), _BETWEEN.join(parts[k:]).strip())
        for k in range(1, len(parts))
    ]
    zh, en = max(cuts, key=lambda cut: _chinese(cut[0]) - _chinese(cut[1]))
    return zh, en or zh


def _chinese(text: str) -> float:
    """Share of Chinese characters among the letters."""
    letters = [c for c in text if c.isalpha()]
    return sum("\u3400" <= c <= "\u9fff" for c in letters) / max(len(letters), 1)
