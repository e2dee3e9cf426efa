"""Two ways to the same pixels of a synthetic dataset: drawn when asked for, or read from shards."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fdsl.images import parameters as parameter_file
from fdsl.images.shards import Shard, shard_range, write_shard
from fdsl.images.streamed import StreamedImages
from fdsl.schema.catalogue import SyntheticDataset


class ShardedImages:
    """The images of a synthetic dataset, read from its shards."""

    def __init__(
        self, dataset: SyntheticDataset, paths: Sequence[str | Path], *, seed: int
    ) -> None:
        images = dataset.classes * dataset.instances
        parts = [shard_range(k, shards=len(paths), images=images) for k in range(len(paths))]
        self.dataset = dataset
        self._starts = [part.start for part in parts]
        self._shards = [
            Shard(Path(path), shard_origin(dataset, seed, part))
            for path, part in zip(paths, parts, strict=True)
        ]

    def __len__(self) -> int:
        return self.dataset.classes * self.dataset.instances

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]:
        if not 0 <= index < len(self):
            raise IndexError(f"image {index} is out of range 0 to {len(self) - 1}")
        number = bisect.bisect_right(self._starts, index) - 1
        image, category, _ = self._shards[number].image(index - self._starts[number])
        return image, category

    @property
    def classes(self) -> int:
        return self.dataset.classes

    @property
    def labels(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(self.dataset.classes), self.dataset.instances)


def render_shard(
    path: str | Path, images: StreamedImages, *, part: range, indices: Iterable[int] | None = None
) -> None:
    """Draw and store the images `part` of a dataset; `indices` is `part` again when the caller
    watches the progress.
    """
    write_shard(
        path,
        part if indices is None else indices,
        images.draw,
        about=shard_origin(images.dataset, images.seed, part),
    )


def preview(dataset: SyntheticDataset, *, seed: int) -> list[list[NDArray[np.uint8]]]:
    """Return all images of a small dataset, [category][instance], without leaving a file."""
    parameters = parameter_file.stack(list(parameter_file.sample(dataset, seed=seed)))
    images = StreamedImages(dataset, parameters, seed=seed)
    return [
        [
            images.image(category=category, instance=instance)
            for instance in range(dataset.instances)
        ]
        for category in range(dataset.classes)
    ]


def shard_origin(dataset: SyntheticDataset, seed: int, part: range) -> dict[str, Any]:
    """Say what decides the content of a shard."""
    return {
        **parameter_file.origin(dataset, seed),
        "instances": dataset.instances,
        "images": [part.start, part.stop],
    }
