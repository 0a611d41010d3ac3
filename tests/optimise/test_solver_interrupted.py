"""Ctrl-C ends the solver, too."""

from __future__ import annotations

import _thread
import signal
import threading
import time

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from catchment.optimise.milp import solve_milp

LIMIT = 120.0


def test_ctrl_c_ends_a_whole_number_model_long_before_its_limit():
    # Market split (Cornuéjols and Dawande): small, and far too hard to be solved meanwhile.
    rng = np.random.default_rng(5)
    rows = rng.integers(0, 100, (5, 40)).astype(float)
    half = np.floor(rows.sum(axis=1) / 2)
    before = signal.getsignal(signal.SIGINT)
    timer = threading.Timer(3.0, _thread.interrupt_main)
    began = time.perf_counter()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        solve_milp(
            np.zeros(40), csr_matrix(rows), half, half, upper=1.0, time_limit=LIMIT,
            integer=np.ones(40, dtype=bool),
        )  # fmt: skip
    assert time.perf_counter() - began < LIMIT / 2
    assert signal.getsignal(signal.SIGINT) is before
