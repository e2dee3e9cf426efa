"""One-dimensional Perlin noise of the package `noise`, in single precision, written after its C
source's formula.
"""

from __future__ import annotations

import math

import numpy as np

from fdsl.raster.noise import PERMUTATION


def pnoise1(x: float) -> float:
    """Return the noise at x >= 0."""
    x = np.float32(x)
    cell = math.floor(x)
    t = np.float32(x - np.float32(cell))
    fade = t * t * t * (t * (t * np.float32(6) - np.float32(15)) + np.float32(10))
    left, right = _slope(cell) * t, _slope(cell + 1) * (t - np.float32(1))
    return float((left + fade * (right - left)) * np.float32(0.4))


def _slope(cell: int) -> np.float32:
    mixed = int(PERMUTATION[cell % 1024 % 256])
    return np.float32(-1 if mixed & 8 else (mixed & 7) + 1)
