"""Compiled geometry of training images: separable resizing and affine maps, bit for bit as Pillow does them.

The released training code augments with Pillow. Pillow's arithmetic (fixed-point resampling, double-precision affine maps; src/libImaging of
python-pillow, MIT-CMU licence) is restated here for planes of one or three channels, because its own code spends most of its time on the two
channels that a gray image does not have and on one function call per pixel. Tests hold every function equal to Pillow.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

FRACTION_BITS = 22  # of the fixed-point weights: 32 - 8 (pixel) - 2 (headroom)
_HALF = 1 << (FRACTION_BITS - 1)

Pixels = NDArray[np.uint8]


def resize(image: Pixels, height: int, width: int, *, cubic: bool) -> Pixels:
    """Resize with antialiasing.

    Parameters
    ----------
    image
        uint8 (H, W, C), any strides; a crop is a slice.
    height, width
        Size of the result, at least 1.
    cubic
        Bicubic (a = -0.5) rather than bilinear weights.

    Returns
    -------
    NDArray
        uint8 (C, height, width), C-contiguous; equal to `PIL.Image.resize` of each channel, first along rows, then along columns. (That is
        the order of the Pillow releases that the released code ran on. Newer ones choose the order by cost, which rounds differently in
        the last bit.)
    """
    rows, columns, channels = image.shape
    planes = image.transpose(
        1, 2, 0
    )  # (W, C, H): resampling runs along the first axis, over contiguous rows
    if columns != width:
        planes = _resample(planes, width, cubic=cubic)
    planes = planes.transpose(2, 1, 0)  # (H, C, width)
    if rows != height:
        planes = _resample(planes, height, cubic=cubic)
    return np.ascontiguousarray(planes.transpose(1, 0, 2))


def affine(
    image: Pixels,
    matrix: tuple[float, float, float, float, float, float],
    *,
    cubic: bool,
    fill: Pixels,
) -> Pixels:
    """Map an image by an affine map, from output to input coordinates.

    Parameters
    ----------
    image
        uint8 (C, H, W), C-contiguous.
    matrix
        (a, b, c, d, e, f): the output pixel (x, y) shows the input at (a x + b y + c, d x + e y + f), both counted at pixel centres.
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
    kernel = _affine_cubic if cubic else _affine_linear
    kernel(image, *(float(value) for value in matrix), fill, mapped)
    return mapped


def _resample(planes: Pixels, size: int, *, cubic: bool) -> Pixels:
    """Resample uint8 (n, k, m) along its first axis to (size, k, m)."""
    length, *rest = planes.shape
    resampled = np.empty((size, *rest), np.uint8)
    taps = math.ceil((2 if cubic else 1) * max(length / size, 1.0)) * 2 + 1
    weights = np.empty((size, taps), np.int32)
    spans = np.empty((size, 2), np.int64)
    _fill_weights(length, cubic, weights, spans)
    matrix = np.ascontiguousarray(planes).reshape(length, -1)
    _weigh_rows(
        matrix, weights, spans, np.empty(matrix.shape[1], np.int32), resampled.reshape(size, -1)
    )
    return resampled


@njit("void(int64, boolean, int32[:, ::1], int64[:, ::1])", cache=True, nogil=True)
def _fill_weights(length, cubic, weights, spans):
    """Fixed-point weights and [first, last) input of each output; triangle or Keys' cubic stretched by the reduction."""
    size, taps = weights.shape
    scale = length / size
    stretch = max(scale, 1.0)
    support = (2.0 if cubic else 1.0) * stretch
    exact = np.empty(taps)
    for place in range(size):
        centre = (place + 0.5) * scale
        first = max(int(centre - support + 0.5), 0)
        last = min(int(centre + support + 0.5), length)
        total = 0.0
        for tap in range(last - first):
            distance = abs((tap + first - centre + 0.5) * (1.0 / stretch))
            weight = 0.0
            if cubic and distance < 1.0:
                weight = (1.5 * distance - 2.5) * distance * distance + 1.0
            elif cubic and distance < 2.0:
                weight = (((distance - 5.0) * distance + 8.0) * distance - 4.0) * -0.5
            elif not cubic and distance < 1.0:
                weight = 1.0 - distance
            exact[tap] = weight
            total += weight
        for tap in range(last - first):
            scaled = exact[tap] / total * (1 << FRACTION_BITS)
            weights[place, tap] = int(scaled - 0.5) if scaled < 0.0 else int(scaled + 0.5)
        spans[place, 0], spans[place, 1] = first, last


@njit(
    "void(Array(uint8, 2, 'C', readonly=True), int32[:, ::1], int64[:, ::1], int32[::1], uint8[:, ::1])",
    cache=True,
    nogil=True,
)
def _weigh_rows(rows, weights, spans, sums, out):
    """out[i] = rounded and clipped sum of weights[i, k] · rows[first_i + k]; `sums` is scratch of one row."""
    columns = rows.shape[1]
    for place in range(len(out)):
        sums[:] = _HALF
        first, last = spans[place]
        for row in range(first, last):
            weight = weights[place, row - first]
            for column in range(columns):
                sums[column] += weight * np.int32(rows[row, column])
        for column in range(columns):
            value = sums[column] >> FRACTION_BITS
            out[place, column] = np.uint8(min(max(value, np.int32(0)), np.int32(255)))


@njit(inline="always")
def _split(position):
    """Floor and fraction of a position above -1."""
    whole = int(position) if position >= 0.0 else -1
    return whole, position - whole


@njit(inline="always")
def _within(place, length):
    """The place, or the nearest edge; unsigned, which spares the check for negative indices."""
    return np.uint64(min(max(place, 0), length - 1))


@njit(inline="always")
def _linear(p, q, t):
    """Value at t in [0, 1] between p and q."""
    return p + (float(q) - p) * t


@njit(inline="always")
def _cubic(p, q, r, s, t):
    """Value at t in [0, 1] between q and r of the cubic with a = -1 that Pillow's transform uses."""
    return q + t * ((r - p) + t * ((2.0 * (p - q) + r - s) + t * (-p + q - r + s)))


@njit(inline="always")
def _cubic_row(image, channel, row, left, t):
    """Interpolate in one row between `left` and `left` + 1."""
    width = image.shape[2]
    q = float(image[channel, row, _within(left, width)])
    if t == 0.0:
        return q
    p, r = (
        float(image[channel, row, _within(left - 1, width)]),
        float(image[channel, row, _within(left + 1, width)]),
    )
    return _cubic(p, q, r, float(image[channel, row, _within(left + 2, width)]), t)


_AFFINE = "void(Array(uint8, 3, 'C', readonly=True), float64, float64, float64, float64, float64, float64, uint8[::1], uint8[:, :, ::1])"


@njit(_AFFINE, cache=True, nogil=True)
def _affine_linear(image, a, b, c, d, e, f, fill, out):
    """Bilinear interpolation; pixels beyond the edge repeat the edge."""
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
            x0, x1 = _within(left, width), _within(left + 1, width)
            y0, y1 = _within(top, height), _within(top + 1, height)
            for channel in range(channels):
                upper = _linear(image[channel, y0, x0], image[channel, y0, x1], du)
                if dv != 0.0:
                    upper = _linear(
                        upper, _linear(image[channel, y1, x0], image[channel, y1, x1], du), dv
                    )
                out[channel, y, x] = np.uint8(upper)


@njit(_AFFINE, cache=True, nogil=True)
def _affine_cubic(image, a, b, c, d, e, f, fill, out):
    """Bicubic interpolation; pixels beyond the edge repeat the edge."""
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
                value = _cubic_row(image, channel, _within(top, height), left, du)
                if dv != 0.0:
                    above = _cubic_row(image, channel, _within(top - 1, height), left, du)
                    below = _cubic_row(image, channel, _within(top + 1, height), left, du)
                    beyond = _cubic_row(image, channel, _within(top + 2, height), left, du)
                    value = _cubic(above, value, below, beyond, dv)
                out[channel, y, x] = np.uint8(min(max(value, 0.0), 255.0))
