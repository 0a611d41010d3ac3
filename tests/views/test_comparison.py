"""Runs side by side: figures, differences by village and school, one legend, no script."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import shutil
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import docx
import numpy as np
import openpyxl
import pandas as pd
import pytest

from catchment import indicators
from catchment.errors import InputError
from catchment.run import Run
from catchment.views.comparison import (
    compare_table,
    read_runs,
    schools_that_differ,
    villages_that_differ,
    write_comparison,
)
from catchment.views.comparison_pictures import unbeaten
from catchment.views.files import write_text
from catchment.views.folder import _json, record
from catchment.views.geopackage import write_geopackage
from catchment.views.tables import write_tables
from tests.views.document_run import document_run, hostile_run

FILES = [
    "compare.csv",
    "schools.csv",
    "villages.csv",
    "compare.xlsx",
    "compare.docx",
    "compare.html",
]


def variant(run: Run, name: str, keep: int) -> Run:
    """A run in which every ``keep``-th site that the plan changes stays as it is today."""
    problem, today, plan = run.problem, run.today, run.plan
    changed = np.flatnonzero((problem.today_open & ~plan.open[:, :, -1]).any(axis=1))
    spared = changed[::keep] if keep else np.array([], dtype=np.int64)
    opened, site_of, mode_of = plan.open.copy(), plan.site_of.copy(), plan.mode_of.copy()
    opened[spared] |= today.open[spared]
    back = np.isin(today.site_of, spared)
    site_of[back], mode_of[back] = today.site_of[back], today.mode_of[back]
    mine = plan.replace(open=opened, site_of=site_of, mode_of=mode_of)
    towns = run.region.villages["township"].astype(str).tolist()
    parts = [
        indicators.compute(problem, p, which=which, townships=towns)
        for which, p in (("today", today), ("plan", mine))
    ]
    return dataclasses.replace(run, name=name, plan=mine, indicators=pd.concat(parts))


def save(run: Run, folder: Path) -> Path:
    """What a comparison reads of the folder of a run."""
    write_geopackage(run, folder / "plan.gpkg")
    write_tables(run, folder)
    facts = record(run) | {"recipe": "", "set_aside": False}
    write_text(folder / "run.json", _json(facts).decode("utf-8"))
    return folder


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    base = document_run(villages=54)
    return [
        variant(base, "全部并入", 0),
        variant(base, "保留一半", 2),
        variant(base, "全部保留", 1),
    ]


@pytest.fixture(scope="module")
def folders(runs: list[Run], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("runs")
    return [save(run, root / str(k)) for k, run in enumerate(runs)]


@pytest.fixture(scope="module")
def written(folders: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare")
    assert [p.name for p in write_comparison(folders, folder)] == FILES
    return folder


def test_figures_are_those_of_the_runs(runs: list[Run], folders: list[Path], written: Path) -> None:
    table = pd.read_csv(written / "compare.csv", encoding="utf-8-sig")
    for number, run in enumerate(runs, start=1):
        given = run.indicators[
            (run.indicators["scope"] == "county") & (run.indicators["plan"] == "plan")
        ]
        mine = table.set_index(["indicator", "year"])[f"{number} {run.name}"]
        for row in given.itertuples():
            value = mine[row.indicator, row.year]
            assert value == pytest.approx(row.value, nan_ok=True)
    shown = compare_table(folders)
    row = shown[(shown["指标"] == "平均单程") & (shown["学年"] == 2029)].iloc[0]
    mean = table.set_index(["indicator", "year"]).loc[("minutes_mean", 2029)]
    assert float(row["1 全部并入"]) == pytest.approx(mean["1 全部并入"], abs=0.051)


def test_large_figures_stand_in_full(folders: list[Path]) -> None:
    table = compare_table(folders, "en")
    assert not any(re.search(r"\de[+-]\d", str(v)) for v in table.to_numpy().ravel())


def test_villages_that_differ_are_all_listed_with_their_minutes(
    runs: list[Run], folders: list[Path]
) -> None:
    compared = read_runs(folders)
    table = villages_that_differ(compared)
    listed = {(row["村代码"], row["学段"]): row for row in table.to_dict("records")}
    problem, names = (
        runs[0].problem,
        {"lower": "小学低年级", "upper": "小学高年级", "junior": "初中"},
    )
    wanted = 0
    for i in range(len(problem.group_band)):
        key = (
            problem.village_ids[problem.group_village[i]],
            names[problem.bands[problem.group_band[i]]],
        )
        ways = [int(run.plan.site_of[i, -1]) for run in runs]
        differs = len({*ways, int(runs[0].today.site_of[i, 0])}) > 1
        assert (key in listed) == differs
        if not differs:
            continue
        wanted += 1
        for label, site in zip(compared.labels, ways, strict=True):
            if site >= 0:
                minutes = float(problem.minutes[0, i, site])
                assert listed[key][f"{label} 分钟"] == pytest.approx(minutes, abs=0.0501)
    assert wanted > 5
    spread = table["差距（分钟）"].dropna().to_numpy()
    assert (np.diff(spread) <= 0).all()


def test_schools_that_differ(runs: list[Run], folders: list[Path]) -> None:
    table = schools_that_differ(folders).set_index("学校代码")
    problem = runs[0].problem
    for j, code in enumerate(problem.site_ids):
        states = {run.plan.open[j, :, -1].tobytes() for run in runs} | {
            problem.today_open[j].tobytes()
        }
        assert (code in table.index) == (len(states) > 1)
    assert "—" in set(table["1 全部并入"])


def test_the_page_is_whole_and_holds_no_script(written: Path) -> None:
    page = (written / "compare.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    assert "unsafe" not in page
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!data:image/png)', page)
    assert page.count("<img") == 2
    for words in ("布局对照图", "上学负担与保留校点数", "3 全部保留", "内部工作用图"):
        assert words in page


def test_workbook_and_document_open_and_hold_every_row(folders: list[Path], written: Path) -> None:
    book = openpyxl.load_workbook(written / "compare.xlsx")
    assert book.sheetnames == [
        "方案一览",
        "主要指标",
        "办学学段不同的学校",
        "就读学校不同的村",
        "字段说明",
    ]
    assert book["就读学校不同的村"].max_row == len(villages_that_differ(read_runs(folders))) + 1
    assert all(c.data_type in "snd" for page in book for row in page.iter_rows() for c in row)
    paper = docx.Document(written / "compare.docx")
    assert len(paper.inline_shapes) == 2
    assert len(paper.tables) >= 4


def test_the_same_runs_give_the_same_bytes(
    folders: list[Path], written: Path, tmp_path: Path
) -> None:
    write_comparison(folders, tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes(), name


def test_runs_that_cannot_be_compared_are_refused(folders: list[Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="二至六个"):
        read_runs(folders[:1])
    with pytest.raises(InputError, match="二至六个"):
        read_runs(folders * 3)
    for key, value, words in (
        ("region", "别的县", "县域不同"), ("bands", ["all"], "学段不同"), ("years", [1999], "共同的学年"),
    ):  # fmt: skip
        other = tmp_path / key
        shutil.copytree(folders[0], other)
        facts = json.loads((other / "run.json").read_text(encoding="utf-8"))
        (other / "run.json").write_text(json.dumps(facts | {key: value}), encoding="utf-8")
        with pytest.raises(InputError, match=words):
            read_runs([folders[1], other])
    facts = json.loads((folders[0] / "run.json").read_text(encoding="utf-8"))
    del facts["assignment"][0]["minutes"]
    (tmp_path / "bands" / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(InputError, match="旧版本"):
        read_runs([folders[0], tmp_path / "bands"])
    (tmp_path / "region" / "indicators.csv").unlink()
    with pytest.raises(InputError, match=r"indicators\.csv"):
        read_runs([tmp_path / "region", tmp_path / "region"])


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_hostile_runs_are_text(lang: str, tmp_path: Path) -> None:
    folder = save(hostile_run(villages=54), tmp_path / "a")
    copied = Path(shutil.copytree(folder, tmp_path / "b"))
    write_comparison([folder, copied], tmp_path / "out", lang)
    page = (tmp_path / "out" / "compare.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<img src=x" not in page
    for name in ("compare.xlsx", "compare.docx"):
        with zipfile.ZipFile(io.BytesIO((tmp_path / "out" / name).read_bytes())) as archive:
            for member in archive.namelist():
                if member.endswith((".xml", ".rels")):
                    content = archive.read(member)
                    ET.fromstring(content)
                    assert b"<f>" not in content
    for name in ("schools.csv", "villages.csv"):
        text = (tmp_path / "out" / name).read_text(encoding="utf-8-sig")
        assert not re.search(r"(^|,|\n)[=@]", text)


def test_points_that_no_other_beats() -> None:
    across, up = np.array([1.0, 2.0, 2.0, 3.0, 3.0]), np.array([5.0, 4.0, 6.0, 4.0, 3.0])
    assert unbeaten(across, up).tolist() == [0, 1, 4]


def test_runs_that_start_from_different_days_tell_each_today(
    folders: list[Path], tmp_path: Path
) -> None:
    import json
    import shutil

    from catchment.views.comparison import bases_of, figures_of

    assert bases_of(read_runs(folders)) == [("", 0)]
    other = shutil.copytree(folders[1], tmp_path / "other")
    facts = json.loads((other / "run.json").read_text(encoding="utf-8"))
    gone = next(s for s in facts["sites"] if s["today"])
    gone["today"] = []
    (other / "run.json").write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")
    compared = read_runs([folders[0], other])
    assert bases_of(compared) == [("1", 0), ("2", 1)]
    assert [c for c in figures_of(compared).columns if "不调整" in c] == ["不调整 1", "不调整 2"]


def test_one_run_given_twice_is_refused_and_a_copy_is_named(
    folders: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="同一个运行文件夹"):
        read_runs([folders[0], folders[0].parent / "." / folders[0].name])
    shutil.copytree(folders[0], tmp_path / "copy")
    runs = [folders[0], folders[1], tmp_path / "copy"]
    page = write_comparison(runs, tmp_path / "out", "en")[-1].read_text(encoding="utf-8")
    assert "Plans 1, 3 are copies of one and the same run." in page
    foot = page[page.index("<footer>") :]
    assert "rule version national" in foot
    assert "sources" in foot
    fewer = write_comparison(folders[:2], tmp_path / "two", "en")[-1]
    assert "copies of one" not in fewer.read_text(encoding="utf-8")
