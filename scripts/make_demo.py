"""Make the demo county: invented villages, schools, children, roads and terrain, with a fixed seed.

Every name and figure is made up. The same seed gives the same bytes::

    python scripts/make_demo.py
    python scripts/make_demo.py --out elsewhere --seed 7
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from demo_county import files, recipes, registers, roads, schooling, settlements, terrain

SEED = 7


def make(out: Path, seed: int = SEED) -> list[str]:
    """Make the county and write its folder.

    Parameters
    ----------
    out : Path
        The region's folder; made when absent.
    seed : int
        Seed of everything left to chance.

    Returns
    -------
    list of str
        The county's main figures, a line each.
    """
    names = settlements.read_names()
    chance = np.random.default_rng(seed).spawn(5)
    land = terrain.build(chance[0])
    county = settlements.settle(chance[1], land, names)
    county, people = schooling.educate(chance[2], county, names)
    streets = names["town"]["streets"]
    ways = roads.ways(county.grid, [v.cell for v in county.villages], streets[8:10])
    files.write_all(out, chance[3], county, people, ways, names)
    registers.write(out, chance[4], county, people, names["note"])
    recipes.write(out / "scenarios", county, people, names)
    return _figures(county, people, ways)


def _figures(
    county: settlements.County, people: schooling.Schooling, ways: list[roads.Way]
) -> list[str]:
    roles = Counter(s.role for s in people.schools if not s.closed)
    closed = sum(s.closed for s in people.schools)
    sizes = [n for group in people.classes.values() for n in group]
    small = Counter[int]()
    for (j, _), group in people.classes.items():
        small[j] += sum(group)
    km: dict[str, float] = {}
    for way in ways:
        road = way.tags["highway"]
        km[road] = km.get(road, 0.0) + float(np.hypot(*np.diff(way.points, axis=0).T).sum() / 1000)
    by_year = people.children.sum(axis=(0, 1))
    kinds = Counter(v.kind for v in county.villages)
    few, tiny = (sum(n < limit for n in small.values()) for limit in (30, 10))
    over, large, huge = (sum(n >= limit for n in sizes) for limit in (46, 56, 66))
    uncounted, residents = int((~people.counted).sum()), int(people.population.sum())
    return [
        f"villages {len(county.villages)} in {len(county.townships)} townships: {_list(kinds)}",
        f"uncounted villages {uncounted}; residents {residents}",
        f"schools {_list(roles)}; closed {closed}; under 30 students {few}, under 10 {tiny}",
        f"students {_list(dict(zip(schooling.YEARS, by_year.tolist(), strict=True)))}",
        f"classes {len(sizes)}: over 45 {over}, 56 and more {large}, 66 and more {huge}",
        f"roads {sum(km.values()):.0f} km: {_list({k: round(v) for k, v in km.items()})}",
    ]


def _list(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{key} {count}" for key, count in sorted(counts.items()))


def main() -> None:
    """Read the command line, make the county, print its figures."""
    root = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description="Make the invented demo county.")
    parser.add_argument("--out", type=Path, default=root / "data" / "demo")
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    for line in make(given.out, given.seed):
        print(line)
    size = sum(p.stat().st_size for p in given.out.rglob("*") if p.is_file())
    print(f"size {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
