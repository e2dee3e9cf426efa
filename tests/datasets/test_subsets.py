"""Few-label subsets and validation parts: balanced, seeded, nested, disjoint."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from fdsl.datasets.subsets import few_labels, holdout, shuffled_labels, stratified_folds

LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(7), 20))
SEEDS = st.integers(0, 2**63 - 1)


@settings(deadline=None)
@given(count=st.integers(1, 140), seed=SEEDS)
def test_few_labels_are_balanced_and_repeatable(count, seed):
    chosen = few_labels(LABELS, count=count, seed=seed)
    assert chosen.dtype == np.int64
    assert len(np.unique(chosen)) == count
    assert (np.diff(chosen) > 0).all()
    sizes = np.bincount(LABELS[chosen], minlength=7)
    assert sizes.max() - sizes.min() <= 1
    np.testing.assert_array_equal(chosen, few_labels(LABELS.tolist(), count=count, seed=seed))


@settings(deadline=None, max_examples=50)
@given(counts=st.tuples(st.integers(1, 140), st.integers(1, 140)), seed=SEEDS)
def test_fewer_labels_are_a_subset_of_more(counts, seed):
    small, large = (
        set(few_labels(LABELS, count=count, seed=seed).tolist()) for count in sorted(counts)
    )
    assert small <= large


def test_seeds_differ_and_classes_are_independent():
    a, b = (few_labels(LABELS, count=35, seed=seed) for seed in (0, 1))
    assert a.tolist() != b.tolist()
    without = np.where(LABELS == 3, 8, LABELS)  # the same images of the other classes
    kept = few_labels(without, count=35, seed=0)
    np.testing.assert_array_equal(a[LABELS[a] != 3], kept[without[kept] != 8])


def test_every_image_and_every_class_of_the_remainder_has_its_chance():
    counts = np.zeros(len(LABELS))
    for seed in range(300):
        counts[few_labels(LABELS, count=10, seed=seed)] += 1
    assert counts.min() > 5  # expected 21
    per_class = np.bincount(LABELS, weights=counts)
    assert per_class.min() > 300 + 80  # expected 300 × (1 + 3/7)


@pytest.mark.parametrize("count", [0, -1, 141])
def test_counts_out_of_range_are_refused(count):
    with pytest.raises(ValueError, match=f"count = {count} is out of range: choose from 1 to 140"):
        few_labels(LABELS, count=count, seed=0)


def test_a_class_with_too_few_images_is_named():
    labels = [0] * 10 + [4] * 2 + [5] * 10
    with pytest.raises(ValueError, match=r"class 4 has 2 images but count = 12 needs 4.*up to 6"):
        few_labels(labels, count=12, seed=0)
    assert len(few_labels(labels, count=6, seed=0)) == 6


@settings(deadline=None)
@given(fraction=st.floats(0.001, 0.999), seed=SEEDS)
def test_holdout_divides_each_class(fraction, seed):
    train, validation = holdout(LABELS, fraction=fraction, seed=seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, validation])), np.arange(140))
    sizes = np.bincount(LABELS[validation], minlength=7)
    assert set(sizes.tolist()) == {min(max(round(20 * fraction), 1), 19)}
    again = holdout(LABELS, fraction=fraction, seed=seed)
    np.testing.assert_array_equal(again[1], validation)


def test_holdout_does_not_repeat_the_few_label_choice():
    chosen = few_labels(LABELS, count=70, seed=0)
    _, validation = holdout(LABELS, fraction=0.5, seed=0)
    assert chosen.tolist() != validation.tolist()


@pytest.mark.parametrize("fraction", [0, 1, -0.5, float("nan")])
def test_fractions_out_of_range_are_refused(fraction):
    with pytest.raises(ValueError, match=r"fraction = .* is out of range"):
        holdout(LABELS, fraction=fraction, seed=0)


def test_holdout_of_a_single_image_is_refused():
    with pytest.raises(ValueError, match="class 7 has one image"):
        holdout([1, 1, 7], fraction=0.5, seed=0)


@pytest.mark.parametrize("labels", [[], [[1]], [0.5], [-1, 2]])
def test_labels_of_another_kind_are_refused(labels):
    with pytest.raises(ValueError, match="labels must be"):
        few_labels(labels, count=1, seed=0)


@settings(deadline=None, max_examples=50)
@given(folds=st.integers(2, 20), seed=SEEDS)
def test_folds_hold_every_image_once_and_every_class_in_its_share(folds, seed):
    fold = stratified_folds(LABELS, folds=folds, seed=seed)
    assert (fold.shape, fold.dtype) == (LABELS.shape, np.int64)
    sizes = np.bincount(fold, minlength=folds)
    assert len(sizes) == folds
    assert sizes.max() - sizes.min() <= 1
    for label in range(7):
        shares = np.bincount(fold[label == LABELS], minlength=folds)
        assert shares.max() - shares.min() <= 1
    np.testing.assert_array_equal(fold, stratified_folds(LABELS, folds=folds, seed=seed))


def test_another_seed_deals_other_folds():
    first, second = (stratified_folds(LABELS, folds=5, seed=seed) for seed in (0, 1))
    assert first.tolist() != second.tolist()


@pytest.mark.parametrize("folds", [1, 141])
def test_impossible_folds_are_refused(folds):
    with pytest.raises(ValueError, match=f"folds = {folds} is out of range: choose from 2 to 140"):
        stratified_folds(LABELS, folds=folds, seed=0)


@settings(deadline=None, max_examples=50)
@given(seed=SEEDS)
def test_shuffled_labels_are_the_same_labels_in_another_order(seed):
    found = shuffled_labels(LABELS, seed=seed)
    assert np.bincount(found).tolist() == [20] * 7
    assert (found == LABELS).mean() < 0.5
    np.testing.assert_array_equal(found, shuffled_labels(LABELS.tolist(), seed=seed))


def test_the_order_of_shuffled_labels_is_permanent():
    assert shuffled_labels(np.arange(6), seed=0).tolist() == [1, 4, 5, 3, 2, 0]
