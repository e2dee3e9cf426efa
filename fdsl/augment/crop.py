"""Crop, shift and flip: from a stored image to the uint8 tensor that a loader returns.

All randomness comes from the image's own generator. The compiled kernels (and numba) are loaded for
RandAugment and resizing only: shifts and flips of small images start without.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from fdsl.schema.recipe import Preparation, Range, Recipe

Pixels = NDArray[np.uint8]
Ints = NDArray[np.int64]

CROP_TRIES = 10
SMALL_PX = 64  # sides below this are evaluated without a margin
EVAL_CROP = 0.875  # of the short side after resizing: the centre crop of an evaluation


class TrainTransform:
    """Random crop, flips and RandAugment of one recipe, in timm's order.

    Crops: `random_resized` as torchvision's and timm's (10 tries, then the largest centre crop
    within the ratio range; bilinear or bicubic with equal probability, timm's train interpolation
    "random"); `random` brings the short side to 256/224 of the square (bilinear, Pillow's filter)
    and cuts a window out uniformly (`Resize(256)`, `RandomCrop(224)` of the FractalDB paper's
    ResNet); `pad_and_shift` pads with zeros and crops, so that the image moves by a whole number of
    pixels, uniform in ± shift_px on each axis; `none` takes the whole image. The latter two first
    resize the whole image to the square (bicubic) where it has another size.

    Parameters
    ----------
    recipe
        Only `image_size_px`, `mean` (its colour fills where a geometric operation leaves the image
        empty, as in timm) and `augmentation` are used; mixing and erasing follow in
        `fdsl.augment.mixup_cutmix`.

    Raises
    ------
    ValueError
        If the notation of `rand_augment` cannot be read.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.augmentation, self.size = recipe.augmentation, recipe.image_size_px
        mean = recipe.mean if isinstance(recipe.mean, tuple) else (recipe.mean,) * 3
        fill = tuple(min(255, round(255 * value)) for value in mean)
        self.operations: Callable[[Pixels, np.random.Generator], Pixels] | None = None
        if self.augmentation.rand_augment is not None:
            from fdsl.augment.rand_augment import RandAugment

            self.operations = RandAugment(self.augmentation.rand_augment, fill=fill)

    @property
    def plain(self) -> bool:
        """Whether `prepared` and `placed` do all: no random windows, no RandAugment."""
        return self.augmentation.crop in {"pad_and_shift", "none"} and self.operations is None

    @property
    def draws(self) -> int:
        """Uniforms that `placed` takes of each image."""
        return 4 if self._reach > 0 else 2

    def __call__(self, image: Pixels, rng: np.random.Generator) -> torch.Tensor:
        """Augment one image.

        Parameters
        ----------
        image
            uint8 (H, W) or (H, W, 3). Not changed.
        rng
            Source of all randomness.

        Returns
        -------
        torch.Tensor
            uint8 (C, S, S), contiguous, C = 1 for a gray image, else 3.
        """
        if self.augmentation.crop == "random_resized":
            planes = self._window(_with_channels(image), rng)
        elif self.augmentation.crop == "random":
            planes = self._randomly_placed(_with_channels(image), rng)
        else:
            planes = self.prepared(image)
        planes = self.placed(planes[None], rng.random((1, self.draws)))[0]
        if self.operations is not None:
            planes = self.operations(planes, rng)
        return torch.from_numpy(planes)

    def prepared(self, image: Pixels) -> Pixels:
        """Return the whole image as (C, S, S), perhaps a view; no random number changes it."""
        return _resized(_with_channels(image), self.size, self.size, cubic=True)

    def placed(self, planes: Pixels, uniforms: NDArray[np.float64]) -> Pixels:
        """Shift and flip a batch of prepared images.

        Parameters
        ----------
        planes
            uint8 (B, C, S, S). Not changed.
        uniforms
            float64 (B, `draws`) in [0, 1), in the order in which one image draws them: shift down,
            shift right (where the recipe shifts), horizontal flip, vertical flip.

        Returns
        -------
        NDArray
            uint8 (B, C, S, S), contiguous, of its own memory.
        """
        if self._reach > 0:
            moves = (uniforms[:, :2] * (2 * self._reach + 1)).astype(np.int64) - self._reach
            moved = shifted(planes, moves[:, 0], moves[:, 1], reach=self._reach)
        else:
            moved = planes.copy()
        mirrored = uniforms[:, -2] < self.augmentation.horizontal_flip
        moved[mirrored] = moved[mirrored, :, :, ::-1]
        upturned = uniforms[:, -1] < self.augmentation.vertical_flip
        moved[upturned] = moved[upturned, :, ::-1]
        return moved

    @property
    def _reach(self) -> int:
        """Largest shift in pixels."""
        shifts = self.augmentation.crop == "pad_and_shift"
        return min(self.augmentation.shift_px, self.size) if shifts else 0

    def _window(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Choose the window of (H, W, C) and bring it to (C, S, S)."""
        height, width, _ = image.shape
        scale, ratio = self.augmentation.crop_scale, self.augmentation.crop_ratio
        top, left, rows, columns = random_window(height, width, scale=scale, ratio=ratio, rng=rng)
        window = image[top : top + rows, left : left + columns]
        return _resized(window, self.size, self.size, cubic=rng.random() < 0.5)

    def _randomly_placed(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Resize (H, W, C) with an evaluation's margin and cut a random (C, S, S) out."""
        planes = _with_short_side(image, int(self.size / EVAL_CROP), cubic=False)
        top, left = (int(rng.random() * (n - self.size + 1)) for n in planes.shape[1:])
        return planes[:, top : top + self.size, left : left + self.size]


class EvalTransform:
    """The image as an evaluation sees it.

    The short side is resized to S / `eval_crop` (bicubic) and the centre S × S is cut out: 256 px
    for 224 with 0.875, 248 with 0.9, as timm does. Without a stated share it is 0.875 from 64 px on
    (`Resize(256)`, `CenterCrop(224)`) and 1 below (the reduced scales; ours), so that a square
    image is only resized, and is left alone where it has the size already.

    Parameters
    ----------
    recipe
        Only `image_size_px` and `eval_crop` are used.
    """

    def __init__(self, recipe: Preparation) -> None:
        self.size = recipe.image_size_px
        self.short_side = int(self.size / evaluated_share(recipe))

    def __call__(self, image: Pixels) -> torch.Tensor:
        """Return uint8 (C, S, S) of a uint8 (H, W) or (H, W, 3) image; C = 1 for gray, else 3."""
        planes = _with_short_side(_with_channels(image), self.short_side, cubic=True)
        _, rows, columns = planes.shape
        top, left = round((rows - self.size) / 2), round((columns - self.size) / 2)
        return _as_tensor(planes[:, top : top + self.size, left : left + self.size], image)


def evaluated_share(recipe: Preparation) -> float:
    """Return the central share of each side that an evaluation keeps."""
    default = EVAL_CROP if recipe.image_size_px >= SMALL_PX else 1.0
    return recipe.eval_crop or default


def random_window(
    height: int, width: int, *, scale: Range, ratio: Range, rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """Draw the window of a random resized crop, as torchvision and timm do (Szegedy et al. 2015).

    Parameters
    ----------
    height, width
        Of the image.
    scale
        Range of the window's area as a fraction of the image; uniform.
    ratio
        Range of width / height; its logarithm is uniform.
    rng
        Source of all randomness.

    Returns
    -------
    tuple
        top, left, height, width in pixels, inside the image.
    """
    low, high = math.log(ratio[0]), math.log(ratio[1])
    for _ in range(CROP_TRIES):
        area = height * width * (scale[0] + (scale[1] - scale[0]) * rng.random())
        aspect = math.exp(low + (high - low) * rng.random())
        columns, rows = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < columns <= width and 0 < rows <= height:
            top = int(rng.random() * (height - rows + 1))
            left = int(rng.random() * (width - columns + 1))
            return top, left, rows, columns
    rows, columns = height, width
    if width / height < ratio[0]:
        rows = round(width / ratio[0])
    elif width / height > ratio[1]:
        columns = round(height * ratio[1])
    return (height - rows) // 2, (width - columns) // 2, rows, columns


def shifted(planes: Pixels, down: Ints, right: Ints, *, reach: int) -> Pixels:
    """Move each of (B, C, S, S) by whole pixels, (B,) in ± reach <= S, with zero padding."""
    count, channels, size, _ = planes.shape
    padded = np.zeros((count, channels, size + 2 * reach, size + 2 * reach), np.uint8)
    padded[:, :, reach : reach + size, reach : reach + size] = planes
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(2, 3))
    moved: Pixels = windows[np.arange(count), :, reach - down, reach - right]
    return moved


def _with_channels(image: Pixels) -> Pixels:
    """(H, W, C) view of (H, W) or (H, W, 3); ValueError for anything else."""
    shaped = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    if image.dtype != np.uint8 or not shaped or image.size == 0:
        raise ValueError(
            f"image is {image.dtype} {image.shape}: "
            "an image source must give uint8 (H, W) or (H, W, 3), not empty"
        )
    return image[:, :, None] if image.ndim == 2 else image


def _with_short_side(image: Pixels, length: int, *, cubic: bool) -> Pixels:
    """(H, W, C) to (C, H', W') of the same aspect ratio, the shorter side being `length`."""
    height, width, _ = image.shape
    short = min(height, width)
    return _resized(image, length * height // short, length * width // short, cubic=cubic)


def _resized(image: Pixels, rows: int, columns: int, *, cubic: bool) -> Pixels:
    """(H, W, C) to (C, rows, columns); a view where the size is right already."""
    if image.shape[:2] == (rows, columns):
        return image.transpose(2, 0, 1)
    from fdsl.raster.resample import resize

    return resize(image, rows, columns, cubic=cubic)


def _as_tensor(planes: Pixels, source: Pixels) -> torch.Tensor:
    """A contiguous tensor that shares no memory with the source."""
    contiguous = np.ascontiguousarray(planes)
    shared = np.may_share_memory(contiguous, source)
    return torch.from_numpy(contiguous.copy() if shared else contiguous)
