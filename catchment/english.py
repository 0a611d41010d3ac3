"""English numbers with their nouns, for every sentence that is told to people."""

from __future__ import annotations


def counted(count: float, one: str, several: str = "", *, form: str = "") -> str:
    """Write a number with its noun, or with its noun and verb, in the singular or plural.

    Parameters
    ----------
    count : float
        The number.
    one : str
        What stands behind 1: ``village``, or ``village travels``.
    several : str
        What stands behind every other number; by default ``one`` with an s.
    form : str
        Format of the number, as of :func:`format`.

    Returns
    -------
    str
        Such as ``1 village`` or ``1,204 students``; a number written as ``1.0`` is plural.
    """
    text = format(count, form)
    return f"{text} {one if text == '1' else several or one + 's'}"
