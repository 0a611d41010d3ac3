"""What a plan may do beyond the recipe, where that is wished: build, reopen, stay within areas."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from catchment.optimise import consolidation as model
from catchment.region.model import Region
from catchment.run.areas import Areas, draw_areas, given_areas
from catchment.run.demands import with_building, with_reopening
from catchment.run.order import Posed
from catchment.run.screen import rooms_of_fit, screen_sites


@dataclass(frozen=True)
class Latitude:
    """What was wished beyond the recipe, as far as the county allows it.

    Attributes
    ----------
    areas : Areas or None
        Areas (片区) that nobody leaves.
    screening : DataFrame
        Candidate sites and what each check found; empty where nothing may be built.
    fit : dict of str to int or None
        Most classrooms of the sites that pass; None where nothing may be built.
    reopen : bool
        Whether schools that are closed today may open again.
    """

    areas: Areas | None = None
    screening: pd.DataFrame = field(default_factory=pd.DataFrame)
    fit: dict[str, int] | None = None
    reopen: bool = False


def opened(question: model.Question, region: Region, latitude: Latitude) -> model.Question:
    """Let sites that pass the screening be built on, and closed schools open, where that is wished.

    Parameters
    ----------
    question : Question
        A question.
    region : Region
        The county.
    latitude : Latitude
        What is wished.

    Returns
    -------
    Question
        The question with these sites free to open.
    """
    asked = question if latitude.fit is None else with_building(question, latitude.fit)
    return with_reopening(asked, region) if latitude.reopen else asked


def give_latitude(
    question: model.Question,
    posed: Posed,
    region: Region,
    *,
    areas: int | None = None,
    build: bool = False,
    reopen: bool = False,
    seed: int = 0,
) -> tuple[model.Question, Latitude]:
    """Widen a question by what is wished beyond the recipe, and narrow it to areas.

    Parameters
    ----------
    question : Question
        The recipe's question.
    posed : Posed
        The recipe on the county.
    region : Region
        The county.
    areas : int, optional
        0 for the county's own areas, a number for as many that are drawn.
    build, reopen : bool
        Whether candidate sites that pass the screening, and closed schools, may open.
    seed : int
        Seed of the drawing.

    Returns
    -------
    question : Question
        The question so changed.
    latitude : Latitude
        What it was changed by.

    Raises
    ------
    InputError
        When the county gives no areas of its own, or so many cannot be drawn.
    """
    screening, fit = pd.DataFrame(), None
    if build:
        screening = screen_sites(region, posed.network)
        fit = rooms_of_fit(region, screening)
    question = opened(question, region, Latitude(fit=fit, reopen=reopen))
    drawn = None
    if areas == 0:
        drawn = given_areas(posed.problem, region)
    elif areas is not None:
        small = question.may_close | question.may_downgrade
        drawn = draw_areas(posed.problem, region, areas, small=small, seed=seed)
    if drawn is not None:
        question = question.replace(within=drawn.allowed(posed.problem))
    return question, Latitude(drawn, screening, fit, reopen)
