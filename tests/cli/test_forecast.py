"""The commands about cost, as a user types them."""

import json
from types import SimpleNamespace

import pytest
from cli.invocation import ok, run
from forecast.given import ROOT, shipped

from fdsl.forecast import measure
from fdsl.io.storage import DamagedFile
from fdsl.schema.base import ConfigError

TABLE3 = "results/tables/table3.csv"


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch, tmp_path):
    """Where config.yaml is, with a machine of which nothing is known."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("FDSL_RATES", str(tmp_path / "rates.json"))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.parametrize("command", ["forecast", "bench"])
def test_every_command_explains_itself(command):
    text = ok(command, "--help")
    assert "Usage" in text
    assert len(text) > 500


def test_a_forecast_says_what_and_from_what():
    text = ok("forecast", TABLE3, "--scale", "paper", "--gpu", "RTX 4090")
    for words in (
        "table3.csv at paper scale, from nothing, trainings on the RTX 4090",
        "render_shard",
        "total",
        "401",
        "shards (configured)",
        "stream (the other way)",
        "from published rates",
        "This machine: none measured",
        "Shipped rates: 20",
        "imagenet1k 155 GB",
        "size not stated: cars",
        "training on the RTX 4090: from the published speed of evaluation",
    ):
        assert words in text, words


def test_keys_of_the_configuration_can_be_changed():
    slow = ok("forecast", TABLE3, "--scale", "paper", "--set", "loader_workers=0")
    fast = ok("forecast", TABLE3, "--scale", "paper")
    assert "loader_workers: 0" in slow
    assert "loader_workers: 0" not in fast
    assert "at paper scale" in ok("forecast", TABLE3, "--set", "scale=paper")


def test_rates_of_this_machine_are_named(tmp_path):
    mine = shipped().shipped.model_dump(mode="json")
    mine["machine"] |= {"words": "my own machine"}
    (tmp_path / "rates.json").write_text(json.dumps(mine), encoding="utf-8")
    text = ok("forecast", TABLE3)
    assert "my own machine" in text
    assert "from rates measured on this machine" in text
    other = tmp_path / "other.json"
    other.write_text(json.dumps(mine).replace("my own machine", "another one"), encoding="utf-8")
    assert "another one" in ok("forecast", TABLE3, "--rates", other)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["forecast", "table3"], ConfigError, "no file of the workflow"),
        (
            ["forecast", TABLE3, "--scale", "lptop"],
            ConfigError,
            "'laptop', 'workstation' or 'paper'",
        ),
        (["forecast", TABLE3, "--gpu", "GTX 480"], ConfigError, "gpu_rates.csv"),
        (["bench", "rcdb_1k"], ConfigError, "did you mean 'rcdb1k'"),
    ],
)
def test_faults_are_refused_with_the_remedy(arguments, error, message):
    with pytest.raises(error, match=message):
        run(*arguments)


def test_bench_prints_its_numbers():
    text = ok("bench", "rcdb1k", "--seconds", 0)
    assert "images/s" in text
    assert "rcdb1k" in text


@pytest.mark.parametrize("arguments", [["rcdb1k", "--save"], ["--rates", "mine.json"]])
def test_what_bench_cannot_do_together_is_a_fault_of_use(arguments):
    assert run("bench", *arguments).exit_code == 2


def test_bench_keeps_what_it_measured_for_the_next_forecast(tmp_path, monkeypatch):
    mine = shipped().shipped.model_copy(deep=True)
    monkeypatch.setattr(measure, "measure", lambda *_, **__: iter(["drawing", mine]))
    for _ in range(2):  # rates replace older rates
        assert str(tmp_path / "rates.json") in ok("bench", "--save")
    assert "This machine: 20" in ok("forecast", TABLE3)


def test_bench_overwrites_nothing_but_rates(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "measure", lambda *_, **__: SimpleNamespace())
    held = tmp_path / "speed.json"
    held.write_text("mine")
    with pytest.raises(DamagedFile, match=r"speed\.json is in the way"):
        run("bench", "--save", "--rates", held)
    assert held.read_text() == "mine"
