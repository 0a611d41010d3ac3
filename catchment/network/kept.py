"""What was reckoned once, kept for the next time: road networks and the searches made on them.

Everything kept is named by a digest of all that it depends on, so that nothing out of date is ever
found; what is found is proved whole by a checksum before it is used. Students' points are never
kept.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment import __version__
from catchment.files import write_atomically
from catchment.network.arcs import check_arcs
from catchment.network.graph import RoadNetwork, lengths
from catchment.network.journey import door_to_door
from catchment.network.load import load_network, roads_bounds
from catchment.network.modes import Modes, modes_of
from catchment.network.prepared import PreparedNetwork
from catchment.network.roads import RoadClass, road_classes_of
from catchment.network.shortest import StoredNetworkError, prepare, save_network
from catchment.network.shortest import load_network as load_prepared
from catchment.network.snap import Attachments
from catchment.network.stored import DAMAGED, digest_arcs, digest_arrays
from catchment.region.model import Region

# Raised whenever the same question would be answered or stored differently.
FORMAT = "catchment kept 1"
_GROUPS = 8
_GRAPHS = 4  # prepared networks held at once: a county has one on foot and one for vehicles
_TEXTS = ("classes", "names", "notes")

_Floats = npt.NDArray[np.float64]
_Columns = dict[str, tuple[_Floats, _Floats]]


class Kept:
    """A memory of networks and searches, in a folder if one is given.

    Answers are the same, bit for bit, as without it. A file that is damaged, foreign or cannot be
    written is told in ``notes`` and reckoned anew.

    Parameters
    ----------
    folder : Path, optional
        Folder to keep files in, made if need be; nothing outlives the object when left out.

    Attributes
    ----------
    notes : list of str
        For people: what could not be used or kept.
    searched, remembered : int
        Sites searched for and sites found in memory, by every means of travel.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.notes: list[str] = []
        self.searched = 0
        self.remembered = 0
        self._groups: OrderedDict[str, _Columns] = OrderedDict()
        self._prepared: OrderedDict[str, PreparedNetwork] = OrderedDict()

    def network(
        self,
        region: Region,
        *,
        modes: Modes | None = None,
        classes: tuple[RoadClass, ...] | None = None,
    ) -> RoadNetwork:
        """Return the roads of a region, read anew only where something changed.

        Parameters
        ----------
        region : Region
            County.
        modes : Modes, optional
            Settings; the shipped or the county's own when left out.
        classes : tuple of RoadClass, optional
            Table of classes; the shipped or the county's own when left out.

        Returns
        -------
        RoadNetwork
            As of ``load_network``.

        Raises
        ------
        InputError
            As ``load_network``.
        """
        settings = modes if modes is not None else modes_of(region)
        table = classes if classes is not None else road_classes_of(region)
        key = _network_key(region, settings, table)
        name = f"network-{key[:24]}.npz"
        found = self._read(name, key)
        if found is not None:
            try:
                return _network_of(*found)
            except DAMAGED:
                self._damaged(name)
        network = load_network(region, modes=settings, classes=table)
        arrays, texts = _parts_of(network)
        self._write(name, key, arrays, texts)
        return network

    def door_to_door(
        self,
        network: RoadNetwork,
        forward: _Floats,
        backward: _Floats,
        at: Attachments,
        homes: slice,
        places: slice,
        metres: bool,
    ) -> tuple[_Floats, _Floats]:
        """Search as ``door_to_door`` of ``journey`` does, but for sites searched for before.

        What was found holds for the same roads, costs and homes: another site is searched for
        alone, a closed school not at all, and a changed road means a new search by the means of
        travel that feel it.

        Parameters
        ----------
        network, forward, backward, at, homes, places, metres
            As of ``door_to_door``. Minutes without metres come from the kernel and are not kept.

        Returns
        -------
        cost, metres : (n, m) float64
            As of ``door_to_door``.
        """
        if not metres:
            return door_to_door(network, forward, backward, at, homes, places, metres)
        group = _group_key(network, forward, backward, at, homes)
        known = self._group(group)
        keys = [
            f"{int(s)}:{float(f).hex()}"
            for s, f in zip(at.segment[places], at.fraction[places], strict=True)
        ]
        missing = sorted(set(keys) - known.keys())
        self.searched += len(missing)
        self.remembered += len(keys) - sum(key in missing for key in keys)
        start = range(*homes.indices(len(at.segment)))
        if missing:
            first = {key: k for k, key in reversed(list(enumerate(keys)))}
            offset = range(*places.indices(len(at.segment)))
            which = np.array([*start, *(offset[first[key]] for key in missing)], dtype=np.int64)
            n = len(start)
            cost, path = door_to_door(
                network, forward, backward, _taken(at, which), slice(0, n), slice(n, None), True,
                prepare=self.prepared,
            )  # fmt: skip
            for k, key in enumerate(missing):
                known[key] = (cost[:, k].copy(), path[:, k].copy())
            batch = hashlib.sha256(json.dumps(missing).encode()).hexdigest()
            self._write(
                f"trips-{group[:24]}-{batch[:12]}.npz", group,
                {"cost": cost.T.copy(), "metres": path.T.copy()}, {"columns": missing},
            )  # fmt: skip
        shape = (len(start), len(keys))
        cost, path = np.full(shape, np.inf), np.full(shape, np.inf)
        for k, key in enumerate(keys):
            cost[:, k], path[:, k] = known[key]
        return cost, path

    def prepared(
        self, indptr: npt.ArrayLike, indices: npt.ArrayLike, weight: npt.ArrayLike
    ) -> PreparedNetwork:
        """Return a graph prepared for many questions, prepared anew only if it changed.

        Parameters
        ----------
        indptr, indices, weight : array_like
            Graph as of ``prepare``.

        Returns
        -------
        PreparedNetwork
            As of ``prepare``.

        Raises
        ------
        InputError
            As ``prepare``.
        """
        digest = digest_arcs(check_arcs(indptr, indices, weight))
        if digest in self._prepared:
            return self._prepared[digest]
        file = None if self.folder is None else self.folder / f"graph-{digest[:24]}.npz"
        network = self._stored(file, digest)
        if network is None:
            network = prepare(indptr, indices, weight)
            if file is not None:
                try:
                    file.parent.mkdir(parents=True, exist_ok=True)
                    save_network(network, file)
                except OSError as fault:
                    self._not_kept(fault)
        self._prepared[digest] = network
        while len(self._prepared) > _GRAPHS:
            self._prepared.popitem(last=False)
        return network

    def _stored(self, file: Path | None, digest: str) -> PreparedNetwork | None:
        if file is None or not file.is_file():
            return None
        try:
            return load_prepared(file, digest=digest)
        except (StoredNetworkError, OSError):
            self._damaged(file.name)
            return None

    def _group(self, group: str) -> _Columns:
        """Columns known of one search, from memory, else from all its files."""
        if group in self._groups:
            self._groups.move_to_end(group)
            return self._groups[group]
        known: _Columns = {}
        held = sorted(self.folder.glob(f"trips-{group[:24]}-*.npz")) if self.folder else []
        for file in held:
            found = self._read(file.name, group)
            if found is None:
                continue
            arrays, texts = found
            try:
                cost, path, columns = arrays["cost"], arrays["metres"], texts["columns"]
                if not cost.shape == path.shape or len(columns) != len(cost):
                    raise ValueError("columns")
                known |= {key: (cost[k], path[k]) for k, key in enumerate(columns)}
            except DAMAGED:
                self._damaged(file.name)
        self._groups[group] = known
        while len(self._groups) > _GROUPS:
            self._groups.popitem(last=False)
        return known

    def _read(self, name: str, key: str) -> tuple[dict[str, Any], dict[str, list[str]]] | None:
        if self.folder is None or not (self.folder / name).is_file():
            return None
        try:
            # numpy leaves a file open that it was told to open itself and cannot read.
            with (
                (self.folder / name).open("rb") as stream,
                np.load(stream, allow_pickle=False) as file,
            ):
                arrays = {part: file[part] for part in file.files}
            whole, text = bytes(arrays.pop("seal")).decode("utf-8").split(" ", 1)
            head = json.loads(text)
            if head["format"] != FORMAT or head["key"] != key:
                raise ValueError("foreign")
            if digest_arrays(arrays, text) != whole:
                raise ValueError("checksum")
        except DAMAGED:
            self._damaged(name)
            return None
        return arrays, head["texts"]

    def _write(
        self, name: str, key: str, arrays: dict[str, Any], texts: Mapping[str, list[str]]
    ) -> None:
        if self.folder is None:
            return
        head = {"format": FORMAT, "key": key, "texts": dict(texts)}
        text = json.dumps(head, sort_keys=True, ensure_ascii=False)
        sealed = np.frombuffer(f"{digest_arrays(arrays, text)} {text}".encode(), np.uint8)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(
                self.folder / name,
                lambda file: np.savez(file, allow_pickle=False, seal=sealed, **arrays),
            )
        except OSError as fault:
            self._not_kept(fault)

    def _damaged(self, name: str) -> None:
        self.notes.append(
            f"缓存文件 {name} 损坏或不是本程序所写，已重新计算 / the cache file {name} is damaged or "
            "foreign; reckoned anew"
        )

    def _not_kept(self, fault: OSError) -> None:
        self.notes.append(
            f"缓存无法写入（{fault.strerror}），结果不受影响 / the cache could not be written "
            f"({fault.strerror}); results are not affected"
        )


def _versions() -> dict[str, str]:
    """Return what may change the last bit of an answer."""
    names = ("numpy", "scipy", "shapely", "pyproj", "osmium", "osmnx", "geopandas", "rasterio",
             "pandas", "numba")  # fmt: skip
    own = {"catchment": __version__, "code": _code()}
    return {**own, **{name: version(name) for name in names}}


@functools.cache
def _code() -> str:
    """Digest this room: a changed program does not take its old answers for new ones."""
    total = hashlib.sha256()
    for file in sorted(files("catchment.network").iterdir(), key=lambda f: f.name):
        if file.name.endswith((".py", ".csv")):
            total.update(file.name.encode() + file.read_bytes())
    return total.hexdigest()


def _network_key(region: Region, modes: Modes, classes: tuple[RoadClass, ...]) -> str:
    file = region.road_file
    facts: dict[str, Any] = {
        "format": FORMAT,
        "versions": _versions(),
        "crs": region.crs.to_wkt(),
        "modes": dataclasses.asdict(modes),
        "classes": [dataclasses.asdict(item) for item in classes],
        "bounds": roads_bounds(region),
        "suffix": file.suffix.lower() if file is not None else "",
        "roads": _file_digest(file) if file is not None else _layer_digest(region.roads),
    }
    arrays: dict[str, Any] = {}
    if region.elevation is not None:
        arrays["heights"] = region.elevation.heights
        facts["elevation"] = [list(region.elevation.transform), str(region.elevation.crs)]
    return digest_arrays(arrays, json.dumps(facts, sort_keys=True))


def _file_digest(file: Path) -> str:
    if not file.is_file():
        return ""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _layer_digest(layer: gpd.GeoDataFrame) -> str:
    total = hashlib.sha256(str(layer.crs).encode())
    for shape in layer.geometry.to_wkb():
        total.update(shape if isinstance(shape, bytes) else b"-")
    table = pd.DataFrame(layer.drop(columns=layer.geometry.name))
    for column in table.columns:
        cells = [None if pd.isna(v) is True else repr(v) for v in table[column]]
        total.update(json.dumps([str(column), cells]).encode())
    return total.hexdigest()


def _group_key(
    network: RoadNetwork, forward: _Floats, backward: _Floats, at: Attachments, homes: slice
) -> str:
    return digest_arrays(
        {
            "nodes": np.array([len(network.x)]),
            "tail": network.tail,
            "head": network.head,
            "length": lengths(network),
            "forward": forward,
            "backward": backward,
            "segment": at.segment[homes],
            "fraction": at.fraction[homes],
        },
        json.dumps([FORMAT, _versions()], sort_keys=True),
    )


def _taken(at: Attachments, which: npt.NDArray[np.int64]) -> Attachments:
    return Attachments(*(getattr(at, f.name)[which] for f in dataclasses.fields(at)))


def _parts_of(network: RoadNetwork) -> tuple[dict[str, Any], dict[str, list[str]]]:
    names = [field.name for field in dataclasses.fields(network)]
    return (
        {name: getattr(network, name) for name in names if name not in _TEXTS},
        {name: list(getattr(network, name)) for name in _TEXTS},
    )


def _network_of(arrays: Mapping[str, Any], texts: Mapping[str, list[str]]) -> RoadNetwork:
    """Make the network, with positions checked before anything follows them."""
    named: dict[str, Any] = {name: tuple(texts[name]) for name in _TEXTS}
    network = RoadNetwork(**arrays, **named)
    k, e = len(network.x), len(network.tail)
    per_segment = ("head", "length", "road_class", "walk", "drive_forward", "drive_backward",
                   "hazard", "maxspeed", "climb", "names")  # fmt: skip
    ends = np.concatenate([network.tail, network.head, [0]])
    if (
        len(network.y) != k
        or any(len(getattr(network, name)) != e for name in per_segment)
        or any(len(arrays[n]) not in (0, e) for n in ("bridge", "walk_factor_forward"))
        or (e and not (ends.min() >= 0 and ends.max() < k))
        or len(network.offsets) != e + 1
        or network.offsets[-1] != len(network.shape)
        or (np.diff(network.offsets) < 0).any()
        or (e and not (network.road_class.min() >= 0
                       and network.road_class.max() < len(network.classes)))
    ):  # fmt: skip
        raise ValueError("network")
    return network
