"""Shear, translate and rotate images as Pillow does, bit for bit.

This is Pillow's arithmetic (double-precision coordinates, bilinear or bicubic, cut to integers;
src/libImaging/Geometry.c of python-pillow, MIT-CMU licence) for one or three channels.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fdsl.raster import kernel

Pixels = NDArray[np.uint8]
_IMAGE = "Array(uint8, 3, 'C', readonly=True)"


def affine(image: Pixels, matrix: tuple[float, ...], *, cubic: bool, fill: Pixels) -> Pixels:
    """Map an image by an affine map, from output to input coordinates.

    Parameters
    ----------
    image
        uint8 (C, H, W), C-contiguous.
    matrix
        (a, b, c, d, e, f): the output pixel (x, y) shows the input at (a x + b y + c, d x + e y +
        f), both counted at pixel centres.
    cubic
        Bicubic rather than bilinear interpolation.
    fill
        uint8 (C,), the value where the input ends.

    Returns
    -------
    NDArray
        uint8 (C, H, W); equal to `PIL.Image.transform` with `Image.AFFINE`.
    """
    mapped = np.empty_like(image)
    _affine(image, *(float(value) for value in matrix), cubic, fill, mapped)
    return mapped


def shift_rows(image: Pixels, offsets: NDArray[np.float64], *, cubic: bool, fill: Pixels) -> Pixels:
    """Move each row of an image by its own distance: a horizontal shear or translation.

    Parameters
    ----------
    image
        uint8 (C, H, W), C-contiguous.
    offsets
        float64 (H,), pixels: the output pixel (x, y) shows the input at (x + offsets[y], y).
    cubic
        Bicubic rather than bilinear interpolation.
    fill
        uint8 (C,), the value where the input ends.

    Returns
    -------
    NDArray
        uint8 (C, H, W); equal to `affine` with (1, b, c, 0, 1, 0) where offsets[y] is b (y + 0.5)
        or c, at a tenth of its cost.
    """
    moved = np.empty_like(image)
    _shift_rows(image, offsets, cubic, fill, np.empty(image.shape[2] + 4), moved)
    return moved


@njit(inline="always")
def _split(position):  # type: ignore[no-untyped-def]
    """Floor and fraction of a position above -1."""
    whole = int(position) if position >= 0.0 else -1
    return whole, position - whole


@njit(inline="always")
def _within(place, length):  # type: ignore[no-untyped-def]
    """The place, or the nearest edge; unsigned, which spares the check for negative indices."""
    return np.uint64(min(max(place, 0), length - 1))


@njit(inline="always")
def _linear(p, q, t):  # type: ignore[no-untyped-def]
    """Value at t in [0, 1] between p and q."""
    return p + (float(q) - p) * t


@njit(inline="always")
def _cubic(p, q, r, s, t):  # type: ignore[no-untyped-def]
    """Value at t in [0, 1] between q and r of Pillow's cubic for transforms (a = -1)."""
    return q + t * ((r - p) + t * ((2.0 * (p - q) + r - s) + t * (-p + q - r + s)))


@njit(inline="always")
def _cubic_row(image, channel, row, left, t):  # type: ignore[no-untyped-def]
    """Interpolate in one row between `left` and `left` + 1."""
    width = image.shape[2]
    p = float(image[channel, row, _within(left - 1, width)])
    q = float(image[channel, row, _within(left, width)])
    r = float(image[channel, row, _within(left + 1, width)])
    return _cubic(p, q, r, float(image[channel, row, _within(left + 2, width)]), t)


@njit(inline="always")
def _linear_at(image, channel, left, top, du, dv):  # type: ignore[no-untyped-def]
    """Bilinear interpolation; pixels beyond the edge repeat the edge."""
    _, height, width = image.shape
    x0, x1 = _within(left, width), _within(left + 1, width)
    y0, y1 = _within(top, height), _within(top + 1, height)
    upper = _linear(image[channel, y0, x0], image[channel, y0, x1], du)
    lower = _linear(image[channel, y1, x0], image[channel, y1, x1], du)
    return _linear(upper, lower, dv)


@njit(inline="always")
def _cubic_at(image, channel, left, top, du, dv):  # type: ignore[no-untyped-def]
    """Bicubic interpolation, cut to what a pixel holds; pixels beyond the edge repeat the edge."""
    height = image.shape[1]
    above = _cubic_row(image, channel, _within(top - 1, height), left, du)
    upper = _cubic_row(image, channel, _within(top, height), left, du)
    lower = _cubic_row(image, channel, _within(top + 1, height), left, du)
    below = _cubic_row(image, channel, _within(top + 2, height), left, du)
    return min(max(_cubic(above, upper, lower, below, dv), 0.0), 255.0)


@kernel(f"void({_IMAGE}, {', '.join(6 * ['float64'])}, boolean, uint8[::1], uint8[:, :, ::1])")
def _affine(image, a, b, c, d, e, f, cubic, fill, out):  # type: ignore[no-untyped-def]
    """See `affine`."""
    channels, height, width = image.shape
    for y in range(height):
        for x in range(width):
            u = a * (x + 0.5) + b * (y + 0.5) + c
            v = d * (x + 0.5) + e * (y + 0.5) + f
            if not (0.0 <= u < width and 0.0 <= v < height):
                for channel in range(channels):
                    out[channel, y, x] = fill[channel]
                continue
            left, du = _split(u - 0.5)
            top, dv = _split(v - 0.5)
            for channel in range(channels):
                if cubic:
                    value = _cubic_at(image, channel, left, top, du, dv)
                else:
                    value = _linear_at(image, channel, left, top, du, dv)
                out[channel, y, x] = np.uint8(value)


@njit(inline="always")
def _shift_along(taps, first, offset, whole, cubic, result):  # type: ignore[no-untyped-def]
    """result[i] = the value between taps[i + 1] and taps[i + 2], for one shift of the whole row."""
    for i in range(len(result)):
        x = first + i
        t = (x + 0.5 + offset) - 0.5 - (x + whole)
        if cubic:
            value = _cubic(taps[i], taps[i + 1], taps[i + 2], taps[i + 3], t)
            result[i] = np.int32(min(max(value, 0.0), 255.0))
        else:
            result[i] = np.int32(_linear(taps[i + 1], taps[i + 2], t))


@njit(inline="always")
def _bound(offset, limit, width):  # type: ignore[no-untyped-def]
    """The first x in 0 … width with x + 0.5 + offset >= limit, as exactly as a pixel tests it."""
    x = min(max(math.ceil(limit - 0.5 - offset), 0), width)
    while x > 0 and (x - 1) + 0.5 + offset >= limit:
        x -= 1
    while x < width and x + 0.5 + offset < limit:
        x += 1
    return x


@kernel(f"void({_IMAGE}, float64[::1], boolean, uint8[::1], float64[::1], uint8[:, :, ::1])")
def _shift_rows(image, offsets, cubic, fill, row, out):  # type: ignore[no-untyped-def]
    """See `shift_rows`; `row` is scratch: one row with its edge values repeated twice.

    All pixels of a row have the same whole shift, so that they are neighbours in memory. Where the
    rounding of a coordinate lifts one to the next integer, its fraction is exactly 1 here and 0 in
    Pillow, and the value the same.
    """
    channels, height, width = image.shape
    for channel in range(channels):
        for y in range(height):
            row[:2] = image[channel, y, 0]
            row[2 : width + 2] = image[channel, y]
            row[width + 2 :] = image[channel, y, width - 1]
            offset = offsets[y]
            whole = math.floor(offset)
            result = out[channel, y]
            result[:] = fill[channel]
            first, last = _bound(offset, 0, width), _bound(offset, width, width)
            if first == last:
                continue
            start = first + whole + 1
            taps = row[start : start + last - first + 3]
            _shift_along(taps, first, offset, whole, cubic, result[first:last])
