"""Measuring a machine leaves rates that a forecast can be made from; how well they hold, benchmarks
and runs say.
"""

import pytest
from forecast.given import configuration, shipped

from fdsl.forecast import measure
from fdsl.forecast.rates import MachineRates


@pytest.fixture(scope="module")
def module_patch():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def measured(module_patch):
    """A small machine: two datasets, and everything else that `fdsl bench --save` measures."""
    # a start costs the imports, which every other test of a process pays for too
    module_patch.setattr(measure, "STARTS", dict.fromkeys(measure.STARTS, "import fdsl"))
    few = configuration()
    names = ("rcdb1k", "fractaldb1k")
    few = few.model_copy(update={"synthetic": {name: few.synthetic[name] for name in names}})
    steps = list(measure.measure(few, seconds=0.2))
    assert all(isinstance(step, str) for step in steps[:-1])
    return steps[-1]


@pytest.mark.bench
def test_everything_that_a_forecast_needs_is_measured(measured):
    ours, theirs = measured, shipped().shipped
    assert isinstance(ours, MachineRates)
    assert MachineRates.model_validate(ours.model_dump(mode="json")) == ours
    for kind, key in (("loading", "kind"), ("starts", "kind")):
        assert {getattr(x, key) for x in getattr(ours, kind)} == {
            getattr(x, key) for x in getattr(theirs, kind)
        }
    assert {(x.network, x.precision) for x in ours.training} >= {
        ("vit_micro", "bf16"),
        ("vit_micro", "fp32"),
    }
    # the same work, so the same order of magnitude on any machine of these years
    for mine, other in (
        (ours.judging.seconds, theirs.judging.seconds),
        (ours.picture_s, theirs.picture_s),
    ):
        assert 0.05 < mine / other < 20
