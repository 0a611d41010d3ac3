"""A folder never holds documents of two runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from catchment.cli.runs import carry_out
from catchment.errors import CatchmentError
from catchment.run import Run
from catchment.views import folder as folders
from catchment.views.folder import WRITTEN_LATER, write_run
from tests.views.document_run import document_run

WRITERS = ("write_geopackage", "write_ledger", "write_map", "write_parents", "write_deck")


@pytest.fixture(scope="module")
def made() -> Run:
    return document_run(villages=54)


@pytest.fixture
def run(made: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run whose own documents are left out: this is about what lies beside them."""
    for name in WRITERS:
        monkeypatch.setattr(folders, name, lambda run, path, **_: path)
    for name in ("write_tables", "write_report"):
        monkeypatch.setattr(folders, name, lambda run, folder, **_: [])
    return made


def lay(out: Path) -> None:
    for name in (*WRITTEN_LATER, "minutes.docx"):
        (out / name).write_text("of the first run", encoding="utf-8")


def test_another_run_takes_the_book_of_the_first_away(run: Run, tmp_path: Path) -> None:
    write_run(run, tmp_path)
    lay(tmp_path)
    write_run(run, tmp_path)
    assert all((tmp_path / name).exists() for name in WRITTEN_LATER)
    write_run(dataclasses.replace(run, name="另案"), tmp_path)
    assert not [name for name in WRITTEN_LATER if (tmp_path / name).exists()]
    assert (tmp_path / "minutes.docx").exists()


def test_layers_of_the_county_are_left_alone(run: Run, tmp_path: Path) -> None:
    home = dataclasses.replace(run, region=run.region.replace(folder=tmp_path))
    write_run(home, tmp_path)
    lay(tmp_path)
    write_run(dataclasses.replace(home, name="另案"), tmp_path)
    kept = {name for name in WRITTEN_LATER if (tmp_path / name).exists()}
    assert kept == {name for name in WRITTEN_LATER if name.endswith(".parquet")}


def test_a_folder_without_a_run_keeps_its_files(run: Run, tmp_path: Path) -> None:
    lay(tmp_path)
    write_run(run, tmp_path)
    assert all((tmp_path / name).exists() for name in WRITTEN_LATER)


def test_a_book_that_is_open_elsewhere_is_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(run, tmp_path)
    lay(tmp_path)
    whole = Path.unlink

    def held(path: Path, missing_ok: bool = False) -> None:
        if path.name == "book.docx":
            raise PermissionError(13, "in use")
        whole(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", held)
    with pytest.raises(CatchmentError, match=r"book\.docx"):
        write_run(dataclasses.replace(run, name="另案"), tmp_path)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_what_a_run_takes_away_is_named(
    lang: str,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_run(run, tmp_path)
    (tmp_path / "book.docx").write_text("of the first run", encoding="utf-8")
    other = dataclasses.replace(run, name="另案")
    monkeypatch.setattr(folders, "execute_again", lambda *_, **__: other)
    words = {"zh": "已删除上一次运行的book.docx；", "en": "removedbook.docxofanearlierrun"}[lang]
    for there in (True, False):
        carry_out(tmp_path / "recipe.toml", tmp_path, lang, set_aside=False)
        assert (words in "".join(capsys.readouterr().out.split())) == there
