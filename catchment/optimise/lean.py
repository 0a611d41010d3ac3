"""Compiled functions that count no references to the arrays they are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., object])


def lean(function: _Function) -> _Function:
    """Compile a small function that is called again and again from compiled loops.

    A compiled function counts a reference to each array it is given, and to each array of a tuple,
    when it begins and when it ends. One such function with the arrays of an assignment in progress
    costs as much as the work it does: without counting what-ifs take half the time.

    Parameters
    ----------
    function : callable
        It may not make arrays, nor views of them, nor keep any; the caller holds them all.

    Returns
    -------
    callable
        The same, compiled when first called.
    """
    options: dict[str, Any] = {"cache": True, "_nrt": False}
    return cast("_Function", njit(**options)(function))
