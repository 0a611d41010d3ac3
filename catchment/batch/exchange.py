"""Tables that counties' tasks leave for the one process that settles borders.

Every value is kept as exact text: a table for people guards and shortens what could be read as a
formula, and a village would then be looked for under another code.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


def write_exchange(table: pd.DataFrame, path: Path) -> Path:
    """Write a table as text columns.

    Parameters
    ----------
    table : DataFrame
        Text and numbers; missing values become empty.
    path : Path
        The ``.parquet`` file wanted, in a folder that is not in place yet.

    Returns
    -------
    Path
        ``path``.
    """
    texts = {str(c): [_text(v) for v in table[c].tolist()] for c in table.columns}
    pd.DataFrame(texts, dtype="string").to_parquet(path, index=False)
    return path


def read_exchange(path: Path, columns: Iterable[str]) -> pd.DataFrame:
    """Read a table again.

    Parameters
    ----------
    path : Path
        Of :func:`write_exchange`.
    columns : iterable of str
        Columns wanted.

    Returns
    -------
    DataFrame
        Text, as it was written.
    """
    return pd.read_parquet(path, columns=list(columns)).astype(object)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or value is pd.NA or value != value:
        return ""
    if isinstance(value, float | np.floating):
        return np.format_float_positional(float(value), trim="-")
    return str(value)
