"""Stored networks: costs at the edge of what is allowed, and files damaged anywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from catchment.network.kept import Kept
from catchment.network.shortest import (
    PreparedNetwork,
    StoredNetworkError,
    load_network,
    prepare,
    save_network,
)


def chain(nodes: int, cost: float) -> PreparedNetwork:
    """Road of one lane each way, its costs varied a little."""
    tail = np.repeat(np.arange(nodes), 2)[1:-1]
    head = np.stack([np.arange(nodes) - 1, np.arange(nodes) + 1], axis=1).ravel()[1:-1]
    start = np.concatenate([[0], np.cumsum(np.bincount(tail, minlength=nodes))])
    return prepare(start, head, cost * (1 - 0.001 * (np.arange(len(head)) % 7)))


def test_dearest_costs_come_back_from_disk(tmp_path: Path) -> None:
    network = chain(40, 1e28)
    assert network.hierarchy is not None
    assert network.hierarchy.up_cost.max() > 1e28  # shortcuts are dearer than any arc
    again = load_network(save_network(network, tmp_path / "n.npz"), digest=network.digest)
    every = np.arange(40)
    found = again.matrix(every, every)
    arcs = network.arcs
    oracle = dijkstra(csr_matrix((arcs.cost, arcs.head, arcs.start)), indices=every)
    np.testing.assert_allclose(found, oracle, rtol=5.1e-6)


@pytest.mark.parametrize("every", [1, 2, 3])
def test_every_truncation_and_flipped_bit_is_noticed(tmp_path: Path, every: int) -> None:
    network = chain(12, 1.0)
    file = save_network(network, tmp_path / "n.npz")
    whole = file.read_bytes()
    damaged = 0
    for offset in range(every - 1, len(whole), 3):
        cut = whole[:offset]
        flipped = bytearray(whole)
        flipped[offset] ^= 1 << (offset % 8)
        for content in (cut, bytes(flipped)):
            file.write_bytes(content)
            try:
                again = load_network(file, digest=network.digest)
            except StoredNetworkError:
                damaged += 1
            else:
                # Bits of the archive's dates and the like change nothing that is read.
                np.testing.assert_array_equal(again.matrix([0], range(12)),
                                              network.matrix([0], range(12)))  # fmt: skip
                for name, own in network.arcs._asdict().items():
                    np.testing.assert_array_equal(getattr(again.arcs, name), own)
    assert damaged > 0.6 * 2 * len(whole) / 3


def test_a_damaged_cache_is_told_and_made_anew(tmp_path: Path) -> None:
    network = chain(12, 1.0)
    Kept(tmp_path).prepared(*network.arcs)
    (file,) = tmp_path.glob("graph-*")
    whole = file.read_bytes()
    for content in (b"", whole[:100], whole[: len(whole) // 2], whole[:-1], b"\x00" * len(whole)):
        file.write_bytes(content)
        kept = Kept(tmp_path)
        assert kept.prepared(*network.arcs).digest == network.digest
        assert len(kept.notes) == 1
        assert file.read_bytes() == whole
    assert Kept(tmp_path).prepared(*network.arcs).hierarchy is not None


def test_a_graph_without_near_and_far_is_given_up_on_early() -> None:
    rng = np.random.default_rng(3)
    nodes, arcs = 20_000, 100_000
    tail, head = np.sort(rng.integers(0, nodes, arcs)), rng.integers(0, nodes, arcs)
    start = np.concatenate([[0], np.cumsum(np.bincount(tail, minlength=nodes))])
    network = prepare(start, head, rng.random(arcs) + 0.1)
    assert network.hierarchy is None
    arcs_held = network.arcs
    found = network.matrix([0, 1], range(nodes))
    assert np.isfinite(found).mean() > 0.9
    assert arcs_held.nodes == nodes
