"""Nested contours that grow from polygon to polygon by a step and noise: RCDB, and with waves
VisualAtom.
"""

from __future__ import annotations

import numpy as np

from fdsl.raster import kernel
from fdsl.raster.lines import draw_polygon
from fdsl.raster.noise import perlin
from fdsl.raster.xoshiro import advance, load, store

_U32, _LOWER = np.uint64(32), np.uint64(0xFFFFFFFF)
_TO_ARGUMENT = 10_000 * 2.0**-32


@kernel(
    "void(f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8, f8, f8, u8[::1], u1[::1], i8, u1[::1])"
)
def grow_contours(
    x, y, cosines, sines, outward, gain, shift_x, shift_y, state, grays, size, canvas
):
    """Draw one closed polygon per gray level; before each, every vertex steps outwards by `outward`
    - `gain` * noise, x and y apart.

    `x`, `y` (vertices,) are moved in place and drawn at + shift; the polygon that they hold at
    first is not drawn. Noise is Perlin noise at independent uniform arguments in [0, 10000): the
    upper half of one draw serves x, the lower half y.
    """
    s0, s1, s2, s3 = load(state)
    for gray in grays:
        for v in range(x.size):
            bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
            noise_x = perlin(np.float32(np.int64(bits >> _U32) * _TO_ARGUMENT))
            noise_y = perlin(np.float32(np.int64(bits & _LOWER) * _TO_ARGUMENT))
            x[v] += cosines[v] * (outward[v] - gain * noise_x)
            y[v] += sines[v] * (outward[v] - gain * noise_y)
        draw_polygon(x, y, shift_x, shift_y, size, gray, canvas)
    store(state, s0, s1, s2, s3)
