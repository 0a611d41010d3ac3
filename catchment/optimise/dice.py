"""Random numbers inside compiled loops: a stream of its own, the same on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

UInt64 = npt.NDArray[np.uint64]


def dice(seed: int) -> UInt64:
    """Return the state of a new stream.

    Parameters
    ----------
    seed : int
        Any whole number.

    Returns
    -------
    (1,) uint64
        State, never zero; changed in place by :func:`uniform` and :func:`below`.
    """
    stream = np.random.SeedSequence(abs(int(seed))).generate_state(1, dtype=np.uint64)
    return np.maximum(stream, np.uint64(1))


@njit(cache=True)
def _next(state: UInt64) -> Any:
    """Advance by one (xorshift64*)."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    return x * np.uint64(2685821657736338717)


@njit(cache=True)
def uniform(state: UInt64) -> float:
    """Draw a number from 0 to below 1.

    Parameters
    ----------
    state : (1,) uint64
        Stream, advanced in place.

    Returns
    -------
    float
        Uniform in [0, 1).
    """
    return float(_next(state) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True)
def below(state: UInt64, n: int) -> int:
    """Draw a whole number from 0 to n - 1.

    Parameters
    ----------
    state : (1,) uint64
        Stream, advanced in place.
    n : int
        From 1 to 2 ** 31.

    Returns
    -------
    int
        Uniform to within n / 2 ** 32.
    """
    # np.int64, for compiled int() would keep it unsigned and sums with it would be floats
    return np.int64(((_next(state) >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))  # type: ignore[return-value]
