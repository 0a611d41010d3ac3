"""The recipe that the README asks with is one that runs on the shipped county."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from catchment.cli import app
from catchment.region.read import read_region
from catchment.run import pose
from catchment.run.asked import every_year
from catchment.run.contradict import moved_twice
from catchment.run.spoken import names_of
from catchment.scenario import read_scenario

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_recipe_names_schools_that_there_are(readme: str, tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", readme, flags=re.DOTALL)
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    recipe = every_year(read_scenario(path))
    region = read_region(ROOT / recipe.region)
    posed = pose(recipe, region)
    names = names_of(region)
    told = {names[str(getattr(a, "school", ""))] for a in posed.scenario.actions}
    assert told == {"李家坝教学点", "新塘小学", "苦竹岩小学", "张家坳教学点"}
    # The rest is the rest: every other school of the township that is not its central one.
    schools = region.schools
    here = schools[(schools["township"] == "桐子园镇") & (schools["grade_from"] == 1)]
    assert told == set(here.loc[here["role"] != "central", "name"])
    assert moved_twice(posed.scenario, posed.problem, names) == []


def test_every_command_and_option_of_the_readme_is_there(readme: str) -> None:
    from typer.main import get_command

    commands = get_command(app).commands
    rows = re.findall(r"`catchment (\w+)([^`]*)`", readme)
    assert len(rows) > 15
    for name, rest in rows:
        assert name in commands, name
        options = {o for p in commands[name].params for o in p.opts}
        for option in re.findall(r"--[\w-]+", rest):
            assert option in options, (name, option)
    proposes = {o for p in commands["propose"].params for o in p.opts}
    for option in ("--plans", "--closures", "--finish", "--hand", "--build"):
        assert option in proposes
        assert option in readme
