"""The made-up county of the map tests with real figures, catchments and a closing gate."""

from __future__ import annotations

import dataclasses

import geopandas as gpd
import numpy as np
import pandas as pd

from catchment import indicators
from catchment.network.cells import village_cells
from catchment.plan import Elsewhere, Plan
from catchment.problem import Problem
from catchment.region.model import Source
from catchment.run import Run
from catchment.run.draw import catchments_of
from catchment.run.why import SCHOOLS, VILLAGES
from tests.views.map_county import build_run

HOSTILE_TEXT = (
    '=HYPERLINK("http://example.invalid","点")',
    "+SUM(A1:A9)",
    "@cmd",
    "-1+2",
    "<script>window.hit=1</script><img src=x onerror=alert(1)>",
    "a\x00b\x07c\x1bd\x0be\x0cf",
    "]]>&amp;<!--",
    "x\ud800y\ufffez\uffff",
    "\u202e倒写\u2066\u200b",
    "很长" * 3000,
    "😀🏫👩‍👧",
    "$x^2$ \\frac{1}{2} $",
    "line\nbreak\r\n\ttab",
    "{first} {0} %s ${x}",
    "_x000D_ [Red]",
)


def document_run(
    *, villages: int = 120, hostile: bool = False, village_schools: int = 52, years: int = 4
) -> Run:
    """Build a run with everything documents show."""
    run = build_run(villages=villages, hostile=hostile, village_schools=village_schools)
    run = _longer(run, years)
    problem = run.problem
    towns = run.region.villages["township"].astype(str).tolist()
    figures = pd.concat(
        [
            indicators.compute(problem, plan, which=name, townships=towns)
            for name, plan in (("today", run.today), ("plan", run.plan))
        ],
        ignore_index=True,
    )
    region = run.region.replace(
        sources=(
            Source(
                "villages", "村.csv", "a" * 64, 120, "EPSG:4544", "gb18030", ("坐标由 GCJ-02 还原",)
            ),
            Source("schools", "学校.xlsx", "b" * 64, 78),
        )
    )
    beds, seats = problem.beds.copy(), problem.dining_seats.copy()
    beds[:8], seats[:8] = 40, 300
    estimated = problem.estimated.copy()
    estimated[::7] = True
    return _replace(
        run,
        region=region,
        problem=problem.replace(beds=beds, dining_seats=seats, estimated=estimated),
        indicators=figures,
        catchments=_catchments(run),
        findings=_findings(run),
        scenario={"actions": [{"do": "keep", "school": "S003", "year": 2026, "reason": "偏远"}]},
        provenance={"digest": "0123456789abcdef" * 4, "seed": 1, "rule_books": ["national"],
                    "rules": 14, "catchment": "0.1.0"},
    )  # fmt: skip


def _longer(run: Run, years: int) -> Run:
    """Carry the last year of a run on, so that it covers more of them."""
    problem, old = run.problem, len(run.problem.years)
    if years <= old:
        return run
    at = np.minimum(np.arange(years), old - 1)
    longer = {
        name: getattr(problem, name)[..., at]
        for name in ("students", "rooms", "beds", "dining_seats", "network", "estimated")
    }
    span = tuple(problem.years[0] + k for k in range(years))
    plans = {
        name: plan.replace(
            open=plan.open[..., at], site_of=plan.site_of[:, at], classes=plan.classes[..., at],
            mode_of=plan.mode_of[:, at],
        )
        for name, plan in (("today", run.today), ("plan", run.plan))
    }  # fmt: skip
    return _replace(run, problem=problem.replace(years=span, **longer), **plans)


def hostile_run(*, villages: int = 60) -> Run:
    """Build a run in which every text field of every table holds something hostile."""
    run = document_run(villages=villages, hostile=True)
    region = run.region.replace(
        name=HOSTILE_TEXT[4],
        note=HOSTILE_TEXT[9],
        bands=tuple(
            dataclasses.replace(band, zh=HOSTILE_TEXT[k], en=HOSTILE_TEXT[k + 4])
            for k, band in enumerate(run.region.bands)
        ),
        classes=_poison(run.region.classes, keep=("school_id",)),
        villages=_poison(run.region.villages, keep=("village_id",)),
        schools=_poison(run.region.schools, keep=("school_id", "status")),
        sites=_poison(run.region.sites, keep=("site_id",)),
        boundaries=_poison(run.region.boundaries, keep=("kind", "boundary_id")),
        areas=pd.DataFrame(
            {
                "area_id": [f"A{k}" for k in range(len(HOSTILE_TEXT))],
                "name": pd.Series(HOSTILE_TEXT, dtype=object),
                "central_school_id": run.region.schools["school_id"]
                .astype(str)
                .tolist()[: len(HOSTILE_TEXT)],
            }
        ),
        sources=(
            Source(*(HOSTILE_TEXT[k] for k in (0, 4, 5)), 3, HOSTILE_TEXT[6], "", HOSTILE_TEXT),
        ),
    )
    problem, plan = run.problem, run.plan
    return _replace(
        run,
        name=HOSTILE_TEXT[0],
        region=region,
        plan=plan.replace(notes=HOSTILE_TEXT, elsewhere=_some_elsewhere(problem, plan)),
        checks=_text_table(["code", "detail_zh"]),
        notes=HOSTILE_TEXT,
        why=_hostile_why(run),
        prices=_hostile_prices(run),
        findings=_poison(run.findings, keep=("code", "id", "kind", "result", "severity")),
        ledger=_poison(run.ledger, keep=("school_id",)),
        explanations=_poison(run.explanations, keep=("village_id", "from_site", "to_site", "band")),
        scenario={
            "name": HOSTILE_TEXT[1],
            "actions": [
                *({"do": "merge", "school": "S025", "reason": text} for text in HOSTILE_TEXT),
                *({"do": "road", "class": text, "reason": text} for text in HOSTILE_TEXT),
                *({"do": "keep", "school": text, "reason": text} for text in HOSTILE_TEXT),
                7,
                "x",
            ],
            "publication": {"author": HOSTILE_TEXT[0], "review_number": HOSTILE_TEXT[4]},
            "catchments": {"shared": [{"villages": HOSTILE_TEXT, "schools": HOSTILE_TEXT}]},
            "rules": {"books": ["national"], HOSTILE_TEXT[4]: HOSTILE_TEXT[0]},
        },
        provenance={
            "digest": HOSTILE_TEXT[0],
            "seed": HOSTILE_TEXT[4],
            "rule_books": HOSTILE_TEXT,
            "author": HOSTILE_TEXT[4],
            "review_number": HOSTILE_TEXT[4],
            "data_dates": HOSTILE_TEXT[5],
            "catchment": HOSTILE_TEXT[0],
        },
    )


def _some_elsewhere(problem: Problem, plan: Plan) -> Elsewhere:
    """One child of some village-bands goes to another school that teaches the band."""
    rows = []
    for i in range(0, len(problem.group_band), 7):
        grades = np.flatnonzero(problem.students[i, :, -1])
        sites = np.flatnonzero(plan.open[:, problem.group_band[i], -1])
        other = sites[sites != plan.site_of[i, -1]]
        if len(grades) and len(other):
            rows.append((i, int(grades[0]), len(problem.years) - 1, int(other[0]), 1, i % 2))
    group, grade, year, site, students, shared = np.array(rows, dtype=np.int32).T
    return Elsewhere(group, grade, year, site, students, shared.astype(bool))


def _text_table(columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(HOSTILE_TEXT, dtype=object) for name in columns})


def _hostile_why(run: Run) -> pd.DataFrame:
    problem, count = run.problem, len(HOSTILE_TEXT)
    table = pd.DataFrame({name: pd.Series([0.0] * count) for name in VILLAGES})
    return table.assign(
        village_id=list(problem.village_ids[:count]), band=problem.bands[0],
        year=problem.years[-1], limit="places",
        **_text_table(["village", "township", "site", "site_id", "nearest", "nearest_id",
                       "reason_zh", "reason_en"]),
    )  # fmt: skip


def _hostile_prices(run: Run) -> pd.DataFrame:
    problem, count = run.problem, len(HOSTILE_TEXT)
    table = pd.DataFrame({name: pd.Series([1.0] * count) for name in SCHOOLS})
    return table.assign(
        site_id=list(problem.site_ids[:count]), band=problem.bands[0], year=problem.years[-1],
        limit="over", **_text_table(["site", "reason_zh", "reason_en"]),
    )  # fmt: skip


def empty_run() -> Run:
    """Build a run whose tables are all empty, as of a county that has next to nothing."""
    run = build_run(villages=54)
    return _replace(
        run,
        indicators=run.indicators.iloc[0:0],
        findings=pd.DataFrame(),
        ledger=pd.DataFrame(),
        catchments=run.catchments.iloc[0:0],
        conservation=pd.DataFrame(),
        explanations=pd.DataFrame(),
        provenance={},
        plan=run.today,
    )


def _replace(run: Run, **changes: object) -> Run:
    return dataclasses.replace(run, **changes)


def _poison(table, keep=()):
    table = table.copy()
    for number, column in enumerate(table.columns):
        if column in (*keep, "geometry"):
            continue
        kind = table[column].dtype
        if (isinstance(kind, np.dtype) and kind.kind == "O") or str(kind).startswith(
            ("str", "string")
        ):
            table[column] = pd.Series(
                [HOSTILE_TEXT[(k + number) % len(HOSTILE_TEXT)] for k in range(len(table))],
                index=table.index,
                dtype=object,
            )
    return table


def _catchments(run: Run) -> gpd.GeoDataFrame:
    return catchments_of(run.problem, run.today, run.plan, village_cells(run.region))


def _findings(run: Run) -> pd.DataFrame:
    problem, rows = run.problem, []
    closing = [
        j
        for j in range(len(problem.site_ids))
        if problem.today_open[j].any() and (problem.today_open[j] & ~run.plan.open[j, :, -1]).any()
    ]
    gate = (
        ("R-CON-01", "多数家长反对的不得撤并", "Not against most parents", "hard", "evidence"),
        ("R-CON-02", "上下学不便的不得撤并", "Not where trips are unsafe", "hard", "pass"),
        ("R-CON-03", "食宿条件不足的不得撤并", "Not without beds and seats", "hard", "unknown"),
        ("R-CON-04", "不得因撤并产生大班额", "Not if classes get large", "hard", "fail"),
        ("R-CON-08", "论证公示听证报批", "Appraisal and notice", "process", "evidence"),
    )
    for n, j in enumerate(closing):
        for code, zh, en, severity, result in gate:
            result = "pass" if result == "fail" and n % 3 else result
            rows.append((code, zh, en, "site", problem.site_ids[j], f"校点{j}", problem.years[-1],
                         61.0 if result == "fail" else np.nan, 55.0, np.nan, "students", severity,
                         result, "国办发〔2012〕48号", "State Council Office 2012 No. 48",
                         code != "R-CON-08", "接收学校一年级 61 人", "61 in grade 1"))  # fmt: skip
    for k in range(60):
        rows.append(("R-TRV-01", "一至三年级单程不超过半小时", "Grades 1-3 within 30 minutes", "group",
                     problem.village_ids[k % len(problem.village_ids)], f"村{k}", problem.years[0],
                     30.0 + k, 30.0, float(k), "min", "standard", "fail" if k else "unknown",
                     "国办发〔2018〕27号", "State Council Office 2018 No. 27", True, "", ""))  # fmt: skip
    columns = ["code", "title_zh", "title_en", "kind", "id", "place", "year", "value", "limit",
               "excess", "unit", "severity", "result", "citation_zh", "citation_en", "verified",
               "detail_zh", "detail_en"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)
