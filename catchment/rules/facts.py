"""What rules need to know beyond arrays: names, kinds, urban classes, records of evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.indicators import Roll, roll
from catchment.places import ClassLimits
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.region.bands import Band
from catchment.region.model import Region
from catchment.rules.clause import Rule
from catchment.rules.ways import Ways

URBAN = ("111", "112", "121")
"""Urban-rural classes to which urban standards apply."""

EDGE_M = 1000.0
"""Metres around a candidate site in which villages of both kinds leave its class open."""

EVIDENCE_COLUMNS = ("school_id", "code", "item", "date", "value", "document")
"""Columns of the record of evidence; ``school_id`` is empty for the county."""

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Facts:
    """Tables of a region by position of the problem.

    Attributes
    ----------
    site_name, site_town, site_urban : tuple of str
        (m) names, townships, urban-rural classes (empty where unknown; a candidate site has that of
        the nearest village).
    naps, teachers : (m,) float64
        Nap places and staff; nan where unknown.
    village_name, village_town, village_urban : tuple of str
        (v) names, townships, urban-rural classes.
    classes : DataFrame
        The county's own table of classes.
    bands : dict of str to Band
        Bands of the problem.
    evidence : DataFrame
        Columns :data:`EVIDENCE_COLUMNS`.
    public_transport : bool or None
        Whether public transport serves long trips everywhere; None where the record of evidence
        decides.
    resources : DataFrame or None
        Resources of the schools, see :mod:`catchment.indicators.balance`.
    ways : Ways or None
        What is known of the ways to school; None where nothing is.
    grounds : mapping or None
        Metres from candidate sites to railways and trunk roads, see :mod:`catchment.rules.ground`.
    """

    site_name: tuple[str, ...]
    site_town: tuple[str, ...]
    site_urban: tuple[str, ...]
    naps: Float
    teachers: Float
    village_name: tuple[str, ...]
    village_town: tuple[str, ...]
    village_urban: tuple[str, ...]
    classes: pd.DataFrame
    bands: dict[str, Band]
    evidence: pd.DataFrame
    public_transport: bool | None = None
    resources: pd.DataFrame | None = None
    ways: Ways | None = None
    grounds: Mapping[str, Mapping[str, float]] | None = None


@dataclass(frozen=True)
class Case:
    """Everything a check reads.

    Attributes
    ----------
    problem : Problem
        The question.
    plan, today : Plan
        The proposal and today's arrangement.
    facts : Facts
        Names and tables.
    rules : tuple of Rule
        Clauses.
    limits : ClassLimits
        Limits of class and school size, from the clauses.
    rolls : tuple of Roll
        Trips and students of the proposal and of today.
    indicators : DataFrame
        Table of indicators; may be empty.
    """

    problem: Problem
    plan: Plan
    today: Plan
    facts: Facts
    rules: tuple[Rule, ...]
    limits: ClassLimits
    rolls: tuple[Roll, Roll]
    indicators: pd.DataFrame

    def stage(self, band: int) -> str:
        """Stage of a band by position.

        Parameters
        ----------
        band : int
            Position of the band.

        Returns
        -------
        str
            ``primary`` or ``junior``.
        """
        name = self.problem.bands[band]
        return self.facts.bands[name].stage if name in self.facts.bands else "primary"

    def find(self, code: str, applies_to: str) -> Rule | None:
        """Return one clause.

        Parameters
        ----------
        code, applies_to : str
            Its code and where it applies.

        Returns
        -------
        Rule or None
            None where the books do not hold it.
        """
        for rule in self.rules:
            if rule.code == code and rule.applies_to == applies_to:
                return rule
        return None


def facts_of(
    regions: Sequence[Region],
    problem: Problem,
    evidence: pd.DataFrame | None = None,
    public_transport: bool | None = None,
    resources: pd.DataFrame | None = None,
) -> Facts:
    """Collect the facts of a region by position of the problem.

    Parameters
    ----------
    regions : sequence of Region
        The county, one entry or one a year; later entries add sites and do not change names.
    problem : Problem
        The question.
    evidence : DataFrame, optional
        Record of evidence.
    public_transport : bool, optional
        Whether public transport serves long trips; unknown when left out.
    resources : DataFrame, optional
        Resources of the schools.

    Returns
    -------
    Facts
        Facts by position.
    """
    sites: dict[str, dict[str, object]] = {}
    for region in regions:
        for row in region.schools.drop(columns="geometry", errors="ignore").to_dict("records"):
            sites.setdefault(str(row["school_id"]), row)
        for row in region.sites.drop(columns="geometry", errors="ignore").to_dict("records"):
            sites.setdefault(str(row["site_id"]), row)
    villages = {
        str(row["village_id"]): row
        for row in regions[0].villages.drop(columns="geometry", errors="ignore").to_dict("records")
    }
    nearest = _classes_nearby(regions[0])
    of_site = [sites.get(s, {}) for s in problem.site_ids]
    of_village = [villages.get(v, {}) for v in problem.village_ids]
    table = pd.DataFrame(columns=list(EVIDENCE_COLUMNS)) if evidence is None else evidence
    return Facts(
        site_name=tuple(
            _text(row.get("name")) or s for row, s in zip(of_site, problem.site_ids, strict=True)
        ),
        site_town=tuple(_text(row.get("township")) for row in of_site),
        site_urban=tuple(
            _code(row.get("urban_class")) or nearest.get(s, "")
            for row, s in zip(of_site, problem.site_ids, strict=True)
        ),
        naps=np.array([_float(row.get("nap_places")) for row in of_site]),
        teachers=np.array([_float(row.get("teachers")) for row in of_site]),
        village_name=tuple(
            _text(row.get("name")) or v
            for row, v in zip(of_village, problem.village_ids, strict=True)
        ),
        village_town=tuple(_text(row.get("township")) for row in of_village),
        village_urban=tuple(_code(row.get("urban_class")) for row in of_village),
        classes=regions[0].classes,
        bands={b.band: b for b in regions[0].bands},
        evidence=table,
        public_transport=public_transport,
        resources=resources,
    )


def _classes_nearby(region: Region) -> dict[str, str]:
    """Urban-rural class of each candidate site: that of the village nearest to it.

    Candidate sites bear no class of their own, and the class is a property of the place. Where
    urban and rural villages both lie within a kilometre, the site is on the edge and its class stays
    unknown. Existing schools report theirs; where it is blank it stays unknown.
    """
    out: dict[str, str] = {}
    sites, villages = region.sites, region.villages
    if not len(sites) or "geometry" not in sites or "urban_class" not in villages:
        return out
    place = np.column_stack([villages.geometry.x, villages.geometry.y])
    for code, point in zip(sites["site_id"].astype(str), sites.geometry, strict=True):
        away = np.hypot(place[:, 0] - point.x, place[:, 1] - point.y)
        around = [_code(c) for c in villages["urban_class"][away <= EDGE_M]]
        near = _code(villages["urban_class"].iloc[int(away.argmin())])
        out[code] = near if all((c in URBAN) == (near in URBAN) for c in around) else ""
    return out


def case_of(
    problem: Problem,
    plan: Plan,
    today: Plan,
    facts: Facts,
    rules: Sequence[Rule],
    limits: ClassLimits,
    indicators: pd.DataFrame,
    base: Problem | None = None,
) -> Case:
    """Put together what a check reads.

    Parameters
    ----------
    problem : Problem
        The question.
    plan, today : Plan
        The proposal and today's arrangement.
    facts : Facts
        Names and tables.
    rules : sequence of Rule
        Clauses.
    limits : ClassLimits
        Limits of class and school size.
    indicators : DataFrame
        Table of indicators.
    base : Problem, optional
        The question of today's arrangement; ``problem`` when left out.

    Returns
    -------
    Case
        Everything a check reads.
    """
    return Case(
        problem=problem,
        plan=plan,
        today=today,
        facts=facts,
        rules=tuple(rules),
        limits=limits,
        rolls=(roll(problem, plan), roll(problem if base is None else base, today)),
        indicators=indicators,
    )


def _text(value: object) -> str:
    return "" if value is None or value != value else str(value)


def _code(value: object) -> str:
    return _text(value).removesuffix(".0")


def _float(value: object) -> float:
    number = pd.to_numeric(pd.Series([value]), errors="coerce").iloc[0]
    return float("nan") if pd.isna(number) else float(number)
