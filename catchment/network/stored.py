"""Prepared networks on disk: plain arrays in one file that proves itself whole."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from catchment.errors import CatchmentError, NotFoundError
from catchment.files import write_atomically
from catchment.network.arcs import DEAREST, Arcs, check_arcs, transpose
from catchment.network.hierarchy import FLOAT32_LEVELS, Hierarchy
from catchment.network.prepared import PreparedNetwork

# Raised whenever the same graph would be stored differently.
FORMAT = f"catchment network 1, {FLOAT32_LEVELS} levels"
DAMAGED = (
    OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError,
    NotImplementedError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip
"""What reading a file may raise that is damaged or foreign."""
_ARRAYS = tuple(name for name in Hierarchy._fields if name not in ("double", "levels"))


class StoredNetworkError(CatchmentError, ValueError):
    """A stored network is damaged, foreign, of another version or of another graph: rebuild it."""


def digest_arrays(arrays: Mapping[str, npt.NDArray[Any]], *words: str) -> str:
    """Digest names, types, shapes and contents.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        What to digest.
    *words : str
        Text to digest as well.

    Returns
    -------
    str
        40 hexadecimal digits.
    """
    total = hashlib.blake2b(digest_size=20)
    total.update(json.dumps(words).encode("utf-8"))
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype.str} {array.shape};".encode())
        total.update(array.data.cast("B") if array.size else b"")
    return total.hexdigest()


def digest_arcs(arcs: Arcs) -> str:
    """Digest a graph.

    Parameters
    ----------
    arcs : Arcs
        A graph.

    Returns
    -------
    str
        40 hexadecimal digits, the same for the same arrays on every machine.
    """
    return digest_arrays(arcs._asdict(), "graph")


def _refuse(path: Path, zh: str, en: str) -> StoredNetworkError:
    return StoredNetworkError(
        f"{path.name}：{zh}，请重新预处理 / {path.name}: {en}; prepare the network again"
    )


def save_network(network: PreparedNetwork, path: str | os.PathLike[str]) -> Path:
    """Write a prepared network to one file, whole or not at all.

    Parameters
    ----------
    network : PreparedNetwork
        What to keep.
    path : path-like
        File to write; an existing one is replaced.

    Returns
    -------
    Path
        The file.
    """
    final = Path(path)
    h = network.hierarchy
    arrays: dict[str, npt.NDArray[Any]] = {
        f"graph_{name}": array for name, array in network.arcs._asdict().items()
    }
    if h is not None:
        arrays |= {name: getattr(h, name) for name in _ARRAYS}
    head = {
        "format": FORMAT,
        "graph": network.digest,
        "unit": network.unit,
        "double": -1 if h is None else h.double,
        "levels": -1 if h is None else h.levels,
    }
    text = json.dumps(head, sort_keys=True)
    whole = digest_arrays(arrays, text)
    meta = np.frombuffer(f"{whole} {text}".encode(), np.uint8)

    def fill(part: Path) -> None:
        # An open file keeps numpy from adding its own suffix to the name.
        with part.open("xb") as file:
            np.savez(file, allow_pickle=False, head=meta, **arrays)

    return write_atomically(final, fill)


def load_network(path: str | os.PathLike[str], *, digest: str | None = None) -> PreparedNetwork:
    """Read a prepared network, trusting nothing in the file.

    Parameters
    ----------
    path : path-like
        File written by ``save_network``.
    digest : str, optional
        Digest of the graph that is wanted.

    Returns
    -------
    PreparedNetwork
        The same as was saved.

    Raises
    ------
    NotFoundError
        There is no such file.
    StoredNetworkError
        The file is damaged, foreign, of another version or of another graph.
    """
    place = Path(path)
    if not place.is_file():
        raise NotFoundError(f"没有文件 {place.name} / there is no file {place.name}")
    try:
        with place.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = bytes(arrays.pop("head").astype(np.uint8)).decode("utf-8")
        whole, text = meta.split(" ", 1)
        head = json.loads(text)
    except DAMAGED as error:
        raise _refuse(place, "文件损坏或不是路网缓存", "damaged, or no stored network") from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise _refuse(place, "版本不同", "written by another version")
    if digest_arrays(arrays, text) != whole:
        raise _refuse(place, "内容与校验和不符", "its content does not match its checksum")
    if digest is not None and head.get("graph") != digest:
        raise _refuse(place, "属于另一个路网", "it belongs to another graph")
    try:
        return _assemble(head, arrays)
    except DAMAGED as error:
        raise _refuse(place, "内容不成路网", "its content is no network") from error


def _assemble(head: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> PreparedNetwork:
    """Make the network, with positions checked before compiled code follows them."""
    arcs = check_arcs(arrays["graph_start"], arrays["graph_head"], arrays["graph_cost"])
    if digest_arcs(arcs) != head["graph"]:
        raise ValueError("graph digest")
    hierarchy = None
    if "position" in arrays:
        n = arcs.nodes
        hierarchy = Hierarchy(
            **{name: arrays[name] for name in _ARRAYS},
            double=int(head["double"]),
            levels=int(head["levels"]),
        )
        if not np.array_equal(np.sort(hierarchy.position), np.arange(n)):
            raise ValueError("positions")
        if not 0 <= hierarchy.double <= n:
            raise ValueError("double")
        for name in ("up", "down"):
            start, node, cost = (arrays[f"{name}_{part}"] for part in ("start", "node", "cost"))
            # A shortcut stands for a trip over at most all nodes.
            way = check_arcs(start, node, cost, DEAREST * max(n, 1))
            own = np.repeat(np.arange(n), np.diff(way.start))
            if way.nodes != n or (way.head >= own).any():
                raise ValueError("order")
        kinds = [arrays[name].dtype for name in _ARRAYS]
        if kinds != [np.dtype(kind) for kind in ("i4", "i4", "i4", "f8", "i4", "i4", "f8")]:
            raise ValueError("types")
    return PreparedNetwork(
        arcs, transpose(arcs), hierarchy, float(head["unit"]), str(head["graph"])
    )
