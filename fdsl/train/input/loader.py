"""Batches for training and evaluation, the same ones whatever the number of loader processes, ranks
or restarts.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from fdsl.augment.crop import TrainTransform
from fdsl.seeding import tree
from fdsl.seeding.batch import uniforms
from fdsl.seeding.tree import Stage
from fdsl.train.input.prepared import PreparedImages, require_one_shape
from fdsl.train.input.samplers import InfiniteSampler

PREFETCHED = 4
Images = Tensor | tuple[Tensor, ...]
TrainingTransform = Callable[[NDArray[np.uint8], np.random.Generator], Images]
EvaluationTransform = Callable[[NDArray[np.uint8]], Tensor]


class ImageSource(Protocol):
    """Images by index: uint8 (H, W) or (H, W, 3) with a label, and what is known of them without
    decoding.

    `labels` is (n,); or (n, classes) where images have several, with 1 present, 0 absent, -1
    unknown, and then an item's label is int64 (classes,).
    """

    classes: int
    labels: NDArray[np.int64]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> tuple[NDArray[np.uint8], Any]: ...


@runtime_checkable
class VaryingSource(Protocol):
    """An image source that varies an image each time that it comes up in training, before its
    augmentation.
    """

    augmentations: tuple[str, ...]

    def varied(self, index: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
        """Return an image and its label; all that varies comes from `rng`."""


class Batch(NamedTuple):
    """Images uint8 (B, C, S, S), labels int64 (B,) or (B, classes), and keys int64 (B, 3): epoch,
    index and repeat of each image.

    Where the transform gives several tensors for an image, such as the crops of
    `fdsl.augment.multi_crop`, `images` is a tuple of batches of them.
    """

    images: Images
    labels: Tensor
    keys: Tensor


class TrainingImages(Dataset[Batch]):
    """The endless training stream as a map from positions to augmented images.

    Every image is a function of (seed, position): its augmentation draws from a branch of the seed
    tree of its own, and so does what a `VaryingSource` does before. Where images do not vary and
    the augmentation is plain (see `TrainTransform`), whole batches are augmented at once, to the
    same bits.

    Parameters
    ----------
    source
        The images.
    transform
        Augments one image.
    stream
        The order.
    seed
        Root seed.
    kept_mb
        Most megabytes of prepared images that one process keeps in memory, where whole batches are
        augmented.
    """

    def __init__(
        self,
        source: ImageSource,
        transform: TrainingTransform,
        *,
        stream: InfiniteSampler,
        seed: int,
        kept_mb: float = 0,
    ) -> None:
        self.source, self.transform, self.stream, self.seed = source, transform, stream, seed
        self._whole = (
            PreparedImages(source, transform.prepared, kept_mb=kept_mb)
            if isinstance(transform, TrainTransform)
            and transform.plain
            and not isinstance(source, VaryingSource)
            else None
        )

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        """Return the batch of some positions."""
        keys = self.stream.keys(np.array(positions, np.int64))
        if self._whole is None:
            return stack([self._item(key) for key in map(tuple, keys.tolist())])
        planes, labels = self._whole.batch(keys[:, 1])
        branches = np.column_stack((keys, np.full(len(keys), Stage.AUGMENT)))
        drawn = uniforms(self.seed, branches, draws=self.transform.draws)
        placed = self.transform.placed(planes, drawn)
        return Batch(*map(torch.from_numpy, (placed, labels, keys)))

    def _item(self, key: tuple[int, int, int]) -> tuple[Images, Any, tuple[int, int, int]]:
        image, label = self._image(key)
        rng = tree.generator(self.seed, *key, Stage.AUGMENT)
        return self.transform(image, rng), label, key

    def _image(self, key: tuple[int, int, int]) -> tuple[NDArray[np.uint8], int]:
        if isinstance(self.source, VaryingSource):
            return self.source.varied(key[1], tree.generator(self.seed, *key, Stage.VARY))
        return self.source[key[1]]


class EvaluationImages(Dataset[Batch]):
    """Images in the order of the source, each prepared the same way every time."""

    def __init__(self, source: ImageSource, transform: EvaluationTransform) -> None:
        self.source, self.transform = source, transform

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return the batch of some indices."""
        items = []
        for index in indices:
            image, label = self.source[index]
            items.append((self.transform(image), label, (0, index, 0)))
        return stack(items)


def training_batches(
    images: TrainingImages,
    slices: Callable[[int], Sequence[range]],
    *,
    steps: range,
    workers: int,
    pin_memory: bool,
) -> Iterator[Batch]:
    """Yield the micro-batches of some updates, in order; starting late replays nothing.

    Parameters
    ----------
    images
        The stream.
    slices
        Gives the positions of the micro-batches of an update, as `Split.slices` does.
    steps
        The updates.
    workers
        Loader processes; 0 loads in this process.
    pin_memory
        Whether batches go to page-locked memory, for CUDA.
    """
    order = (positions for step in steps for positions in slices(step))
    yield from _loader(images, order, workers=workers, pin_memory=pin_memory)


def evaluation_batches(
    images: EvaluationImages, *, rank: int, world: int, batch: int, workers: int, pin_memory: bool
) -> DataLoader[Batch]:
    """Return a loader of one rank's share: indices rank, rank + world, …, without padding and with
    the short last batch.

    It can be gone through many times; its processes stay alive in between.
    """
    mine = range(rank, len(images.source), world)
    order = [mine[start : start + batch] for start in range(0, len(mine), batch)]
    return _loader(images, order, workers=min(workers, len(order)), pin_memory=pin_memory)


def stack(items: Sequence[tuple[Images, Any, tuple[int, int, int]]]) -> Batch:
    """Join images of one shape to a batch; ValueError if their shapes differ."""
    images, labels, keys = zip(*items, strict=True)
    return Batch(_joined(images), torch.from_numpy(np.array(labels)), torch.tensor(keys))


def _joined(images: Sequence[Images]) -> Images:
    """Stack the images of a batch, or each of the parts that they have in common."""
    if isinstance(images[0], tuple):
        return tuple(torch.stack(parts) for parts in zip(*images, strict=True))
    require_one_shape({tuple(image.shape) for image in images})
    return torch.stack(images)


def _loader(
    images: Dataset[Batch], order: Iterator[range] | list[range], *, workers: int, pin_memory: bool
) -> DataLoader[Batch]:
    """Return torch's loader for batches of a given order."""
    return DataLoader(
        images,
        batch_sampler=order,
        collate_fn=_as_it_is,
        num_workers=workers,
        worker_init_fn=_begin_worker,
        pin_memory=pin_memory,
        prefetch_factor=PREFETCHED if workers else None,
        persistent_workers=workers > 0,
    )


def _as_it_is(batch: Batch) -> Batch:
    """Return what the dataset's `__getitems__` has already joined."""
    return batch


def _begin_worker(_number: int) -> None:
    """Leave signals of schedulers and terminals to the training process, which still needs batches
    to finish its update.
    """
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
