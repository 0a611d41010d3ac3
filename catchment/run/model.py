"""Run: everything there is to show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import pandas as pd

from catchment.network.graph import RoadNetwork
from catchment.network.travel import TravelTimes
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.region.model import Region


@dataclass(frozen=True)
class Run:
    """Everything there is to show of one run.

    Attributes
    ----------
    name : str
        Name of the scenario.
    scenario : dict
        The recipe as read (plain values).
    region : Region
        The county as it is today.
    network : RoadNetwork
        Roads of today.
    times : TravelTimes
        Travel times of today's roads, sites of the scenario included.
    problem : Problem
        The question.
    today : Plan
        Today's arrangement carried through the years unchanged.
    plan : Plan
        The proposal.
    indicators : DataFrame
        ``indicator, unit, scope, id, year, value, plan`` (``plan`` is ``today`` or ``plan``).
    findings : DataFrame
        ``code, title, place, year, value, limit, excess, unit, severity, result, citation, ...``.
    ledger : DataFrame
        Large-class ledger.
    catchments : GeoDataFrame
        Polygons: ``plan, site_id, band, year, villages, students, pieces, geometry``.
    conservation : DataFrame
        ``year, students_in, served, unserved, rejected``.
    explanations : DataFrame
        One row a village-band whose school changes: before, after, minutes, reason.
    provenance : dict
        Digest of every input, versions, seed.
    base : Problem or None
        The question of today's arrangement: the same sites and students, today's rooms, beds and
        roads in every year.
    checks : DataFrame
        What the independent check of the plan found (:func:`catchment.verify.fault_table`).
    notes : tuple of str
        What reading, counting and routing had to assume, for people.
    why : DataFrame
        One row a village, band and year: why this school and not the nearest
        (:func:`catchment.run.why.why_villages`).
    prices : DataFrame
        One row a school, band and year: which limit binds, and the price of one more place
        (:func:`catchment.run.why.why_schools`).
    """

    name: str
    scenario: dict[str, Any]
    region: Region
    network: RoadNetwork
    times: TravelTimes
    problem: Problem
    today: Plan
    plan: Plan
    indicators: pd.DataFrame
    findings: pd.DataFrame
    ledger: pd.DataFrame
    catchments: gpd.GeoDataFrame
    conservation: pd.DataFrame
    explanations: pd.DataFrame
    provenance: dict[str, Any] = field(default_factory=dict)
    base: Problem | None = None
    checks: pd.DataFrame = field(default_factory=pd.DataFrame)
    notes: tuple[str, ...] = ()
    why: pd.DataFrame = field(default_factory=pd.DataFrame)
    prices: pd.DataFrame = field(default_factory=pd.DataFrame)

    def problem_of(self, which: str) -> Problem:
        """Return the question that a plan answers.

        Parameters
        ----------
        which : {"today", "plan"}
            Today's arrangement or the proposal.

        Returns
        -------
        Problem
            Today's rooms and roads for ``today``, those of the scenario for ``plan``.
        """
        return self.base if which == "today" and self.base is not None else self.problem


def names_of_sites(region: Region) -> dict[str, str]:
    """Names of schools and candidate sites by id.

    Parameters
    ----------
    region : Region
        The county.

    Returns
    -------
    dict of str to str
        Names.
    """
    schools = zip(region.schools["school_id"], region.schools["name"], strict=True)
    sites = zip(region.sites["site_id"], region.sites["name"], strict=True)
    return {str(k): str(v) for k, v in (*schools, *sites)}
