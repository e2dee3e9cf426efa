"""How hard a synthetic dataset is: 1-nearest-neighbour accuracy on the pixels of its images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from fdsl.images.streamed import SyntheticImages
from fdsl.io.storage import read_checksummed
from fdsl.schema.base import FrozenModel
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage

MOST_GALLERY, MOST_QUERIES = 30_000, 2_000
BLOCK = 256  # images of the gallery at once, so that memory does not grow with the dataset

Floats = NDArray[np.float64]
Progress = Callable[[Sequence[int]], Iterable[int]]


class Difficulty(FrozenModel):
    """The measure of one dataset. A high accuracy means an easy dataset."""

    accuracy: float = Field(ge=0, le=100, description="percent of the queries")
    chance: float = Field(gt=0, le=50, description="percent: 100 / categories")
    gallery: int = Field(gt=0, description="images with even instances that were compared with")
    gallery_of: int = Field(gt=0, description="so many there are; `gallery` are spread over them")
    queries: int = Field(gt=0, description="images with odd instances that were classified")
    queries_of: int = Field(gt=0, description="so many there are; `queries` are a random sample")
    side_px: int = Field(gt=0, description="side of the compared images")


def read(path: str | Path) -> Difficulty:
    """Return what the rule `difficulty` wrote; DamagedFile if it was altered."""
    return Difficulty.model_validate(read_checksummed(path))


def measure(
    images: SyntheticImages, *, side_px: int, seed: int, progress: Progress = iter
) -> Difficulty:
    """Classify images with odd instances by the nearest one with an even instance.

    Distances are Euclidean, over all pixels and channels, and exact; of equally near images the
    first one counts.

    Parameters
    ----------
    images
        The dataset, with two instances or more; at most 30,000 and 2,000 images are read.
    side_px
        Larger images are averaged to this side, as the network sees them; smaller ones stay.
    seed
        Of the sample of queries.
    progress
        Called with the numbers of the gallery's images; yields them and shows progress.
    """
    even, odd = _halves(images)
    gallery = even[np.arange(n := min(len(even), MOST_GALLERY)) * len(even) // n]
    rng = tree.generator(seed, Stage.SPLIT)
    queries = np.sort(rng.permutation(odd)[:MOST_QUERIES])
    labels = images.labels
    asked = np.stack([_pixels(images, index, side_px) for index in queries.tolist()])
    found = labels[nearest(asked.reshape(len(asked), -1), gallery, images, side_px, progress)]
    return Difficulty(
        accuracy=100 * int(np.sum(found == labels[queries])) / len(queries),
        chance=100 / images.classes,
        gallery=len(gallery),
        gallery_of=len(even),
        queries=len(queries),
        queries_of=len(odd),
        side_px=asked.shape[1],
    )


def nearest(
    asked: Floats,
    gallery: NDArray[np.int64],
    images: SyntheticImages,
    side_px: int,
    progress: Progress,
) -> NDArray[np.int64]:
    """Return for each row of `asked` (q, d) the index of the nearest image of the gallery (g,).

    Integers up to 2**53 are exact in float64, so |g|² - 2 g·q orders as the distances do.
    """
    least, best = np.full(len(asked), np.inf), np.zeros(len(asked), np.int64)
    rows: list[Floats] = []
    for number in progress(range(len(gallery))):
        rows.append(_pixels(images, int(gallery[number]), side_px).reshape(-1))
        if len(rows) < BLOCK and number < len(gallery) - 1:
            continue
        block = np.stack(rows)
        distances = (block**2).sum(axis=1) - 2 * (asked @ block.T)
        here = distances.argmin(axis=1)
        value = distances[np.arange(len(asked)), here]
        nearer = value < least
        least[nearer] = value[nearer]
        best[nearer] = gallery[number + 1 - len(rows) + here[nearer]]
        rows = []
    return best


def _halves(images: SyntheticImages) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of the images with even and with odd instances."""
    index = np.arange(len(images))
    odd = index % images.dataset.instances % 2 == 1
    return index[~odd], index[odd]


def _pixels(images: SyntheticImages, index: int, side_px: int) -> Floats:
    """Return one image as whole numbers in float64, averaged to `side_px` if it is larger."""
    image: NDArray[Any] = images[index][0]
    if len(image) > side_px:
        small = Image.fromarray(image).resize((side_px, side_px), Image.Resampling.BOX)
        image = np.asarray(small)
    return image.astype(np.float64)
