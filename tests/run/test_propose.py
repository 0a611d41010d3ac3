"""The optimiser's proposal is a recipe that runs, with a bound and nothing broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from catchment.cli import main
from catchment.run import propose, run_scenario
from catchment.scenario import parse_scenario, read_scenario
from tests.tiny_files import write_tiny
from tests.tiny_region import tiny_region


def test_a_proposal_is_certified_and_runs_as_a_recipe() -> None:
    scenario = parse_scenario({"name": "试", "years": [2026, 2027, 2028]})
    proposal = propose(scenario, tiny_region(students=3), time_limit=10, prices=1)
    assert proposal.violations == ()
    assert proposal.status in ("optimal", "feasible")
    assert proposal.bound <= proposal.objective * (1 + 1e-9)
    assert proposal.costs["plan"].sum() == pytest.approx(proposal.objective, rel=1e-9)
    # Keeping everything is one of the plans there are.
    assert proposal.objective <= proposal.costs["keep"].sum() + 1e-6
    run = run_scenario(parse_scenario(proposal.recipe), tiny_region(students=3))
    assert run.conservation["unserved"].tolist() == [0, 0, 0]


def test_the_command_writes_a_recipe_that_reads_back(tmp_path: Path) -> None:
    county = write_tiny(tmp_path / "county")
    with pytest.raises(SystemExit) as stopped:
        main(
            [
                "propose",
                str(county / "scenario.toml"),
                "--time-limit",
                "5",
                "--out",
                str(tmp_path / "p"),
            ]
        )
    assert stopped.value.code in (0, None)
    recipe = read_scenario(tmp_path / "p" / "proposal.toml")
    assert recipe.years == (2026, 2028)
    assert (tmp_path / "p" / recipe.region / "region.toml").is_file()
