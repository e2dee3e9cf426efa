"""Batches for training and evaluation, independent of loader processes, ranks and restarts."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from fdsl.augment.crop import TrainTransform
from fdsl.seeding import tree
from fdsl.seeding.batch import uniforms
from fdsl.seeding.tree import Stage
from fdsl.train.distributed import Processes
from fdsl.train.input.samplers import InfiniteSampler

PREFETCHED = 4  # batches per loader process

BatchT = TypeVar("BatchT")
Pixels = NDArray[np.uint8]
TrainingTransform = Callable[[Pixels, np.random.Generator], Any]
"""From an image, uint8 (H, W) or (H, W, 3), to uint8 (C, S, S), or to a tuple of tensors."""


class CountedImages(Protocol):
    """A number of images of some classes."""

    @property
    def classes(self) -> int: ...

    def __len__(self) -> int: ...


class TrainingSource(CountedImages, Protocol):
    """Images by index: uint8 (H, W) or (H, W, 3) with a label; `labels` needs no decoding.

    `labels` is (n,); or (n, classes) where images have several, with 1 present, 0 absent, -1
    unknown, and then an item's label is int64 (classes,).
    """

    @property
    def labels(self) -> NDArray[np.int64]: ...

    def __getitem__(self, index: int, /) -> tuple[Pixels, Any]: ...


@runtime_checkable
class VaryingImages(Protocol):
    """Images that vary each time that they come up in training, before their augmentation."""

    augmentations: tuple[str, ...]

    def varied(self, index: int, rng: np.random.Generator) -> tuple[Pixels, int]:
        """Return an image and its label; all that varies comes from `rng`."""


class Batch(NamedTuple):
    """Images uint8 (B, C, S, S), labels int64 (B,) or (B, classes), and keys int64 (B, 3).

    The keys are epoch, index and repeat of each image; `positions` int64 (B,) are those in the
    stream of a training, None in an evaluation. Where the transform returns several tensors,
    such as the crops of `fdsl.augment.multi_crop`, `images` is a tuple of batches of them.
    """

    images: Any
    labels: Tensor
    keys: Tensor
    positions: Tensor | None = None


class TrainingImages(Dataset[Batch]):
    """The endless training stream as a map from positions to augmented images.

    Every image is a function of (seed, position): its augmentation has a branch of the seed tree of
    its own, and so has the variation of `VaryingImages`. Where images do not vary and the
    augmentation is plain (see `TrainTransform`), whole batches are augmented at once, to the same
    bits.

    Parameters
    ----------
    source, transform
        The images, and the augmentation of one.
    stream
        The order.
    seed
        Root seed.
    kept_mb
        Most megabytes of prepared images that a process keeps in memory, where whole batches are
        augmented.
    """

    def __init__(
        self,
        source: TrainingSource,
        transform: TrainingTransform,
        *,
        stream: InfiniteSampler,
        seed: int,
        kept_mb: float = 0,
    ) -> None:
        self.source, self.transform, self.stream, self.seed = source, transform, stream, seed
        self._whole: tuple[TrainTransform, PreparedImages] | None = None
        varying = isinstance(source, VaryingImages)
        if isinstance(transform, TrainTransform) and transform.plain and not varying:
            prepared = PreparedImages(source, transform.prepared, kept_mb=kept_mb)
            self._whole = transform, prepared

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        """Return the batch of some positions."""
        places = np.array(positions, np.int64)
        keys = self.stream.keys(places)
        if self._whole is None:
            batch = stack([self._item(key) for key in map(tuple, keys.tolist())])
            return batch._replace(positions=torch.from_numpy(places))
        transform, prepared = self._whole
        planes, labels = prepared.batch(keys[:, 1])
        branches = np.column_stack((keys, np.full(len(keys), Stage.AUGMENT)))
        placed = transform.placed(planes, uniforms(self.seed, branches, draws=transform.draws))
        return Batch(*map(torch.from_numpy, (placed, labels, keys, places)))

    def _item(self, key: tuple[int, int, int]) -> tuple[Any, Any, tuple[int, int, int]]:
        if isinstance(self.source, VaryingImages):
            rng = tree.generator(self.seed, *key, Stage.VARY)
            image, label = self.source.varied(key[1], rng)
        else:
            image, label = self.source[key[1]]
        return self.transform(image, tree.generator(self.seed, *key, Stage.AUGMENT)), label, key


class EvaluationImages(Dataset[Batch]):
    """Images in the order of the source, each prepared the same way every time."""

    def __init__(self, source: TrainingSource, transform: Callable[[Pixels], Tensor]) -> None:
        self.source, self.transform = source, transform

    def __len__(self) -> int:
        return len(self.source)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return the batch of some indices."""
        items = []
        for index in indices:
            image, label = self.source[index]
            items.append((self.transform(image), label, (0, index, 0)))
        return stack(items)


def training_batches(
    images: Dataset[BatchT],
    slices: Callable[[int], Sequence[range]],
    *,
    steps: range,
    workers: int,
    pin_memory: bool,
) -> Iterator[BatchT]:
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
    images: Dataset[BatchT], processes: Processes, *, batch: int
) -> DataLoader[BatchT]:
    """Return a loader of this process's share of images: indices rank, rank + world, ….

    Without padding and with the short last batch. It can be iterated many times; its processes stay
    alive in between.
    """
    count = len(images)  # type: ignore[arg-type]  # torch leaves __len__ to each dataset
    mine = range(processes.rank, count, processes.world)
    order = [mine[start : start + batch] for start in range(0, len(mine), batch)]
    workers, pin_memory = min(processes.loaders, len(order)), processes.device.type == "cuda"
    return _loader(images, order, workers=workers, pin_memory=pin_memory)


def stack(items: Sequence[tuple[Any, Any, tuple[int, int, int]]]) -> Batch:
    """Join images of one shape, or tuples of such, to a batch; ValueError if shapes differ."""
    images, labels, keys = zip(*items, strict=True)
    joined: Any
    if isinstance(images[0], tuple):
        joined = tuple(torch.stack(parts) for parts in zip(*images, strict=True))
    else:
        _require_one_shape({tuple(image.shape) for image in images})
        joined = torch.stack(images)
    return Batch(joined, torch.from_numpy(np.array(labels)), torch.tensor(keys))


def _loader(
    images: Dataset[BatchT], order: Iterable[Any], *, workers: int, pin_memory: bool
) -> DataLoader[BatchT]:
    """Return torch's loader for batches of a given order."""
    return DataLoader(
        images,
        batch_sampler=order,
        collate_fn=_identity,
        num_workers=workers,
        worker_init_fn=_ignore_signals,
        pin_memory=pin_memory,
        prefetch_factor=PREFETCHED if workers else None,
        persistent_workers=workers > 0,
    )


def _identity(batch: Any) -> Any:
    """Return what the dataset's `__getitems__` has already joined."""
    return batch


def _ignore_signals(_number: int) -> None:
    """Leave signals to the training process, which needs batches to finish its update."""
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


class PreparedImages:
    """Images after the part of their augmentation that draws nothing, kept in memory if they fit.

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
        self, source: TrainingSource, prepare: Callable[[Pixels], Pixels], *, kept_mb: float
    ) -> None:
        self.source, self.prepare, self.kept_mb = source, prepare, kept_mb
        self._kept: tuple[Pixels, NDArray[np.int64], NDArray[np.bool_]] | None = None

    def batch(self, indices: NDArray[np.int64]) -> tuple[Pixels, NDArray[np.int64]]:
        """Return planes, uint8 (B, C, S, S), and labels, int64 (B,) or (B, classes), by index.

        ValueError if gray and colour images meet.
        """
        if self._kept is None:
            planes, labels = self._read(indices)
            if len(self.source) * planes[0].nbytes > self.kept_mb * 10**6:
                return planes, labels
            # pages of `empty` that nothing was written to take no memory
            self._kept = (
                np.empty((len(self.source), *planes.shape[1:]), np.uint8),
                np.empty((len(self.source), *labels.shape[1:]), np.int64),
                np.zeros(len(self.source), bool),
            )
            self._keep(indices, planes, labels)
            return planes, labels
        kept_planes, kept_labels, there = self._kept
        missing = np.unique(indices[~there[indices]])
        if len(missing):
            self._keep(missing, *self._read(missing))
        return kept_planes[indices], kept_labels[indices]

    def _read(self, indices: NDArray[np.int64]) -> tuple[Pixels, NDArray[np.int64]]:
        found = [self.source[index] for index in indices.tolist()]
        planes = [self.prepare(image) for image, _ in found]
        _require_one_shape({image.shape for image in planes})
        return np.stack(planes), np.array([label for _, label in found], np.int64)

    def _keep(self, indices: NDArray[np.int64], planes: Pixels, labels: NDArray[np.int64]) -> None:
        assert self._kept is not None
        kept_planes, kept_labels, there = self._kept
        _require_one_shape({kept_planes.shape[1:], planes.shape[1:]})
        kept_planes[indices], kept_labels[indices], there[indices] = planes, labels, True

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}


def _require_one_shape(shapes: set[tuple[int, ...]]) -> None:
    """Raise ValueError if images have several shapes (C, S, S)."""
    if len(shapes) > 1:
        raise ValueError(
            f"images of one batch have shapes {sorted(shapes)}: a source must be all gray or all"
            " colour"
        )
