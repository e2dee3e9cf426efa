"""Files of measured rates: which one is read, and what is taken where a measurement is missing."""

import json
from pathlib import Path

import pytest
from forecast.given import configuration, shipped

from fdsl.forecast import rates
from fdsl.forecast.amount import Origin
from fdsl.forecast.rates import Rates
from fdsl.io.storage import DamagedFile
from fdsl.schema.base import ConfigError


def test_the_place_is_the_users_and_can_be_chosen(monkeypatch):
    monkeypatch.delenv("FDSL_RATES", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert rates.default_path() == Path.home() / ".local/share/fdsl/rates.json"
    monkeypatch.setenv("XDG_DATA_HOME", "/elsewhere")
    assert rates.default_path() == Path("/elsewhere/fdsl/rates.json")
    monkeypatch.setenv("FDSL_RATES", "/mine.json")
    assert rates.default_path() == Path("/mine.json")


def test_without_a_file_the_shipped_rates_serve_and_with_one_it_goes_before(tmp_path, monkeypatch):
    monkeypatch.setenv("FDSL_RATES", str(tmp_path / "rates.json"))
    known = rates.load()
    assert known.own is None
    _, origin = known.start("training")
    assert origin == Origin.SHIPPED
    mine = known.shipped.model_dump(mode="json")
    mine |= {"starts": [{"kind": "training", "seconds": 99, "memory_mb": 1}], "judging": None}
    (tmp_path / "rates.json").write_text(json.dumps(mine), encoding="utf-8")
    known = rates.load()
    begin, origin = known.start("training")
    assert (begin.seconds, origin) == (99, Origin.MEASURED)
    assert known.start("report")[1] == Origin.SHIPPED  # which mine lacks
    assert known.one("judging")[1] == Origin.SHIPPED
    assert known.one("picture_s")[1] == Origin.MEASURED


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("{}", ConfigError, "no|not a file of rates"),
        ('{"format": 1, "rows": []}', ConfigError, "run `fdsl bench --save` again"),
        ("{", DamagedFile, "not valid JSON"),
        ('{"format": 2}', ConfigError, "machine is missing"),
    ],
)
def test_another_file_is_refused(tmp_path, content, error, message):
    path = tmp_path / "rates.json"
    path.write_text(content)
    with pytest.raises(error, match=message):
        rates.load(path)


def test_a_named_file_must_be_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        rates.load(tmp_path / "nothing.json")


@pytest.mark.parametrize("scale", ["laptop", "workstation", "paper"])
def test_every_dataset_of_every_scale_was_measured(scale):
    config, known = configuration(), shipped()
    for name in config.synthetic:
        _, origin, words = known.drawing(config.dataset(scale, name))
        assert (origin, words) == (Origin.SHIPPED, ()), name


def test_other_settings_are_derived_from_the_nearest_size():
    config, known = configuration(), shipped()
    entry = config.dataset("paper", "fractaldb1k")
    measured, _, _ = known.drawing(entry)
    change = {"points": 400_000, "image_size_px": 724}
    larger = entry.model_copy(update={"settings": {**entry.settings, **change}})
    found, origin, words = known.drawing(larger)
    assert origin == Origin.ASSUMED
    assert "FractalDB-1k at 724 px was not measured" in words[0]
    near = next(
        e for e, _ in known.each("drawing") if e.formula == "fractaldb" and e.image_size_px == 362
    )
    assert found.draw_s == pytest.approx(near.draw_s * 400_000 / near.settings["points"])
    assert found.shard_bytes == pytest.approx(near.shard_bytes * 4)
    assert found.search_s == near.search_s
    assert measured.draw_s < found.draw_s


def test_a_formula_that_was_never_measured_is_refused_with_the_remedy():
    few = shipped().shipped.model_copy(update={"drawing": ()})
    with pytest.raises(ConfigError, match=r"formula rcdb was measured.*run `fdsl bench --save`"):
        Rates(few).drawing(configuration().dataset("paper", "rcdb1k"))


def test_shipped_rates_say_where_they_were_measured():
    machine = shipped().shipped.machine
    assert machine.environment["cores"] >= 1
    assert machine.environment["processor"]
    assert machine.words
