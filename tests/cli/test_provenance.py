"""The commands about provenance: what they print, and how they exit."""

import json
from pathlib import Path

import pytest
from lineage.finished import CELL, TABLE, expected, finish
from typer.testing import CliRunner

from fdsl.cli import app


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    finish(expected())


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_chain_of_a_cell_as_tree_and_as_json(results):
    shown = invoke("provenance", TABLE, "--cell", *CELL)
    assert shown.exit_code == 0, shown.output
    assert "formula fractaldb" in shown.output
    plain = json.loads(invoke("provenance", TABLE, "--cell", *CELL, "--json").output)
    assert plain["target"] == TABLE


def test_verification_exits_with_1_for_damage_and_if_strict_for_what_is_stale(results):
    fine = invoke("verify", "results", "--strict")
    assert fine.exit_code == 0, fine.output
    assert "0 damaged, 0 stale, 0 foreign" in fine.output
    other = ["verify", "results", "--set", "dataset_seed=5"]
    assert invoke(*other).exit_code == 0
    assert "stale    results/" in invoke(*other).output
    assert invoke(*other, "--strict").exit_code == 1
    Path("results/tables/table3.md").write_text("other")
    damaged = invoke("verify", "results")
    assert damaged.exit_code == 1
    assert "damaged  results/tables/table3.md: has sha256" in damaged.output
    plain = json.loads(invoke("verify", "results", "--json").output)
    assert plain["findings"][0]["status"] == "damaged"


def test_a_crate_says_what_is_in_it(results):
    pytest.importorskip("rocrate")
    packed = invoke("crate", TABLE, "--out", "table3.zip")
    assert packed.exit_code == 0, packed.output
    assert "files" in packed.output
    assert Path("table3.zip").is_file()
