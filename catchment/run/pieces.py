"""Who is cut off from their school by villages of another catchment, and by whose doing."""

from __future__ import annotations

import csv
import functools
from importlib.resources import files

import numpy as np
import pandas as pd

from catchment.optimise import consolidation as model
from catchment.problem import Bool, Int32
from catchment.region.model import Region
from catchment.run.offer import Offer
from catchment.run.spoken import names_of, span_of


@functools.cache
def _words() -> dict[str, tuple[str, str]]:
    text = files("catchment.run").joinpath("pieces.csv").read_text(encoding="utf-8")
    return {r["why"]: (r["zh"], r["en"]) for r in csv.DictReader(text.splitlines())}


def pieces_table(offer: Offer, region: Region) -> pd.DataFrame:
    """Name village-bands that are cut off from their school by villages of another catchment.

    Parameters
    ----------
    offer : Offer
        A plan.
    region : Region
        The county.

    Returns
    -------
    DataFrame
        ``village_id, village, band, school, school_name, years, why_zh, why_en``, one row a
        village-band and reason (``pieces.csv`` of this package): what is so today, what children who
        come later bring about, what the recipe's own actions do, and what the plan does.
    """
    question, plan = offer.question, offer.answer.plan
    problem = question.problem
    names = names_of(region)
    reasons = by_whose_doing(question, plan.site_of)
    rows = []
    for i in range(len(problem.group_band)):
        for why, marks in reasons.items():
            years = np.flatnonzero(marks[i])
            if not len(years):
                continue
            code = problem.village_ids[int(problem.group_village[i])]
            school = problem.site_ids[int(plan.site_of[i, years[-1]])]
            zh, en = _words()[why]
            rows.append(
                {
                    "village_id": code,
                    "village": names.get(code, code),
                    "band": problem.bands[int(problem.group_band[i])],
                    "school": school,
                    "school_name": names.get(school, school),
                    "years": span_of([int(problem.years[int(y)]) for y in years]),
                    "why_zh": zh,
                    "why_en": en,
                }
            )
    return pd.DataFrame(rows)


def by_whose_doing(question: model.Question, site_of: Int32) -> dict[str, Bool]:
    """Mark village-bands that are cut off from their school, by the reason.

    Parameters
    ----------
    question : Question
        The question.
    site_of : (n, t) int32
        Site of each group by year.

    Returns
    -------
    dict of str to (n, t) bool
        Marks by reason, each village-band and year under one reason at most.
    """
    problem = question.problem
    with_children = problem.students.sum(axis=1) > 0
    stays = site_of == site_of[:, :1]
    wish = np.full((len(site_of), 1), -1) if question.sent is None else question.sent
    sent = np.asarray((wish >= 0).any(axis=1)).reshape(-1, 1)
    today = stays & model.cut_off_today(question)[:, None] & with_children
    cut = model.cut_off(question, site_of, everybody=True) & ~today
    # What today's catchments come to by themselves, and with nobody moved but whom the user sends.
    carried = np.repeat(site_of[:, :1], site_of.shape[1], axis=1)
    by_itself = model.cut_off(question, carried, everybody=True)
    own = model.cut_off(question, np.where(sent, site_of, carried), everybody=True)
    unchanged = cut & stays & by_itself
    out = {
        "today": today,
        "later": unchanged & ~with_children[:, :1],
        "between": unchanged & with_children[:, :1],
        "sent": cut & ~unchanged & sent & ~stays,
        "around": cut & ~unchanged & stays & own,
    }
    rest = cut & ~np.logical_or.reduce(list(out.values()))
    out["plan" if question.connected else "unasked"] = rest
    return {why: np.asarray(marks, dtype=np.bool_) for why, marks in out.items()}
