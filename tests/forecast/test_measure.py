"""Measuring a machine: rates that a forecast can be made from, and that hold for a real job."""

import subprocess
import sys
import time

import pytest
from forecast.given import ROOT, children_s, configuration, published, shipped

from fdsl.forecast import measure
from fdsl.forecast.forecast import forecast
from fdsl.forecast.rates import MachineRates, Rates
from fdsl.plan import Plan

SHARD = "results/laptop/images/rcdb1k/shard-0000.arrow"


@pytest.fixture(scope="module")
def measured():
    """A small machine: two datasets, and everything else that `fdsl bench --save` measures."""
    few = configuration()
    names = ("rcdb1k", "fractaldb1k")
    few = few.model_copy(update={"synthetic": {name: few.synthetic[name] for name in names}})
    steps = list(measure.measure(few, seconds=0.2))
    assert all(isinstance(step, str) for step in steps[:-1])
    return steps[-1]


@pytest.mark.slow
def test_everything_that_a_forecast_needs_is_measured(measured):
    ours, theirs = measured, shipped().shipped
    assert isinstance(ours, MachineRates)
    assert MachineRates.model_validate(ours.model_dump(mode="json")) == ours
    for kind, key in (("loading", "kind"), ("starts", "kind")):
        assert {getattr(x, key) for x in getattr(ours, kind)} == {
            getattr(x, key) for x in getattr(theirs, kind)
        }
    assert {(x.network, x.precision) for x in ours.training} >= {
        ("vit_micro", "bf16"), ("vit_micro", "fp32"),
    }  # fmt: skip
    # the same work, so the same order of magnitude on any machine of these years
    for mine, other in (
        (ours.judging.seconds, theirs.judging.seconds),
        (ours.picture_s, theirs.picture_s),
    ):
        assert 0.05 < mine / other < 20


@pytest.mark.slow
def test_a_shard_takes_what_fresh_rates_say(measured, tmp_path):
    config = configuration()
    found = forecast(
        config, [SHARD], rates=Rates(shipped().shipped, measured), published=published()
    )
    expected = next(line for line in found.lines if line.rule == "render_shard")
    plan = Plan(config)
    parameters = ["--out", tmp_path / "p.parquet", "--digest", tmp_path / "p.json"]
    shard = [
        "--parameters",
        tmp_path / "p.parquet",
        "--out",
        tmp_path / "s.arrow",
        "--digest",
        tmp_path / "s.json",
    ]
    verbs = [
        ["sample-parameters", "--order", plan.sampling("laptop", "rcdb1k"), *parameters],
        ["render-shard", "--order", plan.rendering("laptop", "rcdb1k", "0000"), *shard],
    ]
    for verb in verbs:
        before = children_s()
        subprocess.run(
            [sys.executable, "-m", "fdsl", *map(str, verb)],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        spent = children_s() - before
    assert expected.core_s.value == pytest.approx(spent, rel=0.5)
    assert expected.disk_bytes.value == pytest.approx(
        (tmp_path / "s.arrow").stat().st_size, rel=0.5
    )


def test_a_repeated_piece_of_work_is_timed_by_its_mean():
    assert measure._seconds_each(lambda: time.sleep(0.01), 0.05, time.monotonic) == pytest.approx(
        0.01, rel=0.5
    )
