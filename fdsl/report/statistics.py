"""Tests, intervals and power over replicates: one replicate is one run of the whole pipeline.

Replicates are independent and results are paired by replicate. Student's t assumes normal
differences. For 3 to 5 replicates the true coverage of its 95 % interval is 95 % for normal, 96 to
98 % for symmetric heavy-tailed, and 93 to 95 % for moderately skewed differences (skewness up to
1.3), but 88 % for exponential and 82 % for log-normal ones (skewness 2 and 6). Paired differences
of equally skewed errors are symmetric. Functions that take an array test along its last axis.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from fdsl.seeding import tree
from fdsl.seeding.tree import Stage

Floats = NDArray[np.float64]

LEVEL = 0.95
EQUIVALENCE_LEVEL = 0.90
FAMILY_ERROR = 0.05
POWER = 0.8
MOST_REPLICATES = 1000
MOST_EXACT = 16
SAMPLED_PATTERNS = 2**16
ROUNDING = 1e-9


def t_interval(values: Floats, *, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Return Student's t interval of the mean of at least two values.

    Parameters
    ----------
    values
        Shape (..., n), paired differences.
    level
        Coverage, between 0 and 1.

    Returns
    -------
    tuple of arrays
        Lower and upper bound, shape (...).
    """
    half = half_width(values.std(axis=-1, ddof=1), values.shape[-1], level=level)
    mean = values.mean(axis=-1)
    return mean - half, mean + half


def half_width(sd: Floats, n: NDArray[np.int64] | int, *, level: float) -> Floats:
    """Return half the width of Student's t interval; NaN for n = 1."""
    half: Floats = stats.t.ppf((1 + level) / 2, np.subtract(n, 1)) * sd / np.sqrt(n)
    return half


def t_test(values: Floats, *, margin: float = 0.0) -> Floats:
    """Return the two-sided p value of Student's t test of mean = `margin`.

    Values without spread give 1: accuracies are counts, so equal ones are no proof.
    """
    p: Floats = 2 * stats.t.sf(np.abs(_t(values, margin)), values.shape[-1] - 1)
    return p


def equivalence_test(values: Floats, *, margin: float) -> Floats:
    """Return the p value of two one-sided t tests (TOST) of -margin < mean < margin; the claim
    holds at 5 % where the 90 % interval lies within the margins.
    """
    distance = np.minimum(_t(values, -margin), -_t(values, margin))
    p: Floats = stats.t.sf(distance, values.shape[-1] - 1)
    return p


def sign_flip_test(values: Floats, *, margin: float = 0.0) -> float:
    """Return the two-sided sign-flip p value of mean = `margin`, for symmetric differences.

    It is exact up to `MOST_EXACT` values (all 2^n patterns, so at least 2 / 2^n); beyond that it
    compares with `SAMPLED_PATTERNS` patterns of a fixed seed.

    Parameters
    ----------
    values
        Shape (n,).
    """
    centred, n = values - margin, len(values)
    if n <= MOST_EXACT:
        patterns = np.arange(2**n)[:, None] >> np.arange(n) & 1
    else:
        rng = tree.generator(0, 0, 0, 0, Stage.BOOTSTRAP)
        patterns = rng.integers(0, 2, (SAMPLED_PATTERNS, n))
        patterns[0] = 0  # the values as they are count too, so p is never 0
    flipped = np.abs((1 - 2 * patterns) @ centred)
    return float(np.mean(flipped >= abs(centred.sum()) - ROUNDING))


def holm(p: Floats) -> Floats:
    """Return Holm's adjusted p values of the families along the last axis.

    Rejecting those up to 0.05 errs in at most 5 % of families, however the tests depend on one
    another.
    """
    order = np.argsort(p, axis=-1)
    steps = np.arange(p.shape[-1], 0, -1)
    ranked = np.maximum.accumulate(np.take_along_axis(p, order, -1) * steps, axis=-1)
    adjusted = np.empty_like(ranked)
    np.put_along_axis(adjusted, order, np.minimum(ranked, 1), -1)
    return adjusted


def replicates_to_decide(
    effect: float, sd: float, *, margin: float, equivalent: bool, error: float
) -> int | None:
    """Return the smallest number of replicates that decides an effect with probability 0.8, if the
    true effect and standard deviation are those seen.

    Parameters
    ----------
    effect, sd, margin
        Points; `sd` of the paired differences, positive.
    equivalent
        Whether the claim is -margin < effect < margin (TOST; its power is bounded from below by
        that of both one-sided tests) and not effect > margin.
    error
        Level of the test: 5 % divided by the claims of the family that are still undecided, which
        is what Holm's next step asks for.

    Returns
    -------
    int or None
        None above `MOST_REPLICATES`.
    """
    n = np.arange(2, MOST_REPLICATES + 1)
    unit = np.sqrt(n) / sd
    if equivalent and abs(effect) < margin:
        critical = stats.t.ppf(1 - error, n - 1)
        above, below = (
            stats.nct.sf(critical, n - 1, distance * unit)
            for distance in (effect + margin, margin - effect)
        )
        power = above + below - 1
    else:
        distance = abs(effect) - margin if equivalent else abs(effect - margin)
        power = stats.nct.sf(stats.t.ppf(1 - error / 2, n - 1), n - 1, distance * unit)
    enough = np.flatnonzero(power >= POWER)
    return int(n[enough[0]]) if len(enough) else None


def image_interval(differences: Sequence[Floats], *, level: float = LEVEL) -> tuple[float, float]:
    """Return the normal interval of a mean over test images, for these networks only.

    With two networks it is McNemar's comparison. It says nothing about another pre-training.

    Parameters
    ----------
    differences
        One array per dataset: better minus worse (0 or 1, or means of several networks) of each
        image. Datasets count equally and are independent.
    level
        Coverage, between 0 and 1.
    """
    mean = float(np.mean([values.mean() for values in differences]))
    variance = sum(values.var(ddof=1) / len(values) for values in differences)
    half = float(stats.norm.ppf((1 + level) / 2) * np.sqrt(variance) / len(differences))
    return mean - half, mean + half


def _t(values: Floats, margin: float) -> Floats:
    """Return the t statistic of mean - margin; 0 where the values have no spread."""
    spread = np.ptp(values, axis=-1) > ROUNDING
    error = np.where(spread, stats.sem(values, axis=-1), 1)
    return np.where(spread, (values.mean(axis=-1) - margin) / error, 0)
