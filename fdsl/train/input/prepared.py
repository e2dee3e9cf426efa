"""Training images after the part of their augmentation that draws nothing, kept in memory where
they are small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


class Source(Protocol):
    """Images by index, each with its label."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> tuple[Pixels, int]: ...


class PreparedImages:
    """Batches of prepared images.

    Reading and resizing an image of 32 px costs several times what the rest of its augmentation
    does, and is the same in every epoch. Where all prepared images take at most `kept_mb`
    megabytes, each is read once, when it is first needed. Other processes get the source without
    what was kept, and keep their own.

    Parameters
    ----------
    source
        The images.
    prepare
        Turns an image, uint8 (H, W) or (H, W, 3), into planes, uint8 (C, S, S).
    kept_mb
        Megabytes (10**6 bytes), at least 0; 0 keeps nothing.
    """

    def __init__(
        self, source: Source, prepare: Callable[[Pixels], Pixels], *, kept_mb: float
    ) -> None:
        self.source, self.prepare, self.kept_mb = source, prepare, kept_mb
        self._kept: _Kept | None = None

    def batch(self, indices: NDArray[np.int64]) -> tuple[Pixels, NDArray[np.int64]]:
        """Return the planes, uint8 (B, C, S, S), and labels, int64 (B,) or (B, classes), of some
        images.

        Raises
        ------
        ValueError
            If gray and colour images meet.
        """
        if self._kept is None:
            return self._read(indices)
        missing = np.unique(indices[~self._kept.there[indices]])
        if len(missing):
            self._kept.take(missing, *self._read(missing))
        return self._kept.planes[indices], self._kept.labels[indices]

    def _read(self, indices: NDArray[np.int64]) -> tuple[Pixels, NDArray[np.int64]]:
        """Read and prepare; keep, from the first batch on, if there is room for all."""
        found = [self.source[index] for index in indices.tolist()]
        planes = joined([self.prepare(image) for image, _ in found])
        labels = np.array([label for _, label in found], np.int64)
        if self._kept is None and len(self.source) * planes[0].nbytes <= self.kept_mb * 10**6:
            self._kept = _Kept(len(self.source), planes.shape[1:], labels.shape[1:])
            self._kept.take(indices, planes, labels)
        return planes, labels

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}


class _Kept:
    """Room for all images of a source; pages that nothing was written to take no memory."""

    def __init__(self, count: int, shape: tuple[int, ...], label: tuple[int, ...]) -> None:
        self.planes = np.empty((count, *shape), np.uint8)
        self.labels = np.empty((count, *label), np.int64)
        self.there = np.zeros(count, bool)

    def take(self, indices: NDArray[np.int64], planes: Pixels, labels: NDArray[np.int64]) -> None:
        """Keep some images."""
        require_one_shape({self.planes.shape[1:], planes.shape[1:]})
        self.planes[indices], self.labels[indices], self.there[indices] = planes, labels, True


def joined(images: Sequence[Pixels]) -> Pixels:
    """Join arrays of one shape; ValueError if their shapes differ."""
    require_one_shape({image.shape for image in images})
    return np.stack(images)


def require_one_shape(shapes: set[tuple[int, ...]]) -> None:
    """Raise ValueError if images have several shapes (C, S, S)."""
    if len(shapes) > 1:
        raise ValueError(
            f"images of one batch have shapes {sorted(shapes)}: a source must be all gray or all"
            " colour"
        )
