"""RandAugment in timm's notation, on arrays, with timm's operations and distribution.

Cubuk et al. 2020 (arXiv:1909.13719) as in timm's `rand_augment_transform`, with which all released
code trained ("rand-m9-mstd0.5-inc1"). A gray image stays at one channel and comes out as an RGB
copy of it would in each of its channels.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fdsl.augment.operations import NAMES, apply

Pixels = NDArray[np.uint8]

PROBABILITY = 0.5  # that a chosen operation is applied
LEVELS = 10.0  # a magnitude is on a scale of 0 to 10
UNIFORM_ABOVE = 100.0  # a standard deviation above this asks for magnitudes uniform in 0 … m
MAX_DEGREES = 30.0  # these three at level 10
MAX_SHEAR = 0.3
MAX_TRANSLATION = 0.45  # of the side


class Policy(NamedTuple):
    """Values of timm's notation: m, n, mstd, inc (whether strength increases with magnitude)."""

    magnitude: float
    layers: int
    noise: float
    increasing: bool


def parse(notation: str) -> Policy:
    """Read timm's notation, such as "rand-m9-mstd0.5-inc1".

    Keys: m magnitude (0 … 10), n layers (2 when absent), mstd standard deviation of the magnitude
    (0 when absent; above 100: uniform in 0 … m), inc 1 for operations whose strength increases with
    magnitude (0 when absent).

    Raises
    ------
    ValueError
        If the notation is another one or a magnitude is beyond 10.
    """
    head, *parts = notation.split("-")
    found = [re.fullmatch(r"(mstd|m|n|inc)(\d+(?:\.\d+)?)", part) for part in parts]
    if head != "rand" or not all(found):
        raise ValueError(
            f"rand_augment = {notation!r} cannot be read: write it as 'rand-m9-mstd0.5-inc1', "
            "with the keys m, n, mstd, inc only"
        )
    values = {match[1]: float(match[2]) for match in found if match}
    magnitude = values.get("m", LEVELS)
    if magnitude > LEVELS:
        raise ValueError(
            f"rand_augment = {notation!r}: m = {magnitude:g} is out of range, use 0 to {LEVELS:g}"
        )
    layers, noise = int(values.get("n", 2)), values.get("mstd", 0.0)
    return Policy(magnitude, layers, noise, bool(values.get("inc", 0)))


class RandAugment:
    """Apply a few random operations of random magnitude.

    Parameters
    ----------
    notation
        See `parse`.
    fill
        Values 0 … 255 that geometric operations put where the image ends: one, or one per channel
        of a colour image. A gray image takes the rounded average of three.
    """

    def __init__(self, notation: str, *, fill: tuple[int, ...]) -> None:
        self.policy = parse(notation)
        self.fill = fill

    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Return the augmented image.

        Parameters
        ----------
        image
            uint8 (C, H, W), C-contiguous, C = 1 or 3. Not changed.
        rng
            Source of all randomness.
        """
        for name, level, sign, cubic in draw(self.policy, rng):
            argument = strength(name, level, sign=sign, increasing=self.policy.increasing)
            image = apply(name, image, argument, cubic=cubic, fill=self.fill)
        return image


def draw(policy: Policy, rng: np.random.Generator) -> list[tuple[str, float, int, bool]]:
    """Draw the operations of one image: name, level 0 … 10, sign ±1, bicubic or not."""
    drawn = []
    for _ in range(policy.layers):
        name = NAMES[int(rng.random() * len(NAMES))]
        if rng.random() >= PROBABILITY:
            continue
        level = policy.magnitude
        if policy.noise > UNIFORM_ABOVE:
            level *= rng.random()
        elif policy.noise > 0:
            level += policy.noise * rng.standard_normal()
        sign, cubic = (-1 if rng.random() < 0.5 else 1), rng.random() < 0.5
        drawn.append((name, min(max(level, 0.0), LEVELS), sign, cubic))
    return drawn


def strength(name: str, level: float, *, sign: int, increasing: bool) -> float:
    """Return the argument of an operation at a level 0 … 10, in the unit that `apply` takes."""
    part = level / LEVELS
    match name:
        case "Rotate":
            return sign * part * MAX_DEGREES
        case "ShearX" | "ShearY":
            return sign * part * MAX_SHEAR
        case "TranslateX" | "TranslateY":
            return sign * part * MAX_TRANSLATION
        case "Posterize":
            return 4 - int(part * 4) if increasing else int(part * 4)
        case "Solarize":
            return 256 - int(part * 256) if increasing else int(part * 256)
        case "SolarizeAdd":
            return int(part * 110)
        case "Color" | "Contrast" | "Brightness" | "Sharpness":
            return max(0.1, 1.0 + sign * part * 0.9) if increasing else part * 1.8 + 0.1
    return 0.0
