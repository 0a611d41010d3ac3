"""The one CSV writer: figures in full, text never a formula, missing values empty."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.views.tables import csv_text, frame_csv


def read(text: str) -> list[list[str]]:
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text[1:], newline="")))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1234567.8, "1234567.8"), (0.1 + 0.2, "0.30000000000000004"), (1e21, "1" + "0" * 21),
        (1e-7, "0.0000001"), (2.0, "2"), (-0.5, "-0.5"), (np.float32(12.3), "12.3"),
        (np.int64(1234567), "1234567"), (True, "true"), (np.bool_(False), "false"), (None, ""),
        (pd.NA, ""), (pd.NaT, ""), (math.nan, ""), (math.inf, ""), ("=1+1", "'=1+1"),
        ("-5", "'-5"), ("0012", "0012"), ("a\r\nb", "a b"),
    ],
)  # fmt: skip
def test_a_value_is_shown_in_full(value: object, shown: str) -> None:
    assert read(csv_text(["v"], [[value, "x"]]))[1][0] == shown


@settings(deadline=None, max_examples=200)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back_as_they_were(value: float) -> None:
    text = read(csv_text(["v"], [[value]]))[1][0]
    assert "e" not in text.lower()
    assert float(text) == value


def test_rows_end_as_windows_ends_them_and_commas_are_quoted() -> None:
    table = pd.DataFrame({"name": ['a,"b"', "=x"], "=head": [1.5, None]})
    text = frame_csv(table)
    assert text == '\ufeffname,\'=head\r\n"a,""b""",1.5\r\n\'=x,\r\n'
