"""The one decorator of all compiled code: cached on disk, free of the interpreter lock."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import numba

_Function = TypeVar("_Function")


class _Decorator(Protocol):
    def __call__(self, function: _Function, /) -> _Function: ...


# A second process reads the machine code from disk; several threads may run it at once.
# error_model="numpy" leaves out checks for division by zero that would stop vectorisation.
_compile: Any = numba.njit(cache=True, nogil=True, error_model="numpy")
native: _Decorator = _compile
