"""RandAugment with timm's operations and notation, on arrays, pixel for pixel as timm does it with Pillow.

Cubuk et al. 2020 (arXiv:1909.13719) as in timm's `rand_augment_transform`, with which all released code trained ("rand-m9-mstd0.5-inc1").
A gray image stays at one channel and comes out as an RGB copy of it would in each of its channels.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fdsl.data.resample import affine

Pixels = NDArray[np.uint8]

PROBABILITY = 0.5  # that a chosen operation is applied
LEVELS = 10.0  # a magnitude is on a scale of 0 to 10
UNIFORM_ABOVE = 100.0  # a standard deviation above this asks for magnitudes uniform in 0 … m
MAX_DEGREES, MAX_SHEAR, MAX_TRANSLATION = (
    30.0,
    0.3,
    0.45,
)  # at level 10; translation as a fraction of the side
VALUES = np.arange(256)


class Policy(NamedTuple):
    """What timm's notation says: magnitude m, number of layers n, magnitude noise mstd, and whether strength increases with magnitude."""

    magnitude: float
    layers: int
    noise: float
    increasing: bool


def parse(notation: str) -> Policy:
    """Read timm's notation, such as "rand-m9-mstd0.5-inc1".

    Keys: m magnitude (0 … 10), n layers (2 when absent), mstd standard deviation of the magnitude (0 when absent; above 100: uniform in
    0 … m), inc 1 for operations whose strength increases with magnitude (0 when absent).

    Raises
    ------
    ValueError
        If the notation is another one or a magnitude is beyond 10.
    """
    head, *parts = notation.split("-")
    found = [re.fullmatch(r"(mstd|m|n|inc)(\d+(?:\.\d+)?)", part) for part in parts]
    if head != "rand" or not all(found):
        raise ValueError(
            f"rand_augment = {notation!r} cannot be read: write it as 'rand-m9-mstd0.5-inc1', with the keys m, n, mstd, inc only"
        )
    values = {match[1]: float(match[2]) for match in found if match}
    magnitude = values.get("m", LEVELS)
    if magnitude > LEVELS:
        raise ValueError(
            f"rand_augment = {notation!r}: magnitude m = {magnitude:g} is out of range 0 to {LEVELS:g}"
        )
    return Policy(
        magnitude, int(values.get("n", 2)), values.get("mstd", 0.0), bool(values.get("inc", 0))
    )


class RandAugment:
    """Apply a few random operations of random magnitude.

    Parameters
    ----------
    notation
        See `parse`.
    fill
        Values 0 … 255 that geometric operations put where the image ends: one, or one per channel of a colour image. A gray image takes the
        rounded average of three.
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
            image = apply(
                name,
                image,
                strength(name, level, sign=sign, increasing=self.policy.increasing),
                cubic=cubic,
                fill=self.fill,
            )
        return image


def draw(policy: Policy, rng: np.random.Generator) -> list[tuple[str, float, int, bool]]:
    """Return the operations of one image: name, level 0 … 10, sign ±1 and whether a geometric one is bicubic rather than bilinear."""
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
    """Return the argument of an operation at a level 0 … 10, in the operation's own unit; 0 for those without one."""
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


def apply(
    name: str, image: Pixels, argument: float, *, cubic: bool, fill: tuple[int, ...]
) -> Pixels:
    """Apply one operation of `NAMES` to a uint8 (C, H, W) image and return a new one; `argument` as `strength` gives it."""
    if name in _GEOMETRY:
        values = fill if len(fill) == len(image) else (round(sum(fill) / len(fill)),) * len(image)
        matrix = _GEOMETRY[name](argument, image.shape[2], image.shape[1])
        return affine(image, matrix, cubic=cubic, fill=np.array(values, np.uint8))
    return _PIXELS[name](image, argument)


def _rotation(
    degrees: float, width: int, height: int
) -> tuple[float, float, float, float, float, float]:
    """Counter-clockwise about the centre, with Pillow's rounding of sine and cosine."""
    angle = -math.radians(degrees % 360.0)
    cosine, sine = round(math.cos(angle), 15), round(math.sin(angle), 15)
    x, y = width / 2, height / 2
    return cosine, sine, cosine * -x + sine * -y + x, -sine, cosine, -sine * -x + cosine * -y + y


def _auto_contrast(image: Pixels, _argument: float) -> Pixels:
    """Stretch each channel to 0 … 255."""
    tables = []
    for histogram in _histograms(image):
        present = np.flatnonzero(histogram)
        low, high = int(present[0]), int(present[-1])
        scale = 255.0 / (high - low) if high > low else 1.0
        offset = -low * scale if high > low else 0.0
        tables.append(np.clip((VALUES * scale + offset).astype(np.int64), 0, 255))
    return _look_up(image, tables)


def _equalize(image: Pixels, _argument: float) -> Pixels:
    """Give each channel a flat histogram; left alone where a channel has one value or almost one."""
    tables = []
    for histogram in _histograms(image):
        step = (histogram.sum() - histogram[np.flatnonzero(histogram)[-1]]) // 255
        before = np.concatenate(([0], np.cumsum(histogram[:-1])))
        tables.append(np.minimum((step // 2 + before) // step, 255) if step else VALUES)
    return _look_up(image, tables)


def _color(image: Pixels, factor: float) -> Pixels:
    """Blend with the gray version; a gray image is its own."""
    if len(image) == 1:
        return image
    mixed = np.empty_like(image)
    _blend(np.broadcast_to(_luma(image), image.shape).copy(), image, np.float32(factor), mixed)
    return mixed


def _contrast(image: Pixels, factor: float) -> Pixels:
    """Blend with the mean gray."""
    luma = _luma(image) if len(image) == 3 else image[0]
    mean = int(luma.sum(dtype=np.int64) / luma.size + 0.5)
    return _look_up(image, [_blended(mean, factor)] * len(image))


def _sharpness(image: Pixels, factor: float) -> Pixels:
    """Blend with a smoothed version (weights 1 1 1, 1 5 1, 1 1 1), whose border is the image's own."""
    smooth, mixed = image.copy(), np.empty_like(image)
    _smooth(image, smooth)
    _blend(smooth, image, np.float32(factor), mixed)
    return mixed


def _point(table: Callable[[float], NDArray[np.integer]]) -> Callable[[Pixels, float], Pixels]:
    """Make an operation of a table that does not depend on the image."""

    def operation(image: Pixels, argument: float) -> Pixels:
        return _look_up(image, [table(argument)] * len(image))

    return operation


def _blended(constant: int, factor: float) -> NDArray[np.int64]:
    """Table that blends a constant (factor 0) with the value (factor 1), in single precision as Pillow does."""
    mixed = np.float32(constant) + np.float32(factor) * (VALUES - constant).astype(np.float32)
    return np.clip(mixed, 0, 255).astype(np.int64)


def _luma(image: Pixels) -> Pixels:
    """ITU-R 601 luma of uint8 (3, H, W) in Pillow's 16-bit fixed point, uint8 (H, W)."""
    red, green, blue = image.astype(np.uint32)
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)


def _histograms(image: Pixels) -> list[NDArray[np.int64]]:
    counts = np.zeros((len(image), 256), np.int64)
    _count(image, counts)
    return list(counts)


def _look_up(image: Pixels, tables: list[NDArray[np.integer]]) -> Pixels:
    mapped = np.empty_like(image)
    _map(image, np.array(tables, np.uint8), mapped)
    return mapped


@njit("void(Array(uint8, 3, 'C', readonly=True), int64[:, ::1])", cache=True, nogil=True)
def _count(image, counts):
    """counts[c, v] += how often channel c has value v."""
    for channel in range(len(image)):
        for row in image[channel]:
            for value in row:
                counts[channel, value] += 1


@njit(
    "void(Array(uint8, 3, 'C', readonly=True), uint8[:, ::1], uint8[:, :, ::1])",
    cache=True,
    nogil=True,
)
def _map(image, tables, out):
    """out = table of its channel [image]."""
    channels, height, width = image.shape
    for channel in range(channels):
        for y in range(height):
            for x in range(width):
                out[channel, y, x] = tables[channel, image[channel, y, x]]


@njit("void(Array(uint8, 3, 'C', readonly=True), uint8[:, :, ::1])", cache=True, nogil=True)
def _smooth(image, out):
    """3 × 3 average with centre weight 5, rounded; leaves the border of `out` alone."""
    channels, height, width = image.shape
    for channel in range(channels):
        for y in range(1, height - 1):
            above, row, below = image[channel, y - 1], image[channel, y], image[channel, y + 1]
            for x in range(1, width - 1):
                total = np.int32(4) * np.int32(row[x])
                for dx in range(3):
                    total += (
                        np.int32(above[x + dx - 1])
                        + np.int32(row[x + dx - 1])
                        + np.int32(below[x + dx - 1])
                    )
                out[channel, y, x] = np.uint8((2 * total + 13) // 26)


_BLEND = "void(Array(uint8, 3, 'C', readonly=True), Array(uint8, 3, 'C', readonly=True), float32, uint8[:, :, ::1])"


@njit(_BLEND, cache=True, nogil=True)
def _blend(first, second, factor, out):
    """out = first + factor · (second - first) in single precision, clipped and cut to integers."""
    channels, height, width = first.shape
    for channel in range(channels):
        for y in range(height):
            for x in range(width):
                start = np.float32(first[channel, y, x])
                value = start + factor * (np.float32(second[channel, y, x]) - start)
                out[channel, y, x] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))


_GEOMETRY: dict[
    str, Callable[[float, int, int], tuple[float, float, float, float, float, float]]
] = {
    "Rotate": _rotation,
    "ShearX": lambda factor, _width, _height: (1, factor, 0, 0, 1, 0),
    "ShearY": lambda factor, _width, _height: (1, 0, 0, factor, 1, 0),
    "TranslateX": lambda fraction, width, _height: (1, 0, fraction * width, 0, 1, 0),
    "TranslateY": lambda fraction, _width, height: (1, 0, 0, 0, 1, fraction * height),
}
_PIXELS: dict[str, Callable[[Pixels, float], Pixels]] = {
    "AutoContrast": _auto_contrast,
    "Equalize": _equalize,
    "Invert": _point(lambda _: 255 - VALUES),
    "Posterize": _point(lambda bits: VALUES & ~((1 << (8 - int(bits))) - 1)),
    "Solarize": _point(lambda threshold: np.where(threshold > VALUES, VALUES, 255 - VALUES)),
    "SolarizeAdd": _point(
        lambda add: np.where(VALUES < 128, np.minimum(VALUES + int(add), 255), VALUES)
    ),
    "Color": _color,
    "Contrast": _contrast,
    "Brightness": _point(lambda factor: _blended(0, factor)),
    "Sharpness": _sharpness,
}
NAMES = (*_GEOMETRY, *_PIXELS)
