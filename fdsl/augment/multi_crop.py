"""Multi-crop views of self-supervised training: two large and several small random crops.

DINO's augmentation (Caron et al. 2021, arXiv:2104.14294, section 3.2 and the released
main_dino.py): bicubic random resized crops, flips, colour jitter, gray, blur and solarisation, in
this order. Jitter is torchvision's; blur and hue are Pillow's own, as there.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from fdsl.augment.crop import random_window
from fdsl.augment.operations import apply
from fdsl.raster.resample import resize
from fdsl.schema.recipe import Recipe

Pixels = NDArray[np.uint8]

LARGE = 2  # views of the whole; the others show details
SOLARIZED = 128  # values from here on are inverted


class MultiCrop:
    """Views of one image, each a function of the image's generator and of its own number.

    Parameters
    ----------
    recipe
        Uses `image_size_px`; of `augmentation` crop_scale (of the large views), crop_ratio and the
        flips; `dino.views`.

    Raises
    ------
    ValueError
        If the recipe has no section `dino`.
    """

    def __init__(self, recipe: Recipe) -> None:
        if recipe.dino is None:
            raise ValueError("the recipe has no section dino, which says how many views there are")
        self.augmentation, self.views = recipe.augmentation, recipe.dino.views
        self.size = recipe.image_size_px

    def __call__(
        self, image: Pixels, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Make the views.

        Parameters
        ----------
        image
            uint8 (H, W) or (H, W, 3). Not changed.
        rng
            Fresh from the seed tree: view v draws from its child v, so that more or other views
            change none of the rest.

        Returns
        -------
        tuple
            uint8 (2, C, S, S), the large views, and uint8 (n, C, s, s), the small ones; C = 1 for a
            gray image, else 3.
        """
        pixels = np.atleast_3d(image)
        count = LARGE + self.views.local_crops
        made = [self._view(pixels, view, own) for view, own in enumerate(rng.spawn(count))]
        side, channels = self.views.local_size_px, pixels.shape[2]
        small = np.array(made[LARGE:], np.uint8).reshape(-1, channels, side, side)
        return torch.from_numpy(np.stack(made[:LARGE])), torch.from_numpy(small)

    def _view(self, image: Pixels, view: int, rng: np.random.Generator) -> Pixels:
        """Return one view, (C, side, side)."""
        views, augmentation = self.views, self.augmentation
        small = view >= LARGE
        scale = views.local_scale if small else augmentation.crop_scale
        side = views.local_size_px if small else self.size
        height, width, _ = image.shape
        top, left, rows, columns = random_window(
            height, width, scale=scale, ratio=augmentation.crop_ratio, rng=rng
        )
        planes = resize(image[top : top + rows, left : left + columns], side, side, cubic=True)
        if rng.random() < augmentation.horizontal_flip:
            planes = planes[:, :, ::-1]
        if rng.random() < augmentation.vertical_flip:
            planes = planes[:, ::-1]
        planes = np.ascontiguousarray(planes)
        if rng.random() < views.jitter:
            planes = self._jitter(planes, rng)
        if rng.random() < views.gray:
            planes = apply("Color", planes, 0.0, cubic=False, fill=(0,))
        if rng.random() < views.blur[min(view, LARGE)]:
            planes = blurred(planes, rng.uniform(*views.blur_radius_px))
        if view == 1 and rng.random() < views.solarize:
            planes = apply("Solarize", planes, SOLARIZED, cubic=False, fill=(0,))
        return planes

    def _jitter(self, planes: Pixels, rng: np.random.Generator) -> Pixels:
        """Jitter colours in random order, as torchvision's ColorJitter does."""
        views = self.views
        ranges = [views.brightness, views.contrast, views.saturation]
        factors = {
            name: rng.uniform(max(0.0, 1 - reach), 1 + reach)
            for name, reach in zip(("Brightness", "Contrast", "Color"), ranges, strict=True)
        }
        turn = rng.uniform(-views.hue, views.hue)
        for name in rng.permutation([*factors, "Hue"]).tolist():
            if name == "Hue":
                planes = rotate_hue(planes, turn)
            else:
                planes = apply(name, planes, factors[name], cubic=False, fill=(0,))
        return planes


def blurred(planes: Pixels, radius_px: float) -> Pixels:
    """Blur uint8 (C, H, W) with Pillow's Gaussian (three box filters)."""
    image = _picture(planes).filter(ImageFilter.GaussianBlur(radius_px))
    return _planes(image)


def rotate_hue(planes: Pixels, share: float) -> Pixels:
    """Rotate the hue of uint8 (3, H, W) by -0.5 to 0.5 turns; a gray image (1, H, W) has none."""
    if len(planes) == 1:
        return planes
    colour = np.asarray(_picture(planes).convert("HSV")).copy()
    colour[:, :, 0] += np.uint8(int(share * 255) % 256)  # wraps, as hues do
    return _planes(Image.fromarray(colour, mode="HSV").convert("RGB"))


def _picture(planes: Pixels) -> Image.Image:
    """Return (C, H, W) as a picture of Pillow."""
    return Image.fromarray(planes[0] if len(planes) == 1 else planes.transpose(1, 2, 0).copy())


def _planes(image: Image.Image) -> Pixels:
    """Return a picture of Pillow as (C, H, W), contiguous."""
    return np.ascontiguousarray(np.atleast_3d(np.asarray(image)).transpose(2, 0, 1))
