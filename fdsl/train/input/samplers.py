"""The order of training: an endless stream of draws, a pure function of seed and position.

A resumed training needs no sampler state: the step decides which images come next.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fdsl.seeding import tree

MAX_IMAGES = 2**31 - 1


class Example(NamedTuple):
    """One draw of the stream: its image and what keys its augmentation. Unique in the stream."""

    epoch: int
    index: int  # type: ignore[assignment]  # hides tuple.index
    repeat: int


class InfiniteSampler:
    """The endless stream of training draws.

    With `repeated_aug` = 1, epoch e (positions e·images … (e + 1)·images - 1) is a permutation of
    all images keyed by (seed, e).

    With `repeated_aug` = r > 1 (repeated augmentation: Hoffer et al. 2020, arXiv:1901.09335; used
    by DeiT) each image is repeated r times close together, so that one batch holds r views of it,
    and an epoch still has `images` draws, of about images / r different images. The r epochs of a
    *cycle* (epochs c·r … c·r + r - 1) share one permutation keyed by (seed, c), laid out once with
    every image r times: in a cycle each image is drawn exactly r times whatever `images` and r are,
    so none is dropped or favoured. (timm's RepeatAugSampler cuts each epoch down to a multiple of
    256 draws and chooses the images of each epoch afresh.)

    The layout inside a cycle is in blocks of 2r images: r passes over the block, in which the
    images at odd places rotate against those at even places. Neighbours in the stream are therefore
    always different images (from two images on), and a pair of neighbours that mixup or cutmix
    mixes is another pair in each pass.

    Parameters
    ----------
    images
        1 … 2**31 - 1.
    seed
        Root seed, 0 … 2**63 - 1.
    repeated_aug
        How often an image occurs in the stream per cycle, at least 1.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    The permutation of one cycle is kept (4 bytes per image); other processes get the stream without
    it and make their own on first use.
    """

    def __init__(self, images: int, *, seed: int, repeated_aug: int) -> None:
        if not 1 <= images <= MAX_IMAGES:
            raise ValueError(
                f"images = {images} is out of range: a stream needs 1 to {MAX_IMAGES} images"
            )
        if repeated_aug < 1:
            raise ValueError(
                f"repeated_aug = {repeated_aug} is out of range: use 1 for a plain shuffle, "
                "3 for repeated augmentation as in DeiT"
            )
        tree.sequence(seed)  # refuses a seed out of range now rather than at the first draw
        self.images, self.seed, self.repeated_aug = images, seed, repeated_aug
        self._cycle = -1
        self._order: NDArray[np.int32] = np.empty(0, np.int32)

    def at(self, position: int) -> Example:
        """Return the draw at `position` >= 0 of the stream; ValueError below 0."""
        epoch, index, repeat = self.keys(np.array([position]))[0].tolist()
        return Example(epoch, index, repeat)

    def keys(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the draws at many positions at once.

        Parameters
        ----------
        positions
            int64 (n,), at least 0.

        Returns
        -------
        NDArray
            int64 (n, 3): epoch, index and repeat of each.

        Raises
        ------
        ValueError
            If a position is below 0.
        """
        if positions.min(initial=0) < 0:
            raise ValueError(
                f"position = {positions.min()} is out of range: the stream starts at 0"
            )
        cycles, places = np.divmod(positions, self.images * self.repeated_aug)
        if self.repeated_aug == 1:
            slots, repeats = places, np.zeros_like(places)
        else:
            slots, repeats = _slots(places, self.images, self.repeated_aug)
        keys = np.stack((positions // self.images, slots, repeats), axis=1)
        for cycle in np.unique(cycles).tolist():
            if cycle != self._cycle:
                self._order, self._cycle = _permutation(self.images, self.seed, cycle), cycle
            within = cycles == cycle
            keys[within, 1] = self._order[slots[within]]
        return keys

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cycle": -1, "_order": np.empty(0, np.int32)}


class OnePerCategory(InfiniteSampler):
    """The endless stream with one image of each category per epoch, for training on 3D-OFDB.

    Epoch e (positions e·classes … (e + 1)·classes - 1) is a permutation of the categories keyed by
    (seed, e). Which of a category's images represents it is drawn uniformly, keyed by (seed, e,
    category). So does the released loader of OFDB with the twelve views, only from a generator that
    depends on loader processes (Nakamura et al., ICCV 2023; data.py).

    Parameters
    ----------
    labels
        int64 (images,): the category of each image.
    classes
        Number of categories, each with at least one image. Also the stream's `images`: those of an
        epoch.
    seed
        Root seed, 0 … 2**63 - 1.

    Raises
    ------
    ValueError
        If a parameter is out of range, or a category has no image.

    Notes
    -----
    The order of the images by category is kept and travels to other processes: 4 bytes per image.
    """

    def __init__(self, labels: NDArray[np.int64], *, classes: int, seed: int) -> None:
        super().__init__(classes, seed=seed, repeated_aug=1)
        if not 1 <= len(labels) <= MAX_IMAGES:
            raise ValueError(
                f"images = {len(labels)} is out of range: a stream needs 1 to {MAX_IMAGES} images"
            )
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= classes:
            raise ValueError(f"labels from {low} to {high} do not fit classes = {classes}")
        counts = np.bincount(labels, minlength=classes)
        if not counts.all():
            raise ValueError(
                f"category {int(counts.argmin())} has no image, so that an epoch cannot show one of"
                " each: set one_per_category: false"
            )
        self._counts = counts
        self._starts = np.cumsum(counts) - counts
        self._by_category = np.argsort(labels, kind="stable").astype(np.int32)

    def keys(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return epoch, index and repeat at many positions; ValueError if one is below 0."""
        keys = super().keys(positions)
        keys[:, 1] = [self._view(epoch, category) for epoch, category, _ in keys.tolist()]
        return keys

    def _view(self, epoch: int, category: int) -> int:
        """Return the image that represents a category in an epoch."""
        rng = tree.generator(self.seed, epoch, category, tree.Stage.VIEW)
        chosen = self._starts[category] + rng.integers(self._counts[category])
        return int(self._by_category[chosen])


def _permutation(images: int, seed: int, cycle: int) -> NDArray[np.int32]:
    """Shuffle all indices for one cycle, int32 (images,); in place, to hold no second copy."""
    order = np.arange(images, dtype=np.int32)
    tree.generator(seed, cycle, tree.Stage.SHUFFLE).shuffle(order)
    return order


def _slots(
    places: NDArray[np.int64], images: int, repeated_aug: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places in the permutation, and the repeats, of the draws at `places` of a cycle.

    The last block takes the remainder, so that no block is smaller than 2 · repeated_aug unless the
    dataset is.
    """
    block = 2 * repeated_aug
    numbers = np.minimum(places // (block * repeated_aug), max(images // block - 1, 0))
    starts = numbers * block
    sizes = np.where(starts + 2 * block <= images, block, images - starts)
    passes, slots = np.divmod(places - starts * repeated_aug, sizes)
    turned = 2 * ((slots // 2 + passes) % np.maximum(sizes // 2, 1)) + 1
    return starts + np.where(slots % 2, turned, slots), passes
