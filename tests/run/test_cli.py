"""The command line as a person meets it: what it writes, and how it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from catchment.cli import main
from tests.tiny_files import write_tiny

OUTPUTS = (
    "run.json", "plan.gpkg", "indicators.csv", "findings.csv", "ledger.xlsx", "map.html",
    "parents.html", "report.docx", "report.html",
)  # fmt: skip


def call(*words: str | Path) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(w) for w in words])
    code = stopped.value.code
    return code if isinstance(code, int) else 0


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    county = write_tiny(tmp_path_factory.mktemp("tiny"))
    out = county / "out"
    assert call("run", county / "scenario.toml", "--out", out) == 0
    return out


def test_a_run_writes_every_file_of_the_design(finished: Path) -> None:
    assert {p.name for p in finished.iterdir()} >= set(OUTPUTS)
    record = json.loads((finished / "run.json").read_text(encoding="utf-8"))
    assert record["conservation"] == [
        {"year": 2026, "students_in": 450, "served": 450, "unserved": 0, "rejected": 0},
        {"year": 2028, "students_in": 450, "served": 450, "unserved": 0, "rejected": 0},
    ] or all(
        row["students_in"] == row["served"] + row["unserved"] + row["rejected"]
        for row in record["conservation"]
    )
    moved = [
        a for a in record["assignment"] if a["band"] == "lower" and a["village"] in ("V4", "V5")
    ]
    assert [a["today"] for a in moved] == ["T1", "T1"]
    assert [a["site"]["2028"] for a in moved] == ["S2", "S2"]


def test_the_indicators_have_the_columns_of_the_design(finished: Path) -> None:
    table = pd.read_csv(finished / "indicators.csv", encoding="utf-8-sig", keep_default_na=False)
    assert list(table.columns) == ["indicator", "unit", "scope", "id", "year", "value", "plan"]
    county = table[(table["scope"] == "county") & (table["plan"] == "plan")]
    students = county[county["indicator"] == "students"].set_index("year")["value"]
    assert float(students[2026]) == 450


def test_the_same_input_gives_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert call("run", finished.parent / "scenario.toml", "--out", again) == 0
    differing = [
        p.name
        for p in sorted(finished.iterdir())
        if p.name not in ("timing.json", "run.json")
        and p.read_bytes() != (again / p.name).read_bytes()
    ]
    assert differing == []
    one, two = (json.loads((f / "run.json").read_text(encoding="utf-8")) for f in (finished, again))
    assert {**one, "recipe": ""} == {**two, "recipe": ""}


def test_maps_and_reports_are_made_again_from_the_folder(finished: Path) -> None:
    before = (finished / "map.html").read_bytes()
    (finished / "map.html").unlink()
    assert call("map", finished) == 0
    assert (finished / "map.html").read_bytes() == before
    assert call("report", finished) == 0


def test_a_run_is_not_shown_again_when_its_layers_changed(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    county = write_tiny(tmp_path / "county")
    assert call("run", county / "scenario.toml", "--out", county / "out") == 0
    children = county / "children.csv"
    children.write_text(
        children.read_text(encoding="utf-8").replace("V1,2026,10", "V1,2026,11"), encoding="utf-8"
    )
    assert call("map", county / "out") == 2
    assert "改过" in capsys.readouterr().err


def test_runs_are_compared(finished: Path, tmp_path: Path) -> None:
    county = finished.parent
    other = county / "other.toml"
    other.write_text(
        (county / "scenario.toml")
        .read_text(encoding="utf-8")
        .split("[[action]]")[0]
        .replace("试", "不动"),
        encoding="utf-8",
    )
    assert call("run", other, "--out", county / "other") == 0
    assert call("compare", finished, county / "other", "--out", tmp_path / "cmp") == 0
    text = (tmp_path / "cmp" / "schools.csv").read_text(encoding="utf-8-sig")
    assert "丁村教学点" in text
    assert "1 试" in text
    assert "2 不动" in text


def _replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def spoil(county: Path) -> None:
        path = county / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return spoil


def _swap(county: Path) -> None:
    path = county / "villages.csv"
    rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows[1:]:
        row[-2], row[-1] = row[-1], row[-2]
    path.write_text("\n".join(",".join(r) for r in rows) + "\n", encoding="utf-8")


def _origin(county: Path) -> None:
    path = county / "villages.csv"
    rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
    rows[2][-2:] = ["0", "0"]
    path.write_text("\n".join(",".join(r) for r in rows) + "\n", encoding="utf-8")


def _empty(county: Path) -> None:
    path = county / "schools.csv"
    path.write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")


SPOILED: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "missing CRS": (_replace("region.toml", 'crs = "EPSG:4490"\n', ""), ["villages", "crs"]),
    "swapped coordinates": (_swap, ["villages", "经度"]),
    "zero coordinates": (_origin, ["villages", "0"]),
    "duplicated id": (_replace("villages.csv", "V2,", "V1,"), ["villages", "V1"]),
    "negative enrolment": (
        _replace("children.csv", "V3,2026,10", "V3,2026,-7"),
        ["children", "-7"],
    ),
    "text enrolment": (_replace("children.csv", "V3,2026,10", "V3,2026,八十五"), ["八十五"]),
    "unknown column": (_replace("schools.csv", "教室数", "教室色"), ["schools", "教室色"]),
    "unknown key": (_replace("scenario.toml", "years =", "jahre ="), ["jahre"]),
    "closed receiver": (_replace("scenario.toml", 'into = "S2"', 'into = "X1"'), ["戊村小学"]),
    "cycle of mergers": (
        _replace(
            "scenario.toml",
            "[[action]]",
            '[[action]]\ndo = "merge"\nschool = "S2"\ninto = "T1"\nyear = 2028\n\n[[action]]',
        ),
        ["成环"],
    ),
    "empty layer": (_empty, ["schools"]),
    "missing layer": (lambda c: (c / "schools.csv").unlink(), ["schools"]),
    "unknown school": (_replace("scenario.toml", '"T1"', '"T7"'), ["T7"]),
}


@pytest.mark.parametrize("name", SPOILED)
def test_bad_input_is_refused_in_words_and_nothing_is_written(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    county = write_tiny(tmp_path / "county")
    spoil, words = SPOILED[name]
    spoil(county)
    out = tmp_path / "out"
    assert call("run", county / "scenario.toml", "--out", out) == 2
    said = capsys.readouterr()
    for word in words:
        assert word in said.err, said.err
    assert "Traceback" not in said.err + said.out
    assert not out.exists()


def test_check_lists_every_problem_and_fails(tmp_path: Path) -> None:
    county = write_tiny(tmp_path / "county")
    assert call("check", county, "--out", tmp_path / "good") == 0
    for name in ("negative enrolment", "duplicated id"):
        SPOILED[name][0](county)
    assert call("check", county, "--out", tmp_path / "bad") == 1
    table = pd.read_csv(tmp_path / "bad" / "problems.csv", encoding="utf-8-sig", dtype=str)
    assert {"villages", "children"} <= set(table[table["severity"] == "error"]["layer"])


def test_times_and_init(tmp_path: Path) -> None:
    county = write_tiny(tmp_path / "county")
    assert call("times", county, "--out", tmp_path / "times") == 0
    table = pd.read_csv(tmp_path / "times" / "times.csv", encoding="utf-8-sig")
    row = table[
        (table["mode"] == "walk_lower") & (table["village_id"] == "V1") & (table["site_id"] == "S1")
    ]
    assert float(row["minutes"].iloc[0]) == pytest.approx(0.94, abs=0.01)
    assert call("init", tmp_path / "new") == 0
    assert list((tmp_path / "new").glob("*.xlsx"))


def test_wrong_language_and_too_few_runs_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("compare", "x", "--lang", "fr") == 2
    assert call("compare", "x") == 2
    assert "两个" in capsys.readouterr().err


def test_the_action_list_comes_back_as_a_recipe(finished: Path) -> None:
    county = finished.parent
    new = county / "decided.toml"
    assert call("decide", finished, finished / "ledger.xlsx", "--out", new) == 0
    assert "T1" in new.read_text(encoding="utf-8")
    assert call("run", new, "--out", county / "decided") == 0
    one, two = (
        json.loads((f / "run.json").read_text(encoding="utf-8"))["assignment"]
        for f in (finished, county / "decided")
    )
    assert [a["site"] for a in one] == [a["site"] for a in two]
