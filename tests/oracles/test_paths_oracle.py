"""Minutes and metres of whole counties against scipy's search, as the first engine made them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp
from scipy.sparse import csgraph

from catchment.network import journey
from catchment.network.arcs import Arcs
from catchment.network.load import load_network
from catchment.network.prepared import PreparedNetwork
from catchment.network.shortest import prepare
from catchment.network.travel import travel_times
from catchment.region.model import Region
from catchment.region.read import read_region
from tests.cases.real_regions import CASES, write_rutland, write_taitung

DEMO = Path(__file__).resolve().parents[2] / "data" / "demo"


def by_scipy(
    graph: Arcs | PreparedNetwork,
    measure: npt.NDArray[np.float64],
    sources: npt.NDArray[np.int64],
    targets: npt.NDArray[np.int64],
    *,
    reverse: bool,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Costs of scipy's Dijkstra, and metres walked back along its predecessors."""
    assert reverse
    arcs = graph.arcs if isinstance(graph, PreparedNetwork) else graph
    k = arcs.nodes
    cost, path = (np.full((len(sources), len(targets)), np.inf) for _ in range(2))
    if not len(sources) or not len(targets):
        return cost, path
    tails = np.repeat(np.arange(k), np.diff(arcs.start))
    metres = {(int(t), int(h)): m for t, h, m in zip(tails, arcs.head, measure, strict=True)}
    turned = sp.csr_matrix((arcs.cost, (arcs.head, tails)), shape=(k, k))
    for i, source in enumerate(sources):
        far, onward = csgraph.dijkstra(turned, indices=int(source), return_predecessors=True)
        cost[i] = far[targets]
        known = {int(source): 0.0}
        for j in np.flatnonzero(np.isfinite(cost[i])):
            chain, at = [], int(targets[j])
            while at not in known:
                chain.append(at)
                at = int(onward[at])
            for node in reversed(chain):
                known[node] = known[int(onward[node])] + metres[node, int(onward[node])]
            path[i, j] = known[int(targets[j])]
    return cost, path


def county(name: str, folder: Path) -> Region:
    if name == "demo":
        return read_region(DEMO)
    if not CASES.is_dir():
        pytest.skip("the real cases lie beside the project and are not here")
    return read_region({"rutland": write_rutland, "taitung": write_taitung}[name](folder))


@pytest.mark.parametrize(
    "name",
    ["demo", *(pytest.param(k, marks=pytest.mark.shared) for k in ("rutland", "taitung"))],
)
def test_counties_have_the_minutes_and_metres_of_the_first_engine(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    region = county(name, tmp_path / name)
    network = load_network(region)

    def swept(*args: Any, **_: Any) -> Any:
        # Whatever its size, the network is prepared and swept.
        return journey.door_to_door(*args, prepare=prepare, prepare_from=0)

    plain = travel_times(region, network)
    monkeypatch.setattr(journey, "_PREPARE_NODES", 0)
    prepared = travel_times(region, network, search=swept)
    monkeypatch.setattr(journey, "cost_and_measure", by_scipy)
    first = travel_times(region, network)
    assert np.isfinite(first.minutes).any()
    for times in (plain, prepared):
        np.testing.assert_array_equal(times.minutes, first.minutes)
        # Sums of metres are grouped otherwise: a tenth of a millimetre in a hundred kilometres.
        np.testing.assert_allclose(times.metres, first.metres, rtol=2e-7)
