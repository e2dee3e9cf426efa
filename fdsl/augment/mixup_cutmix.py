"""From uint8 batches to the network's input: normalisation, random erasing, mixup and cutmix.

Mixing is timm's batch mode: one choice between mixup and cutmix, one weight and one rectangle per
update, functions of (seed, step), or for each group of `mix_images` neighbours of the global batch,
as the released programs draw them for the images of one device. The images that are mixed are the
neighbours 2k and 2k + 1 of the global batch, where timm mixes the first with the last of a device's
batch. So any split of a global batch into contiguous parts of even length, over ranks and
accumulation steps, gives the same images and targets.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fdsl.augment.erasing import erase
from fdsl.schema.recipe import Preparation, Recipe
from fdsl.seeding import tree

Device = torch.device | str

CUTMIX_SHARE = 0.5  # of the updates, when mixup is on as well
EPSILON = 1e-3  # added to an image's own standard deviation; a quarter of a gray level


class Mix(NamedTuple):
    """How the images of one update mix: the image's own weight, and cutmix's rectangle."""

    weight: float
    rectangle: tuple[int, int, int, int] | None  # top, bottom, left, right; None for mixup


class BatchTransform:
    """The last step before the network.

    Training: to float, normalise, erase rectangles (timm's RandomErasing, mode "pixel"), mix; with
    `erase_after_mixing` mix, then erase. Evaluation: normalise only.

    Parameters
    ----------
    recipe
        `normalisation`, `mean`, `std`; where `train` also `label_smoothing` and of `augmentation`
        random_erasing, erase_after_mixing, mixup, cutmix, mix_images.
    channels
        What the network takes. Gray images are repeated to 3.
    classes
        Length of the soft targets.
    train
        Whether to erase and mix.

    Raises
    ------
    ValueError
        If `mean` or `std` has three values for a network of one channel.
    """

    def __init__(
        self, recipe: Recipe | Preparation, *, channels: int, classes: int, train: bool
    ) -> None:
        mean = _per_channel("mean", recipe.mean, channels)
        std = _per_channel("std", recipe.std, channels)
        self.channels, self.classes = channels, classes
        self.smoothing = self.erasing = self.mixup = self.cutmix = 0.0
        self.erases_last, self.group = False, None
        if train and isinstance(recipe, Recipe):
            self.smoothing, changes = recipe.label_smoothing, recipe.augmentation
            self.erasing = changes.random_erasing
            self.mixup, self.cutmix = changes.mixup, changes.cutmix
            self.erases_last, self.group = changes.erase_after_mixing, changes.mix_images
        self._factor, self._offset = 1 / (255 * std), mean / std
        self._per_image = recipe.normalisation == "per_image"

    def __call__(
        self,
        images: Tensor,
        labels: Tensor,
        keys: Tensor,
        *,
        seed: int,
        step: int,
        device: Device,
        places: NDArray[np.int64] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Transform one micro-batch.

        Parameters
        ----------
        images
            uint8 (B, C, S, S), C = 1 or `channels`.
        labels
            int64 (B,), 0 … classes - 1; or (B, classes), 1 present, 0 absent, -1 unknown, where an
            image may show any number of them.
        keys
            int64 (B, 3): epoch, index, repeat of each image. On the CPU, so that nothing waits for
            the device.
        seed
            Root seed of the run.
        step
            The update (not the micro-batch) that the images belong to.
        device
            Where the result is to be.
        places
            int64 (B,), ascending: the place of each image in the update; None for 0, 1, ….

        Returns
        -------
        tuple
            float32 (B, channels, S, S), and the targets: float32 (B, classes), label smoothing
            included, when mixup or cutmix is on, else the labels, which the loss has to smooth.
            Of labels (B, classes): float32 (B, classes) from 0 to 1, smoothed, mixed like the
            pixels, and -1 where the image or its partner is unknown.

        Raises
        ------
        ValueError
            If the images have another number of channels, or mixing gets an odd number of images.
        """
        if images.shape[1] not in (1, self.channels):
            raise ValueError(
                f"images have {images.shape[1]} channels: a network of {self.channels} takes "
                f"images of {sorted({1, self.channels})} channels"
            )
        finished = self._normalised(images.to(device, non_blocking=True))
        targets = labels.to(device, non_blocking=True)
        if self.erasing > 0 and not self.erases_last:
            erase(finished, keys, probability=self.erasing, seed=seed)
        if self.mixup > 0 or self.cutmix > 0:
            places = np.arange(len(images)) if places is None else places
            targets = self._mixed(finished, targets, places, seed=seed, step=step)
        elif labels.ndim > 1:
            targets = self._multi_hot(targets, 1.0)
        if self.erasing > 0 and self.erases_last:
            erase(finished, keys, probability=self.erasing, seed=seed)
        return finished, targets

    def _mixed(
        self, images: Tensor, labels: Tensor, places: NDArray[np.int64], *, seed: int, step: int
    ) -> Tensor:
        """Mix float images (B, C, S, S) in place, group by group; return their targets."""
        if len(images) % 2:
            raise ValueError(
                f"micro-batch of {len(images)} images: mixup and cutmix mix pairs, "
                "so choose an even micro-batch"
            )
        groups = np.zeros_like(places) if self.group is None else places // self.group
        borders = [0, *(np.flatnonzero(np.diff(groups)) + 1).tolist(), len(images)]
        soft, parts = self._soft if labels.ndim == 1 else self._multi_hot, []
        for begin, end in pairwise(borders):
            group = None if self.group is None else int(groups[begin])
            mix = draw_mix(
                self.mixup, self.cutmix, side=images.shape[-1], seed=seed, step=step, group=group
            )
            mix_pairs(images[begin:end], mix)
            parts.append(soft(labels[begin:end], mix.weight))
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _normalised(self, images: Tensor) -> Tensor:
        """(x / 255 - mean) / std of every channel, float32; a gray image is repeated on the way."""
        if self._per_image:
            own = standardised(images)
            return own.repeat(1, self.channels // images.shape[1], 1, 1)
        factor, offset = (
            torch.as_tensor(values, dtype=torch.float32).to(images.device, non_blocking=True)
            for values in (self._factor, self._offset)
        )
        return (images * factor).sub_(offset)

    def _soft(self, labels: Tensor, weight: float) -> Tensor:
        """Smoothed one-hot targets of each image and its partner, weighted."""
        rest = self.smoothing / self.classes
        soft = torch.full((len(labels), self.classes), rest, device=labels.device)
        hot = torch.tensor([weight, 1 - weight], device=labels.device).mul_(1 - self.smoothing)
        partners = labels.view(-1, 2).flip(1).reshape(-1)
        return soft.scatter_add_(1, torch.stack((labels, partners), 1), hot.expand(len(labels), 2))

    def _multi_hot(self, labels: Tensor, weight: float) -> Tensor:
        """Smoothed (towards 1 / 2), weighted targets of each image and its partner; -1: unknown."""
        known, shares = labels >= 0, labels.float()
        if weight != 1:
            partners = labels.view(-1, 2, self.classes).flip(1).reshape(-1, self.classes)
            known = known & (partners >= 0)
            shares = shares.lerp(partners.float(), 1 - weight)
        return torch.where(known, shares.mul_(1 - self.smoothing).add_(self.smoothing / 2), -1.0)


def standardised(images: Tensor) -> Tensor:
    """Bring each image to mean 0 and, nearly, standard deviation 1 over all of its channels.

    (x - mean) / (std + `EPSILON`) for x from 0 to 1, with the population's standard deviation; an
    image of one value gives exact zeros. The sums are whole numbers, exact in float64, so that
    neither the batch nor the device changes them.

    Parameters
    ----------
    images
        uint8 (B, C, S, S).

    Returns
    -------
    Tensor
        float32 (B, C, S, S).
    """
    values = images.flatten(1).double()
    count, total, squares = values.shape[1], values.sum(1), (values * values).sum(1)
    deviation = (count * squares - total * total).clamp(min=0).sqrt() / count
    scale = 1 / (deviation + 255 * EPSILON)
    shift, factor = (each.float().view(-1, 1, 1, 1) for each in (total / count, scale))
    return (images - shift).mul_(factor)


def draw_mix(
    mixup: float, cutmix: float, *, side: int, seed: int, step: int, group: int | None = None
) -> Mix:
    """Draw how one update, or one group of its images, mixes, as timm does.

    Mixup: Zhang et al. 2018, arXiv:1710.09412. Cutmix: Yun et al. 2019, arXiv:1905.04899.

    Parameters
    ----------
    mixup, cutmix
        Parameters of the symmetric beta distributions; 0 switches one off, not both.
    side
        Of the images, in pixels.
    seed, step, group
        What the draw depends on; group = None for all images of the update.

    Returns
    -------
    Mix
        With cutmix, the weight is the area that the image keeps after the rectangle is cut at the
        image's edge.
    """
    path = (step,) if group is None else (step, group)
    rng = tree.generator(seed, *path, tree.Stage.MIX)
    cut = cutmix > 0 and (mixup == 0 or rng.random() < CUTMIX_SHARE)
    alpha = cutmix if cut else mixup
    weight = float(rng.beta(alpha, alpha))
    if not cut:
        return Mix(weight, None)
    length = int(side * math.sqrt(1 - weight))
    y, x = (int(centre) for centre in rng.integers(0, side, 2))
    top, left = max(y - length // 2, 0), max(x - length // 2, 0)
    bottom, right = min(y + (length + 1) // 2, side), min(x + (length + 1) // 2, side)
    return Mix(1 - (bottom - top) * (right - left) / side**2, (top, bottom, left, right))


def mix_pairs(images: Tensor, mix: Mix) -> None:
    """Mix the neighbours 2k and 2k + 1 of float (B, C, S, S), B even, in place."""
    top, bottom, left, right = mix.rectangle or (0, images.shape[2], 0, images.shape[3])
    part = images[:, :, top:bottom, left:right]
    part = part.view(len(part) // 2, 2, *part.shape[1:])  # also of an empty rectangle
    partners = part.flip(1)
    if mix.rectangle is None:
        part.lerp_(partners, 1 - mix.weight)
    else:
        part.copy_(partners)


def _per_channel(name: str, value: float | tuple[float, ...], channels: int) -> NDArray[np.float64]:
    """(channels, 1, 1) of one value or one per channel."""
    values = value if isinstance(value, tuple) else (value,) * channels
    if len(values) != channels:
        raise ValueError(
            f"{name} = {value} has {len(values)} values: "
            f"a network of {channels} channels takes one value or {channels}"
        )
    return np.array(values).reshape(channels, 1, 1)
