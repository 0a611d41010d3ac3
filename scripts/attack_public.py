"""Attack the public files of made-up counties with few students, in every cell and year.

Usage: .venv/bin/python scripts/attack_public.py FIRST LAST

For every seed from FIRST to LAST - 1 two runs of one county are published together; every village
kept back, every village-band and every village below the limit is solved for. Prints a line a seed
and, at the end, how many cells were tried and how many were narrower than the limit.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from catchment.views import charts
from tests.views.attack import attack
from tests.views.poor_run import counted, poor_run
from tests.views.shared_run import shared_run

SHARES = (1.0, 0.5, 0.25, 0.12)
MOST = 400
"""Cells tried of a kind and seed; spread evenly where there are more."""


def main() -> int:
    """Attack county after county."""
    first, last = int(sys.argv[1]), int(sys.argv[2])
    out = io.BytesIO()
    Image.new("RGB", (60, 50)).save(out, "png")
    # Pictures hold no number of students, and take most of the time.
    charts.county_map = lambda *_, **__: out.getvalue()
    charts.years_chart = lambda *_, **__: out.getvalue()
    tried = narrow = 0
    for seed in range(first, last):
        villages = int(np.random.default_rng(seed).choice([54, 60, 80, 120]))
        share = SHARES[seed % len(SHARES)]
        if seed % 5 == 4:
            runs = [counted(shared_run(villages))]
        else:
            runs = [poor_run(villages, seed, share, variant=k) for k in range(2)]
        told = attack(runs, insider=seed % 2 == 1)
        wanted = list(told.hidden)
        for cells in (told.small(), told.small_villages(runs[0].problem)):
            wanted += cells[:: max(1, len(cells) // MOST)]
        found = told.narrow(wanted)
        tried, narrow = tried + len(wanted), narrow + len(found)
        print(f"seed {seed}: {villages} villages, share {share}, {len(runs)} runs, "
              f"{len(wanted)} cells, {len(found)} narrow {found[:3]}", flush=True)  # fmt: skip
    print(f"{last - first} counties, {tried} cells, {narrow} narrower than the limit")
    return 1 if narrow else 0


if __name__ == "__main__":
    raise SystemExit(main())
