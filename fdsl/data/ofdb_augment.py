"""What stands in for the missing instances when a network is trained on one instance of each category (OFDB).

Source: Nakamura et al., "Pre-training vision transformers with very limited synthesized images" (ICCV 2023) replaces instances by
augmentation and names perturbed systems, rotations, random patterns and textures. No code of these was released: the definitions are ours.
All randomness comes from the generator that comes with the call.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fdsl import formulas
from fdsl.catalog import SyntheticDataset
from fdsl.data import parameters as parameter_file
from fdsl.data.parameters import Parameters
from fdsl.formulas import exfractaldb, perlin

FORMULAS = ("fractaldb", "exfractaldb")
TEXTURE_CELLS = (2, 33)
DARKEST = 64


class RedrawnCategories:
    """The categories of a fractal dataset, drawn anew each time that one is asked for.

    The points and, for FractalDB, the patterns are always new (random pattern).

    Parameters
    ----------
    dataset
        Of the formula fractaldb or exfractaldb; its number of instances does not matter.
    parameters
        Those of its categories.
    seed
        The dataset's.
    perturb
        Multiply one coefficient by one of the formula's weights, the identity among them (IFS perturbation).
    turn
        A random flip for FractalDB, a random view for ExFractalDB (rotation); without, no flip, or the first of the fixed views.

    Raises
    ------
    ValueError
        If the formula is another one.
    """

    def __init__(
        self,
        dataset: SyntheticDataset,
        parameters: Parameters,
        *,
        seed: int,
        perturb: bool = True,
        turn: bool = True,
    ) -> None:
        if dataset.formula not in FORMULAS:
            raise ValueError(
                f"formula = {dataset.formula!r} has no systems to perturb: use {' or '.join(FORMULAS)}"
            )
        changes: dict[str, object] = {"weighted": perturb, "instance_row": None}
        if dataset.formula == "fractaldb":
            changes["flips"] = turn
        else:
            changes["view"] = "random" if turn else "fixed12"
        changed = dataset.model_copy(update={"settings": {**dataset.settings, **changes}})
        self.formula = dataset.formula
        self.turn = turn
        self.settings = parameter_file.formula_settings(changed)
        self.parameters = parameters
        self.seed = seed

    def __len__(self) -> int:
        return self.parameters.classes

    def draw(self, category: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return a new image of a category, uint8 (H, W) or (H, W, 3)."""
        rows, place = self.parameters.of(category), {"seed": self.seed, "category": category}
        instance = int(rng.integers(2**32))
        if self.formula == "exfractaldb" and not self.turn:
            instance = self._first_view(instance)
        return formulas.get(self.formula).render(self.settings, rows, **place, instance=instance)

    def _first_view(self, instance: int) -> int:
        """Return an instance with the same weight, and the first of the fixed views."""
        settings = self.settings.model_dump()
        weights = 24 * settings["weight_steps"] + 1 if settings["weighted"] else 1
        view = instance // weights % exfractaldb.VIEWS
        return instance - view * weights


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
    values = np.zeros((max(image.shape[:2]),) * 2)
    cells = rng.integers(*TEXTURE_CELLS, size=2)
    perlin.add_layer(values, rng.random(cells + 1), amplitude=1.0)
    values -= values.min()
    if values.max() > 0:
        values *= (255 - DARKEST) / values.max()
    levels = (values + DARKEST).astype(np.uint8)[: image.shape[0], : image.shape[1]]
    if image.ndim == 2:
        return np.where(image > 0, levels, np.uint8(0))
    lit = image.any(axis=2, keepdims=True)
    return np.where(lit, np.repeat(levels[:, :, None], 3, axis=2), np.uint8(0))
