"""The one decorator of all compiled code: cached on disk, free of the interpreter lock."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import numba

_Function = TypeVar("_Function")


class _Decorator(Protocol):
    def __call__(self, function: _Function, /) -> _Function: ...


# error_model="numpy" leaves out checks for division by zero that would stop vectorisation.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def _compiled_when_called(function: Any) -> Any:
    """Compile at the first call and keep the machine code for other processes."""
    try:
        return numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # neither the package's folder nor the user's can be written to
        return numba.njit(**_OPTIONS)(function)


native: _Decorator = _compiled_when_called
