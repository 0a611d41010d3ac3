"""The question: which village-bands go to which site, as frozen arrays.

The kernel sees only this; ids are carried along for words, never used to compute.
Sizes: v villages, b bands, n groups (village x band), m sites, g grades, t years,
w road networks (more than one only where a scenario changes roads).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

Bool = npt.NDArray[np.bool_]
Int8 = npt.NDArray[np.int8]
Int32 = npt.NDArray[np.int32]
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Problem:
    """Frozen arrays of one planning question.

    Attributes
    ----------
    village_ids : tuple of str
        (v) codes of the villages.
    site_ids : tuple of str
        (m) codes of schools (existing or closed) and candidate sites.
    bands : tuple of str
        (b) codes of the bands.
    grades : tuple of int
        (g) grades in order.
    grade_band : (g,) int8
        Position of the band of each grade.
    years : tuple of int
        (t) school years in order; the first is today.
    group_village : (n,) int32
        Village of each group; groups are ordered by village, then band, and hold every pair.
    group_band : (n,) int8
        Band of each group.
    students : (n, g, t) int32
        Students of the group by grade and year; zero for grades outside the group's band.
    estimated : (v, t) bool
        Whether the village's figures of the year are estimates.
    modes : tuple of str
        Names of travel modes, for ``mode``.
    minutes : (w, n, m) float32
        Door-to-door one-way minutes by the best allowed mode; inf where there is none.
    metres : (w, n, m) float32
        Metres of that trip; inf where there is none.
    mode : (w, n, m) int8
        Mode of that trip, -1 where there is none.
    network : (t,) int32
        Which road network holds in each year.
    rooms : (m, t) int32
        Classrooms usable in each year.
    beds, dining_seats : (m, t) int32
        Beds and dining seats; -1 where unknown.
    class_size : (m, g) int32
        Most students in a standard class, by site and grade.
    neighbours : csr_matrix of bool
        (v, v) villages whose cells touch.
    home : (m,) int32
        Village a site stands in (nearest village point).
    existing : (m,) bool
        Whether the site is a working school today.
    today_open : (m, b) bool
        Bands taught at each site today.
    can_host : (m, b) bool
        Bands a site can host at all.
    must_open, must_close : (m, b, t) bool
        What the scenario's actions demand.
    today : (n,) int32
        Site each group goes to today, -1 where unknown.
    fixed_site : (n, t) int32
        Site a group must go to (merged into), -1 where free.
    trip_limit : (b,) float32
        Minutes beyond which a daily trip is over the limit.
    nap_places : (m, t) int32 or None
        Nap places (午休位), -1 where unknown; None where nothing is known of any site.
    daily_mode : (w, n, m) int8 or None
        Mode of the daily trip where nobody boards: what is left in a year without beds.
    """

    village_ids: tuple[str, ...]
    site_ids: tuple[str, ...]
    bands: tuple[str, ...]
    grades: tuple[int, ...]
    grade_band: Int8
    years: tuple[int, ...]
    group_village: Int32
    group_band: Int8
    students: Int32
    estimated: Bool
    modes: tuple[str, ...]
    minutes: Float32
    metres: Float32
    mode: Int8
    network: Int32
    rooms: Int32
    beds: Int32
    dining_seats: Int32
    class_size: Int32
    neighbours: csr_matrix
    home: Int32
    existing: Bool
    today_open: Bool
    can_host: Bool
    must_open: Bool
    must_close: Bool
    today: Int32
    fixed_site: Int32
    trip_limit: Float32
    daily_mode: Int8 | None = None
    nap_places: Int32 | None = None

    def replace(self, **changes: Any) -> Problem:
        """Return a copy with some arrays replaced; the original is untouched.

        Parameters
        ----------
        **changes
            Attributes and their new values.

        Returns
        -------
        Problem
            The changed copy.
        """
        return dataclasses.replace(self, **changes)

    def demand(self) -> Int32:
        """Students of each group in each year.

        Returns
        -------
        (n, t) int32
            Sum over grades.
        """
        total: Int32 = self.students.sum(axis=1, dtype=np.int32)
        return total
