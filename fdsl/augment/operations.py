"""The fifteen operations of RandAugment, pixel for pixel as timm does them with Pillow."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fdsl.augment.warp import affine, shift_rows
from fdsl.raster import kernel

Pixels = NDArray[np.uint8]
Table = NDArray[np.integer]
Geometry = Callable[[Pixels, float, bool, Pixels], Pixels]

VALUES = np.arange(256)


def apply(
    name: str, image: Pixels, argument: float, *, cubic: bool, fill: tuple[int, ...]
) -> Pixels:
    """Apply one operation.

    Parameters
    ----------
    name
        One of `NAMES`.
    image
        uint8 (C, H, W), C-contiguous, C = 1 or 3. Not changed.
    argument
        Degrees of Rotate, factor of a shear, fraction of the side of a translation, bits that
        Posterize keeps, threshold of Solarize, addend of SolarizeAdd, blending factor of Color,
        Contrast, Brightness and Sharpness; the others ignore it.
    cubic
        Bicubic rather than bilinear interpolation, for the geometric operations.
    fill
        0 … 255, what geometric operations put where the image ends: one value, or one per channel,
        of which a gray image takes the rounded average.

    Returns
    -------
    NDArray
        uint8 (C, H, W); the image itself where the operation cannot change it.
    """
    if name in _GEOMETRY:
        values = fill if len(fill) == len(image) else (round(sum(fill) / len(fill)),) * len(image)
        return _GEOMETRY[name](image, argument, cubic, np.array(values, np.uint8))
    return _PIXELS[name](image, argument)


def _rotate(image: Pixels, degrees: float, cubic: bool, fill: Pixels) -> Pixels:
    """Counter-clockwise about the centre, with Pillow's rounding of sine and cosine."""
    angle = -math.radians(degrees % 360.0)
    cosine, sine = round(math.cos(angle), 15), round(math.sin(angle), 15)
    x, y = image.shape[2] / 2, image.shape[1] / 2
    c, f = cosine * -x + sine * -y + x, -sine * -x + cosine * -y + y
    return affine(image, (cosine, sine, c, -sine, cosine, f), cubic=cubic, fill=fill)


def _shear(image: Pixels, factor: float, cubic: bool, fill: Pixels) -> Pixels:
    """Move row y by factor · (y + 1/2)."""
    offsets = np.float64(factor) * (np.arange(image.shape[1]) + 0.5)
    return shift_rows(image, offsets, cubic=cubic, fill=fill)


def _translate(image: Pixels, fraction: float, cubic: bool, fill: Pixels) -> Pixels:
    """Move all rows by a fraction of the width."""
    offsets = np.full(image.shape[1], fraction * image.shape[2])
    return shift_rows(image, offsets, cubic=cubic, fill=fill)


def _vertically(horizontal: Geometry) -> Geometry:
    """Make the vertical version of a horizontal operation."""

    def vertical(image: Pixels, argument: float, cubic: bool, fill: Pixels) -> Pixels:
        turned = np.ascontiguousarray(image.transpose(0, 2, 1))
        return np.ascontiguousarray(horizontal(turned, argument, cubic, fill).transpose(0, 2, 1))

    return vertical


def _auto_contrast(image: Pixels, _argument: float) -> Pixels:
    """Stretch each channel to 0 … 255."""
    tables: list[Table] = []
    for histogram in _histograms(image):
        present = np.flatnonzero(histogram)
        low, high = int(present[0]), int(present[-1])
        scale = 255.0 / (high - low) if high > low else 1.0
        offset = -low * scale if high > low else 0.0
        tables.append(np.clip((VALUES * scale + offset).astype(np.int64), 0, 255))
    return _look_up(image, tables)


def _equalize(image: Pixels, _argument: float) -> Pixels:
    """Give each channel a flat histogram; one of a single value, or nearly, is left alone."""
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
    gray, mixed = np.empty_like(image), np.empty_like(image)
    gray[:] = _luma(image)
    _blend(gray, image, np.float32(factor), mixed)
    return mixed


def _contrast(image: Pixels, factor: float) -> Pixels:
    """Blend with the mean gray."""
    luma = _luma(image) if len(image) == 3 else image[0]
    mean = int(luma.sum(dtype=np.int64) / luma.size + 0.5)
    return _look_up(image, [_blended(mean, factor)] * len(image))


def _sharpness(image: Pixels, factor: float) -> Pixels:
    """Blend with a version smoothed by 1 1 1, 1 5 1, 1 1 1, its border the image's own."""
    smooth, mixed = image.copy(), np.empty_like(image)
    _smooth(image, smooth)
    _blend(smooth, image, np.float32(factor), mixed)
    return mixed


def _point(table: Callable[[float], Table]) -> Callable[[Pixels, float], Pixels]:
    """Make an operation of a table that does not depend on the image."""

    def operation(image: Pixels, argument: float) -> Pixels:
        return _look_up(image, [table(argument)] * len(image))

    return operation


def _blended(constant: int, factor: float) -> Table:
    """Table that blends a constant (factor 0) with the value (1), in single precision as Pillow."""
    mixed = np.float32(constant) + np.float32(factor) * (VALUES - constant).astype(np.float32)
    table: Table = np.clip(mixed, 0, 255).astype(np.int64)
    return table


def _luma(image: Pixels) -> Pixels:
    """ITU-R 601 luma of (3, H, W) in Pillow's 16-bit fixed point, (H, W)."""
    red, green, blue = image.astype(np.uint32)
    luma: Pixels = ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)
    return luma


def _histograms(image: Pixels) -> list[NDArray[np.int64]]:
    """How often each value occurs, per channel."""
    counts = np.zeros((len(image), 256), np.int64)
    _count(image, counts)
    return list(counts)


def _look_up(image: Pixels, tables: list[Table]) -> Pixels:
    """Replace the values of each channel by its table."""
    mapped = np.empty_like(image)
    _map(image, np.array(tables, np.uint8), mapped)
    return mapped


_IMAGE = "Array(uint8, 3, 'C', readonly=True)"


@kernel(f"void({_IMAGE}, int64[:, ::1])")
def _count(image, counts):  # type: ignore[no-untyped-def]
    """counts[c, v] += how often channel c has value v."""
    channels, height, width = image.shape
    for channel in range(channels):
        for y in range(height):
            for x in range(width):
                counts[channel, image[channel, y, x]] += 1


@kernel(f"void({_IMAGE}, uint8[:, ::1], uint8[:, :, ::1])")
def _map(image, tables, out):  # type: ignore[no-untyped-def]
    """out = the table of its channel at image."""
    channels, height, width = image.shape
    for channel in range(channels):
        for y in range(height):
            for x in range(width):
                out[channel, y, x] = tables[channel, image[channel, y, x]]


@kernel(f"void({_IMAGE}, uint8[:, :, ::1])")
def _smooth(image, out):  # type: ignore[no-untyped-def]
    """3 × 3 average with centre weight 5, rounded; leaves the border of `out` alone."""
    channels, height, width = image.shape
    for channel in range(channels):
        for y in range(1, height - 1):
            for x in range(1, width - 1):
                total = np.int32(4) * np.int32(image[channel, y, x])
                for dy in range(3):
                    for dx in range(3):
                        total += np.int32(image[channel, y + dy - 1, x + dx - 1])
                out[channel, y, x] = np.uint8((np.int32(2) * total + np.int32(13)) // np.int32(26))


@kernel(f"void({_IMAGE}, {_IMAGE}, float32, uint8[:, :, ::1])")
def _blend(first, second, factor, out):  # type: ignore[no-untyped-def]
    """out = first + factor · (second - first) in single precision, clipped and cut to integers."""
    channels, height, width = first.shape
    for channel in range(channels):
        for y in range(height):
            for x in range(width):
                start = np.float32(first[channel, y, x])
                value = start + factor * (np.float32(second[channel, y, x]) - start)
                out[channel, y, x] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))


_GEOMETRY: dict[str, Geometry] = {
    "Rotate": _rotate,
    "ShearX": _shear,
    "ShearY": _vertically(_shear),
    "TranslateX": _translate,
    "TranslateY": _vertically(_translate),
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
