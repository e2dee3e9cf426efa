"""Images with boxes and masks as training and test batches; each image keeps its own size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from fdsl.datasets.readers.coco import CocoImages, Scene
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage
from fdsl.train.input.samplers import InfiniteSampler

LUMA = np.array([19595, 38470, 7471], np.uint32)  # ITU-R 601 in 16 bits, as Pillow's mode L
HALF = 1 << 15


class SceneBatch(NamedTuple):
    """Images and the objects in them.

    `images` are uint8 (C, H, W), C = 1 or 3. `targets` hold for each image `boxes` float32 (n,
    4): left, top, right, bottom; `labels` int64 (n,) from 1 (0 is the background); `masks` uint8
    (n, H, W). `numbers` int64 (B,) are COCO's image ids.
    """

    images: list[Tensor]
    targets: list[dict[str, Tensor]]
    numbers: Tensor


@dataclass(frozen=True)
class SceneTransform:
    """The augmentation: flip with probability `flip`; 1 or 3 `channels` (gray: ITU-R 601 luma)."""

    channels: int
    flip: float

    def __call__(self, scene: Scene, rng: np.random.Generator) -> Scene:
        """Return the augmented scene; all that varies comes from `rng`."""
        return flipped(scene) if rng.random() < self.flip else scene


class TrainingScenes(Dataset[SceneBatch]):
    """The endless training stream over the images that show an object that is no crowd.

    Every image is a function of (seed, position). Crowds are no targets.

    Parameters
    ----------
    source
        A dataset in COCO's format.
    transform
        The augmentation.
    seed
        Root seed.

    Raises
    ------
    ValueError
        If no image shows an object, or the number of channels is not 1 or 3.
    """

    def __init__(self, source: CocoImages, transform: SceneTransform, *, seed: int) -> None:
        _require_channels(transform.channels)
        self.source, self.transform, self.seed = source, transform, seed
        self.shown = images_with_objects(source)
        self.stream = InfiniteSampler(len(self.shown), seed=seed, repeated_aug=1)

    def __getitems__(self, positions: Sequence[int]) -> SceneBatch:
        """Return the batch of some positions of the stream."""
        scenes = []
        for position in positions:
            draw = self.stream.at(position)
            rng = tree.generator(self.seed, *draw, Stage.AUGMENT)
            scene = without_crowds(self.source[int(self.shown[draw.index])])
            scenes.append(self.transform(scene, rng))
        return _batch(scenes, self.transform.channels)


class TestScenes(Dataset[SceneBatch]):
    """All images in the order of the source, as they are."""

    __test__ = False  # not one of pytest's

    def __init__(self, source: CocoImages, *, channels: int) -> None:
        _require_channels(channels)
        self.source, self.channels = source, channels

    def __len__(self) -> int:
        return len(self.source)

    def __getitems__(self, indices: Sequence[int]) -> SceneBatch:
        """Return the batch of some indices."""
        return _batch([self.source[index] for index in indices], self.channels)


def images_with_objects(source: CocoImages) -> NDArray[np.int64]:
    """Return the images with an object that is no crowd, int64 (n,); ValueError if none."""
    found = np.flatnonzero(source.objects > 0)
    if not len(found):
        raise ValueError(f"{source.annotations}: no image shows an object to train on")
    return found


def without_crowds(scene: Scene) -> Scene:
    """Return a scene without the objects that are groups."""
    names = ("boxes", "labels", "masks", "crowd", "area")
    return scene._replace(**{name: getattr(scene, name)[~scene.crowd] for name in names})


def flipped(scene: Scene) -> Scene:
    """Return a scene mirrored left to right."""
    left, top, right, bottom = scene.boxes.T
    width = np.float32(scene.image.shape[1])
    boxes = np.stack([width - right, top, width - left, bottom], axis=1)
    return scene._replace(image=scene.image[:, ::-1], boxes=boxes, masks=scene.masks[:, :, ::-1])


def planes(image: NDArray[np.uint8], channels: int) -> Tensor:
    """Return uint8 (H, W, 3) as uint8 (channels, H, W)."""
    if channels == 1:
        gray = (image.astype(np.uint32) @ LUMA + HALF) >> 16
        return torch.from_numpy(gray.astype(np.uint8)[None])
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


def _batch(scenes: Sequence[Scene], channels: int) -> SceneBatch:
    targets = [
        {
            "boxes": torch.from_numpy(np.ascontiguousarray(scene.boxes)),
            "labels": torch.from_numpy(scene.labels + 1),
            "masks": torch.from_numpy(np.ascontiguousarray(scene.masks)),
        }
        for scene in scenes
    ]
    images = [planes(scene.image, channels) for scene in scenes]
    return SceneBatch(images, targets, torch.tensor([scene.image_id for scene in scenes]))


def _require_channels(channels: int) -> None:
    if channels not in (1, 3):
        raise ValueError(f"a network of {channels} channels cannot see these images: use 1 or 3")
