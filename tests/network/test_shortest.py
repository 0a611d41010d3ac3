"""The travel kernel on a graph everybody knows by heart, and at its edges."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from catchment.errors import InputError, NotFoundError
from catchment.network.shortest import (
    PreparedNetwork,
    StoredNetworkError,
    load_network,
    prepare,
    save_network,
    travel_matrix,
    travel_matrix_explained,
)

INF = np.inf
# 0 -5- 1 -2- 2 both ways; 2 -> 3 one way; 3 is a trap; 4 is an island with a loop;
# two parallel arcs 0 -> 1 (5 and 7).
INDPTR = [0, 2, 4, 6, 6, 7]
INDICES = [1, 1, 2, 0, 3, 1, 4]
WEIGHT = [7.0, 5.0, 2.0, 5.0, 1.0, 2.0, 9.0]
ALL = [
    [0, 5, 7, 8, INF],
    [5, 0, 2, 3, INF],
    [7, 2, 0, 1, INF],
    [INF, INF, INF, 0, INF],
    [INF, INF, INF, INF, 0],
]


def grid(side: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Streets between crossings, each way with a cost of its own."""
    x = np.arange(side * side)
    east, south = x[x % side < side - 1], x[:-side]
    tail = np.concatenate([east, east + 1, south, south + side])
    head = np.concatenate([east + 1, east, south + side, south])
    order = np.argsort(tail, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(tail, minlength=x.size))])
    cost = np.random.default_rng(seed).uniform(1.0, 3.0, tail.size)
    return start, head[order], cost


@pytest.fixture(scope="module")
def small() -> PreparedNetwork:
    return prepare(INDPTR, INDICES, WEIGHT)


@pytest.fixture(scope="module")
def streets() -> PreparedNetwork:
    return prepare(*grid(30))


def test_known_graph() -> None:
    found = travel_matrix(INDPTR, INDICES, WEIGHT, range(5), range(5))
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, np.array(ALL, np.float32))


@pytest.mark.parametrize("times", [1, 2, 4], ids=["one by one", "narrow", "wide"])
def test_known_graph_prepared(small: PreparedNetwork, times: int) -> None:
    rows = list(range(5)) * times if times > 1 else [0]
    found, method = small.matrix_explained(rows, range(5))
    assert method.name == "sweep"
    np.testing.assert_array_equal(found, np.array([ALL[r] for r in rows], np.float32))


def test_reverse_is_the_way_back(small: PreparedNetwork) -> None:
    expected = np.array(ALL, np.float32).T
    np.testing.assert_array_equal(
        travel_matrix(INDPTR, INDICES, WEIGHT, range(5), range(5), reverse=True), expected
    )
    np.testing.assert_array_equal(small.matrix(range(5), range(5), reverse=True), expected)


def test_equal_to_the_cutoff_is_within() -> None:
    row = travel_matrix(INDPTR, INDICES, WEIGHT, [0], range(5), cutoff=7.0)[0]
    np.testing.assert_array_equal(row, np.array([0, 5, 7, INF, INF], np.float32))
    row = travel_matrix(INDPTR, INDICES, WEIGHT, [0], [2], cutoff=np.nextafter(7.0, 0))[0]
    assert row[0] == INF


@pytest.mark.parametrize("rows", [1, 2, 5, 40])
def test_cutoff_is_judged_by_the_float64_sum_from_the_source(rows: int) -> None:
    # 0.1 added thirty times is a little more than 3.0 in some orders and less in others.
    n = 31
    start = np.concatenate([np.arange(n), [n - 1]])
    line = prepare(start, np.arange(1, n), np.full(n - 1, 0.1))
    total = 0.0
    for _ in range(n - 1):
        total += 0.1
    assert total != 3.0
    matrix = np.empty((rows, n), np.float32)
    for cutoff, reached in ((total, True), (np.nextafter(total, 0.0), False)):
        line._by_sweep(
            np.zeros(rows, np.int32), np.arange(n, dtype=np.int32), cutoff, False, matrix, 1
        )
        assert np.isfinite(matrix[:, -1]).all() == reached
        assert np.isfinite(matrix[:, :-1]).all()
        assert (matrix[np.isfinite(matrix)] <= np.float32(cutoff)).all()


def test_rechecked_trips_are_counted(streets: PreparedNetwork) -> None:
    start, head, _ = grid(30)
    tenths = prepare(start, head, np.full(head.size, 0.1))
    rows = np.arange(0, 900, 20)
    found, method = tenths.matrix_explained(rows, np.arange(900), cutoff=3.0)
    assert method.name == "sweep"
    assert method.rechecked > 100
    assert tenths.unit == 0.0
    assert prepare(start, head, np.full(head.size, 0.25)).unit == 0.25
    total = 0.0
    for _ in range(30):
        total += 0.1
    x, y = np.arange(900) % 30, np.arange(900) // 30
    hops = abs(x[rows][:, None] - x) + abs(y[rows][:, None] - y)
    np.testing.assert_array_equal(np.isfinite(found), hops <= (30 if total <= 3.0 else 29))


def test_zero_arcs_cost_nothing() -> None:
    # A ring of nothing with a tail of nothing, and one real arc.
    found = travel_matrix([0, 1, 2, 4, 5, 5], [1, 2, 0, 3, 4], [0, 0, 0, 0, 2.5], [0], range(5))
    np.testing.assert_array_equal(found, np.array([[0, 0, 0, 0, 2.5]], np.float32))
    ring = prepare([0, 1, 2, 4, 5, 5], [1, 2, 0, 3, 4], [0, 0, 0, 0, 2.5])
    np.testing.assert_array_equal(ring.matrix([0] * 9, [4]), np.full((9, 1), 2.5, np.float32))
    np.testing.assert_array_equal(ring.matrix([0] * 9, [3, 4], cutoff=0.0)[0], [0, INF])


def test_nothing_asked_and_nothing_there(small: PreparedNetwork) -> None:
    assert travel_matrix(INDPTR, INDICES, WEIGHT, [], [1]).shape == (0, 1)
    assert small.matrix([1, 2], []).shape == (2, 0)
    assert travel_matrix([0], [], [], [], []).shape == (0, 0)
    assert prepare([0], [], []).matrix([], []).shape == (0, 0)
    lonely = prepare([0, 0, 0], [], [])
    np.testing.assert_array_equal(lonely.matrix([0, 1], [0, 1]), [[0, INF], [INF, 0]])
    assert list(small.stream([], [0])) == []
    assert [block.shape for _, block in small.stream([1, 2], [])] == [(2, 0)]


@pytest.mark.parametrize(
    ("indptr", "indices", "weight", "named"),
    [
        ([], [], [], "indptr"),
        ([1, 2], [0, 0], [1, 1], "indptr"),
        ([0, 2, 1, 3], [0, 1, 2], [1, 1, 1], "positions: 1"),
        ([0, 1], [0, 0], [1, 1], "indptr"),
        ([[0, 1]], [0], [1], "one-dimensional"),
        ([0, 1.5], [0], [1], "whole numbers"),
        ([0, 1], [1], [1], "positions 0"),
        ([0, 1], [-1], [1], "positions 0"),
        ([0, 1, 2], [1, 0], [1], "weight"),
        ([0, 1, 2], [1, 0], [1, -0.5], "positions 1"),
        ([0, 1, 2], [1, 0], [np.nan, 1], "positions 0"),
        ([0, 1, 2], [1, 0], [INF, INF], "positions 0, 1"),
        ([0, 1, 2], [1, 0], [1, 1e300], "positions 1"),
        ([0, 7, 7], [1] * 7, [-1.0] * 7, "(7)"),
        ([0, 1, 2], [1, 0], ["a", "b"], "weight"),
    ],
)
def test_bad_graphs_are_refused_by_position(
    indptr: list[int], indices: list[int], weight: list[float], named: str
) -> None:
    with pytest.raises(InputError, match=re.escape(named)) as caught:
        travel_matrix(indptr, indices, weight, [0], [0])
    zh, en = str(caught.value).split(" / ", 1)
    assert re.search("[\u4e00-\u9fff]", zh)
    assert not re.search("[\u4e00-\u9fff]", en)


@pytest.mark.parametrize("ends", [[5], [-1], [0.5], [True], [[0]], ["0"]])
def test_bad_ends_are_refused(small: PreparedNetwork, ends: list[int]) -> None:
    for sources, targets in ((ends, [0]), ([0], ends)):
        with pytest.raises(InputError):
            travel_matrix(INDPTR, INDICES, WEIGHT, sources, targets)
        with pytest.raises(InputError):
            small.matrix(sources, targets)


@pytest.mark.parametrize("cutoff", [-1.0, np.nan, None, "60"])
def test_bad_cutoffs_are_refused(small: PreparedNetwork, cutoff: float) -> None:
    with pytest.raises(InputError, match="cutoff"):
        small.matrix([0], [0], cutoff=cutoff)
    with pytest.raises(InputError, match="cutoff"):
        small.stream([0], [0], cutoff=cutoff)


def test_unsuitable_rooms_and_numbers_are_refused(small: PreparedNetwork) -> None:
    locked = np.empty((1, 1), np.float32)
    locked.setflags(write=False)
    for out in (np.empty((2, 1), np.float32), np.empty((1, 1)), locked):
        with pytest.raises(InputError, match="out"):
            small.matrix([0], [0], out=out)
    with pytest.raises(InputError, match="threads"):
        small.matrix([0], [0], threads=0)
    with pytest.raises(InputError, match="block"):
        small.stream([0], [0], block=0)


def test_arguments_are_left_alone_and_any_whole_kind_will_do() -> None:
    given = [np.array(INDPTR, np.uint16), np.array(INDICES, np.int64), np.array(WEIGHT, np.float32)]
    before = [a.copy() for a in given]
    for array in given:
        array.setflags(write=False)
    found = travel_matrix(*given, np.array([0], np.uint8), np.arange(5)[::-1])
    np.testing.assert_array_equal(found[0], np.array(ALL[0][::-1], np.float32))
    for array, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_the_method_is_told() -> None:
    graph = grid(40)
    few = travel_matrix_explained(*graph, [0], [5])[1]
    many = travel_matrix_explained(*graph, np.arange(400), [5])[1]
    near = travel_matrix_explained(*graph, np.arange(400), [5], cutoff=2.0)[1]
    assert (few.name, many.name, near.name) == ("dijkstra", "sweep", "dijkstra")
    own = prepare(*graph)
    assert own.matrix_explained(np.arange(40), [5])[1].name == "sweep"
    assert own.matrix_explained([0], [5], cutoff=2.0)[1].name == "dijkstra"
    assert own.matrix_explained([0], [5], cutoff=90.0)[1].name == "sweep"
    assert travel_matrix_explained(*graph, [], [5])[1].name == "none"


def test_same_answer_on_any_number_of_threads_and_in_blocks(streets: PreparedNetwork) -> None:
    rows, columns = np.arange(0, 900, 7), np.arange(0, 900, 3)
    one = streets.matrix(rows, columns, threads=1)
    np.testing.assert_array_equal(one, streets.matrix(rows, columns, threads=3))
    for cutoff in (INF, 20.0):
        whole = streets.matrix(rows, columns, cutoff=cutoff)
        room = np.full_like(whole, -1.0)
        for part, block in streets.stream(rows, columns, block=50, cutoff=cutoff):
            room[part] = block
        np.testing.assert_allclose(room, whole, rtol=1e-6)
    out = np.empty_like(one)
    assert streets.matrix(rows, columns, out=out) is out
    np.testing.assert_array_equal(out, one)


def test_one_network_may_be_asked_by_many_at_once(streets: PreparedNetwork) -> None:
    rows, columns = np.arange(0, 900, 7), np.arange(900)
    expected = streets.matrix(rows, columns, cutoff=25.0)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(streets.matrix, rows, columns, cutoff=25.0) for _ in range(12)]
    for one in asked:
        np.testing.assert_array_equal(one.result(), expected)


def test_one_far_source_does_not_mislead() -> None:
    # The first source stands on an island: few nodes are near it, many near the others.
    start, head, cost = grid(40)
    start = np.append(start, start[-1])
    own = prepare(start, head, cost)
    rows = np.concatenate([[1600], np.arange(0, 1600, 40)])
    found, method = own.matrix_explained(rows, np.arange(1601), cutoff=40.0)
    assert method.name == "sweep"
    np.testing.assert_array_equal(np.isfinite(found[0]), np.arange(1601) == 1600)
    np.testing.assert_allclose(
        found, travel_matrix(start, head, cost, rows, np.arange(1601), cutoff=40.0), rtol=1e-5
    )


@pytest.mark.parametrize("cutoff", [1e-200, 1e-20, 1e20, 1e39, 1e300])
def test_extreme_cutoffs(streets: PreparedNetwork, cutoff: float) -> None:
    found = streets.matrix(np.arange(40), np.arange(900), cutoff=cutoff)
    whole = streets.matrix(np.arange(40), np.arange(900))
    np.testing.assert_array_equal(found, np.where(whole.astype(float) <= cutoff, whole, np.inf))


def test_prepared_twice_is_the_same() -> None:
    first, second = (prepare(*grid(20)).hierarchy for _ in range(2))
    assert first is not None
    assert second is not None
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_path_has_the_cost_of_the_matrix(streets: PreparedNetwork) -> None:
    start, head, cost = grid(30)
    arcs = {}
    for v in range(900):
        for e in range(start[v], start[v + 1]):
            arcs[v, int(head[e])] = cost[e]
    for source, target in ((0, 899), (450, 3), (899, 0), (17, 17)):
        way = streets.path(source, target).tolist()
        assert way[0] == source
        assert way[-1] == target
        total = sum(arcs[step] for step in itertools.pairwise(way))
        assert total == pytest.approx(float(streets.matrix([source], [target])[0, 0]), rel=1e-6)


def test_path_to_nowhere_is_empty(small: PreparedNetwork) -> None:
    assert small.path(0, 4).size == 0
    assert small.path(0, 3).tolist() == [0, 1, 2, 3]
    assert small.path(4, 4).tolist() == [4]


def test_a_graph_that_does_not_contract_is_searched() -> None:
    n = 1500
    rng = np.random.default_rng(1)
    tail = np.sort(rng.integers(0, n, 40 * n))
    start = np.concatenate([[0], np.cumsum(np.bincount(tail, minlength=n))])
    head, cost = rng.integers(0, n, tail.size), rng.uniform(1, 2, tail.size)
    own = prepare(start, head, cost)
    assert own.hierarchy is None
    found, method = own.matrix_explained(np.arange(20), np.arange(50))
    assert method.name == "dijkstra"
    np.testing.assert_array_equal(
        found, travel_matrix(start, head, cost, np.arange(20), np.arange(50))
    )
    way = own.path(0, 7)
    assert way[0] == 0
    assert way[-1] == 7
    (_, block), *_ = own.stream(np.arange(20), np.arange(50))
    np.testing.assert_array_equal(block, found)


def test_a_hub_with_very_many_neighbours() -> None:
    leaves = 20_000
    start = np.concatenate([[0, leaves], leaves + 1 + np.arange(leaves)])
    head = np.concatenate([np.arange(1, leaves + 1), np.zeros(leaves, int)])
    star = prepare(start, head, np.ones(2 * leaves))
    assert star.hierarchy is not None
    found = star.matrix(np.arange(1, 100), [0, 1, leaves])
    assert found[0].tolist() == [1, 0, 2]
    assert (found[1:] == [1, 2, 2]).all()


def test_kept_on_disk(streets: PreparedNetwork, tmp_path: Path) -> None:
    file = save_network(streets, tmp_path / "netz.npz")
    first = file.read_bytes()
    back = load_network(file, digest=streets.digest)
    assert back.digest == streets.digest
    rows, columns = np.arange(0, 900, 9), np.arange(900)
    for reverse in (False, True):
        np.testing.assert_array_equal(
            back.matrix(rows, columns, reverse=reverse),
            streets.matrix(rows, columns, reverse=reverse),
        )
    save_network(streets, file)
    assert file.read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == ["netz.npz"]


def test_kept_on_disk_without_hierarchy(tmp_path: Path) -> None:
    plain = prepare(INDPTR, INDICES, WEIGHT)
    bare = PreparedNetwork(plain.arcs, plain.back, None, plain.unit, plain.digest)
    back = load_network(save_network(bare, tmp_path / "n"))
    assert back.hierarchy is None
    np.testing.assert_array_equal(back.matrix(range(5), range(5)), np.array(ALL, np.float32))


def test_a_damaged_or_foreign_file_is_noticed(small: PreparedNetwork, tmp_path: Path) -> None:
    file = save_network(small, tmp_path / "netz.npz")
    good = file.read_bytes()
    with pytest.raises(NotFoundError):
        load_network(tmp_path / "none.npz")
    with pytest.raises(StoredNetworkError, match="another graph"):
        load_network(file, digest="0" * 40)
    for bad in (b"", b"text", good[: len(good) // 2], good[:-30]):
        file.write_bytes(bad)
        with pytest.raises(StoredNetworkError, match="prepare the network again"):
            load_network(file)
    rng = np.random.default_rng(0)
    survived = 0
    for at in rng.choice(len(good), 150, replace=False):
        bad = bytearray(good)
        bad[at] ^= 0x55
        file.write_bytes(bytes(bad))
        try:
            again = load_network(file)
        except StoredNetworkError:
            continue
        survived += 1  # some bytes of a zip file mean nothing
        np.testing.assert_array_equal(again.matrix(range(5), range(5)), np.array(ALL, np.float32))
    assert survived < 75
    with zipfile.ZipFile(file, "w") as foreign:
        foreign.writestr("head.npy", b"\x93NUMPY")
    with pytest.raises(StoredNetworkError):
        load_network(file)
    np.savez(file, head=np.arange(5, dtype=np.uint8))
    with pytest.raises(StoredNetworkError):
        load_network(file)


def test_a_forged_file_cannot_lead_compiled_code_astray(
    small: PreparedNetwork, tmp_path: Path
) -> None:
    built = small.hierarchy
    assert built is not None
    forged = built._replace(down_node=built.down_node + 1_000_000)
    wrong = PreparedNetwork(small.arcs, small.back, forged, small.unit, small.digest)
    file = save_network(wrong, tmp_path / "forged.npz")
    with pytest.raises(StoredNetworkError, match="no network"):
        load_network(file)


def test_nothing_is_left_behind_when_saving_fails(small: PreparedNetwork, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        save_network(small, tmp_path / "folder")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_importing_compiles_nothing() -> None:
    code = (
        "from catchment.network import shortest, contraction, hierarchy, sweep, dijkstra, arcs\n"
        "from numba.core.dispatcher import Dispatcher\n"
        "for module in (contraction, hierarchy, sweep, dijkstra, arcs):\n"
        "    for thing in vars(module).values():\n"
        "        assert not isinstance(thing, Dispatcher) or not thing.signatures, thing\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
