"""OFDB's augmentations, which replace instances when each category has a single one.

Nakamura et al., "Pre-training vision transformers with very limited synthesized images" (ICCV 2023)
name four: IFS fluctuation, rotation, random pattern and random texture; of the combinations they
test pattern with texture. Their code was not released, so the definitions are ours. Each is applied
to every image, each time that it is used, before all other augmentation:

- ifs: one coefficient of the system times one of the formula's factors; all rows of the formula's
  weights are equally likely, the identity among them. The point sequence, and so the patches, stay.
- pattern: a new random sequence of points, and for FractalDB new 3 × 3 patches. The fixed views of
  ExFractalDB get a new jitter (a random view: a new view).
- rotation: zero to three quarter turns of the image. Flips, which the FractalDB papers also count
  as rotations, are the recipe's own.
- texture: Perlin noise from 64 to 255 replaces every pixel that is not black.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fdsl.formulas.ofdb import REDRAWN, require_possible
from fdsl.images.parameters import require_index
from fdsl.images.shards import ShardedImages
from fdsl.images.streamed import StreamedImages, SyntheticImages
from fdsl.schema.base import FrozenModel
from fdsl.schema.recipe import OfdbAugmentation
from fdsl.seeding import tree

TEXTURE_CELLS = (2, 33)
DARKEST = 64


class AugmentedImages(SyntheticImages):
    """A synthetic dataset whose images vary each time that training uses one (see `varied`).

    Indexed, it is the dataset itself. Safe to pickle and to share with other processes.

    Parameters
    ----------
    images
        The dataset, of the formula fractaldb or exfractaldb; `ifs` and `pattern` need it streamed.
    augmentations
        Any of ifs, pattern, rotation, texture.

    Raises
    ------
    ConfigError
        If the dataset cannot have these augmentations (see `fdsl.formulas.ofdb`).
    """

    def __init__(
        self, images: StreamedImages | ShardedImages, augmentations: tuple[OfdbAugmentation, ...]
    ) -> None:
        streamed = images if isinstance(images, StreamedImages) else None
        drawn = streamed is not None
        require_possible(augmentations, images.dataset, streamed=drawn, where="recipe")
        self.images, self.dataset = images, images.dataset
        self.augmentations: tuple[str, ...] = augmentations
        self._redrawn = (
            RandomRenderer(streamed, ifs="ifs" in augmentations, pattern="pattern" in augmentations)
            if streamed is not None and set(augmentations) & set(REDRAWN)
            else None
        )

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]:
        return self.images[index]

    def varied(self, index: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
        """Return a new variation of an image, uint8 (H, W) or (H, W, 3), and its label."""
        image, label = self._redrawn(index, rng) if self._redrawn else self.images[index]
        if "rotation" in self.augmentations:
            image = rotated(image, rng)
        if "texture" in self.augmentations:
            image = textured(image, rng)
        return image, label


class RandomRenderer:
    """Renders the images of a dataset with random weights or a random seed.

    Parameters
    ----------
    images
        The dataset.
    ifs
        Draw with a random row of the formula's weights.
    pattern
        Draw with a random seed.
    """

    def __init__(self, images: StreamedImages, *, ifs: bool, pattern: bool) -> None:
        self.images, self.ifs, self.pattern = images, ifs, pattern
        self.rows = weight_rows(images.settings) if ifs else 0

    def __call__(self, index: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
        """Draw image `index`, and return it with its label; IndexError out of range."""
        images, settings, seed = self.images, self.images.settings, self.images.seed
        require_index("image", index, len(images))
        category, instance = divmod(index, images.dataset.instances)
        if self.ifs:
            row = int(rng.integers(self.rows))
            settings = settings.model_copy(update={"weighted": True, "instance_row": row})
        if self.pattern:
            seed = int(rng.integers(tree.MAX_SEED, endpoint=True))
        where = {"category": category, "instance": instance}
        return images.image_with(settings, seed=seed, **where), category


def weight_rows(settings: FrozenModel) -> int:
    """Return the number of rows in the table of weights of FractalDB or ExFractalDB."""
    values = settings.model_dump()
    return 24 * values["weight_steps"] + 1 if "weight_steps" in values else 25


def rotated(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the square image turned by none to three quarters, each as likely."""
    return np.ascontiguousarray(np.rot90(image, int(rng.integers(4))))


def textured(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the image with Perlin noise from 64 to 255 in place of every pixel that is not black.

    Parameters
    ----------
    image
        uint8 (H, W) or (H, W, 3). Not changed.
    rng
        Gives the noise: 2 to 32 cells on each axis, each as likely, and its gradients.
    """
    from fdsl.raster import gradient_noise

    values = np.zeros((max(image.shape[:2]),) * 2)
    cells = rng.integers(*TEXTURE_CELLS, size=2)
    gradient_noise.add_layer(values, rng.random(cells + 1), amplitude=1.0)
    values -= values.min()
    if values.max() > 0:
        values *= (255 - DARKEST) / values.max()
    levels = (values + DARKEST).astype(np.uint8)[: image.shape[0], : image.shape[1]]
    if image.ndim == 2:
        return np.where(image > 0, levels, np.uint8(0))
    lit = image.any(axis=2, keepdims=True)
    return np.where(lit, np.repeat(levels[:, :, None], 3, axis=2), np.uint8(0))
