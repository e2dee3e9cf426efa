"""Intervals and tests err as often as they say; simulations are seeded."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy import stats

from fdsl.report import statistics
from fdsl.report.statistics import FAMILY_ERROR, POWER

SIMULATIONS = 100_000
STUDY = Path(__file__).parents[2] / "workflow" / "studies" / "contours.yaml"
# Differences with known mean. Two equally skewed errors differ symmetrically, unequal ones do not
# (skewness 1.25 and 1.3).
ERRORS = {
    "normal": (lambda rng, size: rng.normal(2, 3, size), 2),
    "exponential": (lambda rng, size: rng.exponential(1, size) - rng.exponential(1, size), 0),
    "unequal exponential": (
        lambda rng, size: rng.exponential(1, size) - rng.exponential(0.5, size),
        0.5,
    ),
    "unequal log-normal": (
        lambda rng, size: rng.lognormal(0, 0.5, size) - rng.lognormal(0, 0.25, size),
        np.exp(0.5**2 / 2) - np.exp(0.25**2 / 2),
    ),
}


@pytest.mark.parametrize("n", [3, 4, 5])
@pytest.mark.parametrize("errors", ERRORS)
def test_the_95_percent_interval_covers_the_mean(errors, n):
    draw, mean = ERRORS[errors]
    low, high = statistics.t_interval(draw(np.random.default_rng(n), (SIMULATIONS, n)))
    assert 0.93 <= np.mean((low <= mean) & (mean <= high)) <= 0.97


@pytest.mark.parametrize("n", [3, 4, 5])
def test_holm_errs_in_at_most_5_percent_of_studies_whose_claims_share_rows(n):
    claims = yaml.safe_load(STUDY.read_text(encoding="utf-8"))["claims"].values()
    names = sorted({row for claim in claims for row in [*claim["better"], *claim["worse"]]})
    scores = np.random.default_rng(n).normal(size=(20_000, n, len(names)))

    def group(members):
        return scores[..., [names.index(row) for row in members]].mean(axis=-1)

    effects = [group(claim["better"]) - group(claim["worse"]) for claim in claims]
    p = np.stack([statistics.t_test(values) for values in effects], axis=-1)
    assert p.shape[-1] == 13
    assert np.mean((p <= FAMILY_ERROR).any(axis=-1)) > 0.3  # why a correction is needed
    wrong = np.mean((statistics.holm(p) <= FAMILY_ERROR).any(axis=-1))
    assert 0.02 < wrong <= FAMILY_ERROR + 3 * np.sqrt(0.05 * 0.95 / 20_000)


@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize("sd", [0.2, 1, 3])
def test_equivalence_is_wrongly_claimed_at_most_5_percent_of_the_time_at_the_margin(n, sd):
    values = np.random.default_rng(n).normal(2, sd, (SIMULATIONS, n))
    wrong = np.mean(statistics.equivalence_test(values, margin=2) <= FAMILY_ERROR)
    assert wrong <= FAMILY_ERROR + 3 * np.sqrt(0.05 * 0.95 / SIMULATIONS)


def test_equivalence_holds_where_the_90_percent_interval_lies_within_the_margins():
    values = np.random.default_rng(0).normal(0.5, 1, (1000, 4))
    low, high = statistics.t_interval(values, level=statistics.EQUIVALENCE_LEVEL)
    inside = (low >= -2) & (high <= 2)
    assert 100 < inside.sum() < 900
    assert ((statistics.equivalence_test(values, margin=2) <= FAMILY_ERROR) == inside).all()


def test_p_values_are_those_of_scipy():
    values = np.array([1.0, 2.5, -0.5, 4.0])
    assert statistics.t_test(values, margin=0.5) == pytest.approx(
        stats.ttest_1samp(values, 0.5).pvalue
    )
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert statistics.t_interval(values, level=0.9) == pytest.approx((low, high))
    flipped = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert statistics.sign_flip_test(values) == pytest.approx(flipped.pvalue)


@pytest.mark.parametrize("n", [2, 5, 6])
def test_the_sign_flip_test_is_exact(n):
    assert statistics.sign_flip_test(np.arange(1.0, n + 1)) == 2 / 2**n
    assert statistics.sign_flip_test(np.full(n, 3.0), margin=3.0) == 1


def test_many_signs_are_sampled_and_repeat():
    values = np.random.default_rng(0).normal(0.5, 1, 24)
    p = statistics.sign_flip_test(values)
    assert p == statistics.sign_flip_test(values)
    assert p == pytest.approx(float(statistics.t_test(values)), abs=0.01)
    assert statistics.sign_flip_test(np.arange(1.0, 25)) > 0


def test_equal_replicates_prove_nothing():
    assert statistics.t_test(np.array([5.0, 5.0, 5.0])) == 1
    assert statistics.equivalence_test(np.array([0.0, 0.0, 0.0]), margin=1) == 0.5


def test_holm_is_the_textbooks():
    p = np.array([0.01, 0.04, 0.03, 0.005])
    assert statistics.holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm(np.array([])).shape == (0,)


@pytest.mark.parametrize(
    ("effect", "margin", "equivalent"), [(1.5, 0, False), (-1, 0.5, False), (0.3, 2, True)]
)
def test_the_number_of_replicates_has_the_power_and_one_fewer_has_not(effect, margin, equivalent):
    n = statistics.replicates_to_decide(
        effect, 1.2, margin=margin, equivalent=equivalent, error=0.05
    )

    def power(n):
        values = np.random.default_rng(1).normal(effect, 1.2, (SIMULATIONS, n))
        test = statistics.equivalence_test if equivalent else statistics.t_test
        return np.mean(test(values, margin=margin) <= 0.05)

    assert power(n) >= POWER - 0.01
    assert power(n - 1) < POWER + 0.01


def test_an_effect_at_the_margin_is_never_decided():
    assert (
        statistics.replicates_to_decide(1.0, 1.0, margin=1.0, equivalent=False, error=0.05) is None
    )


def test_images_decide_between_two_networks_as_the_textbook_says():
    rng = np.random.default_rng(0)
    first, second = rng.random(400) < 0.8, rng.random(400) < 0.7
    gained, lost = np.sum(first & ~second), np.sum(second & ~first)
    low, high = statistics.image_interval([first.astype(float) - second])
    effect = (gained - lost) / 400
    error = np.sqrt((gained + lost - (gained - lost) ** 2 / 400) / 399 / 400)
    assert (low, high) == pytest.approx((effect - 1.959964 * error, effect + 1.959964 * error))
    twice = statistics.image_interval([first.astype(float) - second] * 2)
    assert (twice[1] - twice[0]) == pytest.approx((high - low) / np.sqrt(2))
