"""Areas (片区): one central school each, the villages around it, connected."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.errors import InputError
from catchment.optimise.consolidation import SMALL
from catchment.optimise.siting import p_median
from catchment.problem import Bool, Int32, Problem
from catchment.region.model import Region
from catchment.run.model import names_of_sites

FAR = 600.0
"""Minutes that stand for a trip that cannot be made."""


@dataclass(frozen=True)
class Areas:
    """Areas of a county.

    Attributes
    ----------
    central : tuple of int
        Position of the central school of each area, -1 where the county names none.
    names : tuple of str
        Names of the areas.
    of_village : (v,) int32
        Area of each village, -1 for none.
    minutes : float
        Mean minutes of today's students to their central school; nan for areas of the county.
    bound : float
        Least mean minutes that any choice of as many central schools can reach, whether the areas
        are connected or not; nan for areas of the county.
    """

    central: tuple[int, ...]
    names: tuple[str, ...]
    of_village: Int32
    minutes: float
    bound: float

    def allowed(self, problem: Problem) -> Bool:
        """Sites to which each village-band may move: those of its area.

        Parameters
        ----------
        problem : Problem
            The question's arrays.

        Returns
        -------
        (n, m) bool
            True within the area; everything for villages without one.
        """
        site_area = self.of_village[problem.home]
        mine = self.of_village[problem.group_village]
        return np.asarray((mine[:, None] == site_area[None, :]) | (mine[:, None] < 0), dtype=bool)


def draw_areas(
    problem: Problem,
    region: Region,
    count: int,
    *,
    small: Bool,
    time_limit: float = 30.0,
    seed: int = 0,
) -> Areas:
    """Choose central schools and group the villages around them, every area connected.

    Central schools are working schools that are not small and teach several bands, all they can; those
    are chosen whose distance to all students is least (p-median, with a proved bound). Each area
    then grows from its school's own village to neighbouring villages, the nearest first.

    Parameters
    ----------
    problem : Problem
        The question's arrays.
    region : Region
        The county.
    count : int
        Areas.
    small : (m,) bool
        Schools too small to be central.
    time_limit : float
        Seconds for the choice.
    seed : int
        Seed of the choice.

    Returns
    -------
    Areas
        The areas; a village that no neighbour connects to any area goes with the nearest.

    Raises
    ------
    InputError
        When there are fewer schools than areas.
    """
    several = problem.today_open.sum(axis=1) >= min(2, len(problem.bands))
    fit = several & (problem.today_open == problem.can_host).all(axis=1) & ~small
    # Two central schools in one village would leave one of them without an area of its own.
    first = np.zeros_like(fit)
    first[np.unique(np.where(fit, problem.home, -1), return_index=True)[1]] = True
    fit &= first
    most = int(fit.sum())
    if not most:
        raise InputError(
            f"没有学校可作中心校（满 {SMALL} 人、学段齐全、各在一村），不能划分片区；可用 --areas 0 采用县里的片区 / no "
            "school is fit to be central (100 students or more, all its bands), so that no areas can "
            "be drawn; --areas 0 takes the county's own"
        )
    if not 1 <= count <= most:
        raise InputError(
            f"片区数 {count} 应为 1–{most}（可作中心校的学校数） / areas must be from 1 to {most}, the schools fit "
            "to be central"
        )
    minutes = _village_minutes(problem)
    weight = np.zeros(len(minutes))
    np.add.at(weight, problem.group_village, problem.demand()[:, 0])
    chosen = p_median(minutes, weight, count, forbidden=~fit, time_limit=time_limit, seed=seed)
    central = np.flatnonzero(chosen.open)
    of_village = _grown(problem, minutes[:, central], problem.home[central])
    students = max(float(weight.sum()), 1.0)
    mean = float(weight @ minutes[np.arange(len(minutes)), central[of_village]]) / students
    names = names_of_sites(region)
    return Areas(
        central=tuple(int(j) for j in central),
        names=tuple(f"{names.get(problem.site_ids[j], problem.site_ids[j])}片区" for j in central),
        of_village=of_village,
        minutes=mean,
        bound=float(chosen.bound) / students,
    )


def given_areas(problem: Problem, region: Region) -> Areas:
    """Areas as the county's villages name them.

    Parameters
    ----------
    problem : Problem
        The question's arrays.
    region : Region
        The county.

    Returns
    -------
    Areas
        The county's areas.

    Raises
    ------
    InputError
        When no village names an area.
    """
    table = region.villages.set_index(region.villages["village_id"].astype(str))
    told = pd.Series(dtype=object)
    if "area_id" in table.columns:
        written = table["area_id"].astype("string").str.strip()
        told = written[written.fillna("") != ""]
    if told.empty:
        raise InputError(
            "村庄表没有片区代码（area_id）；请填写，或用 --areas 数目 由程序划分 / villages name no area; fill "
            "in area_id or let --areas N draw them"
        )
    told = told.reindex(list(problem.village_ids))
    codes = sorted({str(a) for a in told.dropna()})
    place = {code: k for k, code in enumerate(codes)}
    of_village = np.array([-1 if pd.isna(a) else place[str(a)] for a in told], dtype=np.int32)
    names, central = dict.fromkeys(codes, ""), dict.fromkeys(codes, -1)
    sites = {code: j for j, code in enumerate(problem.site_ids)}
    for row in region.areas.to_dict("records"):
        code = str(row["area_id"])
        if code in place:
            names[code] = str(row.get("name") or code)
            central[code] = sites.get(str(row.get("central_school_id")), -1)
    nan = float("nan")
    return Areas(
        tuple(central[c] for c in codes), tuple(names[c] or c for c in codes), of_village, nan, nan
    )


def areas_table(areas: Areas, problem: Problem, region: Region) -> pd.DataFrame:
    """Villages with their areas.

    Parameters
    ----------
    areas : Areas
        The areas.
    problem : Problem
        The question's arrays.
    region : Region
        The county.

    Returns
    -------
    DataFrame
        ``village_id, village, township, area, central_school, students_today``, in order of area.
    """
    table = region.villages.set_index(region.villages["village_id"].astype(str))
    students = np.bincount(
        problem.group_village, problem.demand()[:, 0], minlength=len(problem.village_ids)
    )
    rows: list[dict[str, Any]] = []
    for v, code in enumerate(problem.village_ids):
        k = int(areas.of_village[v])
        j = areas.central[k] if k >= 0 else -1
        rows.append(
            {
                "village_id": code,
                "village": str(table["name"][code]),
                "township": str(table["township"][code]),
                "area": areas.names[k] if k >= 0 else "",
                "central_school": problem.site_ids[j] if j >= 0 else "",
                "students_today": int(students[v]),
            }
        )
    return pd.DataFrame(rows).sort_values(["area", "village_id"], kind="stable", ignore_index=True)


def _village_minutes(problem: Problem) -> npt.NDArray[np.float64]:
    """Minutes of each village to each site, the longest of its bands; :data:`FAR` for no way."""
    minutes = problem.minutes[int(problem.network[0])].astype(np.float64)
    minutes = np.where(np.isfinite(minutes), minutes, FAR)
    out = np.zeros((len(problem.village_ids), minutes.shape[1]))
    np.maximum.at(out, problem.group_village, minutes)
    return out


def _grown(problem: Problem, minutes: npt.NDArray[np.float64], home: Int32) -> Int32:
    """Let areas grow from village to neighbouring village, the village nearest to its school first."""
    area = np.full(len(minutes), -1, dtype=np.int32)
    graph = problem.neighbours.tocsr()
    queue = [(0.0, k, int(v)) for k, v in enumerate(home)]
    heapq.heapify(queue)
    while queue:
        _, k, v = heapq.heappop(queue)
        if area[v] >= 0:
            continue
        area[v] = k
        for w in graph.indices[graph.indptr[v] : graph.indptr[v + 1]]:
            if area[w] < 0:
                heapq.heappush(queue, (float(minutes[w, k]), k, int(w)))
    lost = area < 0
    area[lost] = minutes[lost].argmin(axis=1)
    return area
