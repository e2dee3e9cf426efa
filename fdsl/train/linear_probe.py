"""A linear probe: logistic regression on features, its penalty chosen on training images only."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fdsl.datasets.subsets import stratified_folds
from fdsl.schema.probe import Probe

log = logging.getLogger(__name__)

ROUNDING = 1e-6  # features come in single precision


@dataclass(frozen=True)
class Standard:
    """Mean and standard deviation, (d,), of some features; both are those of fitted images only."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @classmethod
    def of(cls, features: NDArray[np.floating]) -> Standard:
        """Return the statistics of features (n, d)."""
        values = features.astype(np.float64)
        return cls(values.mean(axis=0), values.std(axis=0))

    def __call__(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return standardised features; one that was constant to rounding becomes 0 everywhere."""
        varies = self.deviation > ROUNDING * np.abs(self.mean)
        scale = np.divide(1.0, self.deviation, out=np.zeros_like(self.deviation), where=varies)
        return (features - self.mean) * scale


@dataclass(frozen=True)
class LinearProbe:
    """A fitted probe.

    Attributes
    ----------
    inverse_penalty
        scikit-learn's C, the candidate with most correct predictions in the cross-validation.
    correct
        Correct predictions of the cross-validation with it, over all training images.
    folds
        That it had.
    finished
        Whether the final fit reached the tolerance.
    """

    inverse_penalty: float
    correct: int
    folds: int
    finished: bool
    standard: Standard
    regression: Any

    def predict(self, features: NDArray[np.floating]) -> NDArray[np.int64]:
        """Return the classes, int64 (m,), of features (m, d)."""
        return np.asarray(self.regression.predict(self.standard(features)), dtype=np.int64)


def fit(
    features: NDArray[np.floating], labels: NDArray[np.int64], *, settings: Probe, seed: int
) -> LinearProbe:
    """Fit a probe with L2 penalty (not on the intercept) by a Newton method.

    The protocol is that of Kornblith et al. 2019 (arXiv:1805.08974, A.3) with cross-validation
    instead of a validation part. Features are standardised with the statistics of the images that
    are fitted, in each fold anew. Of candidates with equally many correct predictions the strongest
    penalty is taken. Everything is held in memory in double precision: n × (d + classes) numbers a
    few times over.

    Parameters
    ----------
    features
        (n, d), finite.
    labels
        (n,), 0 or above.
    settings
        Candidates for scikit-learn's C, folds (as many as the smallest class has images where that
        is less, so that every fold fits every class), and the limits of one fit.
    seed
        Root of the seed tree, for the folds.

    Raises
    ------
    ValueError
        If there is one class only, or a class with a single image, which cannot be both fitted and
        held out.
    """
    folds = possible_folds(labels, folds=settings.folds)
    fold = stratified_folds(labels, folds=folds, seed=seed)
    limits = {"tol": settings.tolerance, "max_iter": settings.max_iterations}
    candidates = settings.inverse_penalties
    correct = np.zeros(len(candidates), dtype=np.int64)
    for number in range(folds):
        fitted, held = fold != number, fold == number
        standard = Standard.of(features[fitted])
        seen, unseen = standard(features[fitted]), standard(features[held])
        path = _path(seen, labels[fitted], candidates, **limits)
        for place, (regression, _) in enumerate(path):
            correct[place] += int((regression.predict(unseen) == labels[held]).sum())
    best = int(correct.argmax())
    chosen, ends = candidates[best], {0, len(candidates) - 1}
    if best in ends and (np.delete(correct, best) < correct[best]).all():
        log.warning("C = %g is best at the end of %s", chosen, list(candidates))
    standard = Standard.of(features)
    [(regression, finished)] = _path(standard(features), labels, [chosen], **limits)
    return LinearProbe(chosen, int(correct[best]), folds, finished, standard, regression)


def possible_folds(labels: NDArray[np.int64], *, folds: int) -> int:
    """Return `folds`, at most the size of the smallest class; ValueError if that is below 2."""
    names, sizes = np.unique(labels, return_counts=True)
    if len(names) < 2:
        raise ValueError(
            f"the training images hold {len(names)} class: a linear probe tells two or more apart"
        )
    if sizes.min() < 2:
        raise ValueError(
            f"class {names[sizes.argmin()]} has one training image: "
            "cross-validation needs two or more of each class, so take more train_labels"
        )
    return min(folds, int(sizes.min()))


def _path(
    values: NDArray[np.float64],
    labels: NDArray[np.int64],
    inverse_penalties: Sequence[float],
    **limits: float,
) -> Iterator[tuple[Any, bool]]:
    """Yield the regression at each candidate, started from the one before, and if it finished."""
    from sklearn.linear_model import LogisticRegression

    regression = LogisticRegression(solver="newton-cg", warm_start=True, **limits)
    for inverse_penalty in inverse_penalties:
        regression.set_params(C=inverse_penalty)
        with warnings.catch_warnings(record=True) as complaints:
            warnings.simplefilter("always")
            regression.fit(values, labels)
        for complaint in complaints:
            log.warning("linear probe, C = %g: %s", inverse_penalty, complaint.message)
        yield regression, not complaints
