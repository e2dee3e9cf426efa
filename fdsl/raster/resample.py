"""Resize images as Pillow does, bit for bit.

The released training code augments with Pillow. This is Pillow's fixed-point resampling
(src/libImaging/Resample.c of python-pillow, MIT-CMU licence) for one or three channels; Pillow
itself computes three or four for every gray image that came from an image folder.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fdsl.raster import kernel

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
        uint8 (C, height, width), C-contiguous; equal to `PIL.Image.resize` of each channel, first
        along rows, then along columns. (That is the order of the Pillow releases that the released
        code ran on. Newer ones choose the order by cost, which rounds differently in the last bit.)
    """
    rows, columns, _ = image.shape
    planes = image.transpose(1, 2, 0)  # (W, C, H): resampling runs along the first axis
    if columns != width:
        planes = _resample(planes, width, cubic=cubic)
    planes = planes.transpose(2, 1, 0)  # (H, C, width)
    if rows != height:
        planes = _resample(planes, height, cubic=cubic)
    return np.ascontiguousarray(planes.transpose(1, 0, 2))


def _resample(planes: Pixels, size: int, *, cubic: bool) -> Pixels:
    """Resample uint8 (n, k, m) along its first axis to (size, k, m)."""
    length, *rest = planes.shape
    resampled = np.empty((size, *rest), np.uint8)
    taps = math.ceil((2 if cubic else 1) * max(length / size, 1.0)) * 2 + 1
    weights = np.empty((size, taps), np.int32)
    spans = np.empty((size, 2), np.int64)
    _fill_weights(length, cubic, weights, spans)
    matrix = np.ascontiguousarray(planes).reshape(length, -1)
    sums = np.empty(matrix.shape[1], np.int32)
    _weigh_rows(matrix, weights, spans, sums, resampled.reshape(size, -1))
    return resampled


@kernel("void(int64, boolean, int32[:, ::1], int64[:, ::1])")
def _fill_weights(length, cubic, weights, spans):
    """Fixed-point weights and [first, last) input of each output.

    The filter, a triangle or Keys' cubic, is stretched by the reduction.
    """
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


@kernel(
    "void(Array(uint8, 2, 'C', readonly=True), int32[:, ::1], int64[:, ::1], int32[::1], "
    "uint8[:, ::1])"
)
def _weigh_rows(rows, weights, spans, sums, out):
    """out[i] = rounded, clipped sum of weights[i, k] · rows[first_i + k]; `sums` is scratch."""
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
