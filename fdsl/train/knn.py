"""Weighted k-NN on frozen features, as DINO evaluates (Caron et al. 2021, after Wu et al. 2018)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CHUNK = 2**23  # similarities held at once: 64 MiB


def predict(
    train: NDArray[np.floating],
    labels: NDArray[np.int64],
    test: NDArray[np.floating],
    *,
    k: int,
    temperature: float,
) -> NDArray[np.int64]:
    """Classify features by the votes of their nearest training features.

    The k training features of largest cosine vote for their class with weight exp(cosine /
    temperature). Where the released code leaves the choice to the sort, ours is fixed: of equally
    near neighbours at the k-th place those of lower index vote, and of equal sums the lower class
    wins. Cosines are computed in double and compared in single precision, so that equal images are
    equally near whatever the order of summation. A feature of length 0 has cosine 0 with
    everything.

    Parameters
    ----------
    train
        (n, d), finite.
    labels
        Classes of `train`, (n,), 0 or above.
    test
        (m, d), finite.
    k
        1 to n.
    temperature
        Above 0.

    Returns
    -------
    Classes, int64 (m,).

    Raises
    ------
    ValueError
        If k is not from 1 to n.
    """
    require_neighbours(k, len(train))
    keys, queries = _directions(train), _directions(test)
    rows = max(1, CHUNK // len(keys))
    parts = [
        _vote(queries[start : start + rows] @ keys.T, labels, k=k, temperature=temperature)
        for start in range(0, len(queries), rows)
    ]
    return np.concatenate(parts)


def require_neighbours(k: int, images: int) -> None:
    """Raise ValueError unless there are k training images."""
    if not 1 <= k <= images:
        raise ValueError(
            f"k = {k} neighbours of {images} training images: "
            f"choose k from 1 to {images} in workflow/probe.yaml, or more train_labels in the scale"
        )


def _directions(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return features of length 1, or 0 where the length is 0."""
    values = features.astype(np.float64)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(length > 0, length, 1)


def _vote(
    cosines: NDArray[np.float64], labels: NDArray[np.int64], *, k: int, temperature: float
) -> NDArray[np.int64]:
    """Return the classes that a block (rows, n) of cosines votes for."""
    near = cosines.astype(np.float32)
    farthest = -np.partition(-near, k - 1, axis=1)[:, k - 1 : k]
    above, level = near > farthest, near == farthest
    room = k - above.sum(axis=1, keepdims=True)
    chosen = above | (level & (np.cumsum(level, axis=1) <= room))
    neighbours = np.nonzero(chosen)[1].reshape(len(near), k)
    values = np.take_along_axis(near, neighbours, axis=1).astype(np.float64)
    # relative to the nearest, which changes no comparison and cannot underflow in all of them
    weights = np.exp((values - values.max(axis=1, keepdims=True)) / temperature)
    votes = np.zeros((len(near), int(labels.max()) + 1))
    np.add.at(votes, (np.arange(len(near))[:, None], labels[neighbours]), weights)
    classes: NDArray[np.int64] = votes.argmax(axis=1)
    return classes
