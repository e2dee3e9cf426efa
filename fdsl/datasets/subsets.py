"""Choose images by label and seed: few-label subsets, validation splits, cross-validation folds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fdsl.seeding.tree import Stage, generator

Indices = NDArray[np.int64]

FEW, HOLDOUT, EXTRA, FOLDS = 0, 1, 2, 3  # branches of the seed tree below Stage.SPLIT; permanent


def few_labels(labels: ArrayLike, *, count: int, seed: int) -> Indices:
    """Choose `count` images, spread evenly over the classes that occur.

    Each class gives count // classes images; the remainder comes from classes drawn by the seed,
    one image each. The choice in one class does not depend on the other classes' images, and a
    smaller count gives a subset of a larger count's choice, so that a curve over counts compares
    nested sets.

    Parameters
    ----------
    labels
        Integers (n,).
    count
        From 1 to n.
    seed
        Root of the seed tree.

    Returns
    -------
    Ascending indices, int64 (count,).

    Raises
    ------
    ValueError
        If count is out of range or a class has too few images.
    """
    array = _labels(labels)
    if not 1 <= count <= len(array):
        raise ValueError(f"count = {count} is out of range: choose from 1 to {len(array)} images")
    names, sizes = np.unique(array, return_counts=True)
    place = generator(seed, EXTRA, Stage.SPLIT).permutation(len(names))
    quota = count // len(names) + (place < count % len(names))
    if (short := np.flatnonzero(sizes < quota)).size:
        first = short[0]
        raise ValueError(
            f"class {names[first]} has {sizes[first]} images but count = {count} needs"
            f" {quota[first]} of it; a count up to {int(sizes.min()) * len(names)} is always"
            " possible"
        )
    chosen = [members[:n] for members, n in zip(_shuffled(array, FEW, seed), quota, strict=True)]
    return np.sort(np.concatenate(chosen))


def holdout(labels: ArrayLike, *, fraction: float, seed: int) -> tuple[Indices, Indices]:
    """Divide training images into some to train on and some to choose settings with.

    Settings are chosen on the latter, never on test images. Each class gives fraction × its size,
    rounded, at least one image and at most all but one.

    Parameters
    ----------
    labels
        Integers (n,), at least two images per class.
    fraction
        Above 0 and below 1.
    seed
        Root of the seed tree.

    Returns
    -------
    Ascending, disjoint indices, int64: (training, validation).

    Raises
    ------
    ValueError
        If the fraction is out of range or a class has a single image.
    """
    array = _labels(labels)
    if not 0 < fraction < 1:
        raise ValueError(f"fraction = {fraction} is out of range: choose between 0 and 1")
    train, validation = [], []
    for members in _shuffled(array, HOLDOUT, seed):
        if len(members) < 2:
            raise ValueError(f"class {array[members[0]]} has one image: it needs two or more")
        held = min(max(round(fraction * len(members)), 1), len(members) - 1)
        validation.append(members[:held])
        train.append(members[held:])
    return np.sort(np.concatenate(train)), np.sort(np.concatenate(validation))


def stratified_folds(labels: ArrayLike, *, folds: int, seed: int) -> Indices:
    """Deal images into stratified folds of a cross-validation.

    Each class continues where the previous one ended: folds differ by at most one image in size,
    and by at most one image of any class.

    Parameters
    ----------
    labels
        Integers (n,).
    folds
        From 2 to n.
    seed
        Root of the seed tree.

    Returns
    -------
    The fold of each image, int64 (n,), 0 … folds - 1.

    Raises
    ------
    ValueError
        If folds is out of range.
    """
    array = _labels(labels)
    if not 2 <= folds <= len(array):
        raise ValueError(f"folds = {folds} is out of range: choose from 2 to {len(array)} images")
    dealt = np.concatenate(list(_shuffled(array, FOLDS, seed)))
    fold = np.empty(len(array), dtype=np.int64)
    fold[dealt] = np.arange(len(array)) % folds
    return fold


def shuffled_labels(labels: ArrayLike, *, seed: int) -> Indices:
    """Return the labels permuted over the images by `seed`: each class keeps its number of images.

    `labels` are integers (n,), or (n, classes), whose rows are permuted.
    """
    shuffled: Indices = generator(seed, Stage.SHUFFLE_LABELS).permutation(np.asarray(labels))
    return shuffled


def _labels(labels: ArrayLike) -> Indices:
    array = np.asarray(labels)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu" or array.min() < 0:
        raise ValueError(
            f"labels must be at least one non-negative integer (n,), got {array.dtype}"
            f" {array.shape}"
        )
    return array.astype(np.int64)


def _shuffled(labels: Indices, branch: int, seed: int) -> Iterator[Indices]:
    """Yield the indices of each class in ascending order, each shuffled by its own branch."""
    by_class = np.argsort(labels, kind="stable")
    names, starts = np.unique(labels[by_class], return_index=True)
    for name, members in zip(names.tolist(), np.split(by_class, starts[1:]), strict=True):
        yield generator(seed, branch, name, Stage.SPLIT).permutation(members)
