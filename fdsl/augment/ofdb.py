"""What stands in for the missing instances when a network is trained on one instance of each
category (OFDB).

Source: Nakamura et al., "Pre-training vision transformers with very limited synthesized images"
(ICCV 2023) names four augmentations: IFS fluctuation, rotation, random pattern and random texture;
of the combinations it tests pattern with texture. Their code was not released, so the definitions
are ours. Each is applied to every image, every time that it comes up, before all other
augmentation:

- ifs: one coefficient of the system times one of the formula's factors, all rows of the formula's
weights as likely, the identity among
  them; the random sequence of the points, and so the patches, stay those of the dataset's own
  image.
- pattern: a new random sequence of points, and for FractalDB new 3 × 3 patches. The fixed views of
ExFractalDB get a new jitter (a random
  view: a new view).
- rotation: none to three quarter turns of the image. Flips, which the FractalDB papers also count
as rotations, are the recipe's own.
- texture: Perlin noise from 64 to 255 in place of every pixel that is not black.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fdsl import formulas
from fdsl.formulas.ofdb import REDRAWN, require_possible
from fdsl.images.streamed import StreamedImages
from fdsl.images.synthetic import ShardedImages
from fdsl.schema.base import FrozenModel
from fdsl.schema.recipe import OfdbAugmentation
from fdsl.seeding import tree

TEXTURE_CELLS = (2, 33)
DARKEST = 64


class Varied:
    """A synthetic dataset whose images are varied anew each time that one comes up in training.

    Without variation (`images[index]`) it is the dataset itself. Safe to pickle and to share with
    other processes.

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
        self,
        images: StreamedImages | ShardedImages,
        augmentations: tuple[OfdbAugmentation, ...],
    ) -> None:
        streamed = images if isinstance(images, StreamedImages) else None
        require_possible(
            augmentations, images.dataset, streamed=streamed is not None, where="recipe"
        )
        self.images = images
        self.augmentations: tuple[str, ...] = augmentations
        self._redrawn = (
            Redrawn(streamed, ifs="ifs" in augmentations, pattern="pattern" in augmentations)
            if streamed is not None and set(augmentations) & set(REDRAWN)
            else None
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]:
        return self.images[index]

    @property
    def classes(self) -> int:
        return self.images.classes

    @property
    def labels(self) -> NDArray[np.int64]:
        return self.images.labels

    def varied(self, index: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
        """Return a new variation of an image, uint8 (H, W) or (H, W, 3), and its label."""
        image, label = self._redrawn(index, rng) if self._redrawn else self.images[index]
        if "rotation" in self.augmentations:
            image = turned(image, rng)
        if "texture" in self.augmentations:
            image = textured(image, rng)
        return image, label


class Redrawn:
    """The images of a dataset, each drawn by its formula with one thing changed at random.

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
        if not 0 <= index < len(images):
            raise IndexError(f"image {index} is out of range 0 to {len(images) - 1}")
        category, instance = divmod(index, images.dataset.instances)
        if self.ifs:
            row = int(rng.integers(self.rows))
            settings = settings.model_copy(update={"weighted": True, "instance_row": row})
        if self.pattern:
            seed = int(rng.integers(tree.MAX_SEED, endpoint=True))
        image = formulas.get(images.dataset.formula).render(
            settings,
            images.parameters.of(category),
            seed=seed,
            category=category,
            instance=instance,
        )
        return image, category


def weight_rows(settings: FrozenModel) -> int:
    """Return the number of rows in the table of weights of FractalDB or ExFractalDB."""
    values = settings.model_dump()
    return 24 * values["weight_steps"] + 1 if "weight_steps" in values else 25


def turned(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
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
