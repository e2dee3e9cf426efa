"""Points to pixels: first the place of each point in the picture (`cells`), then what is drawn there.

A cell is the index of a pixel in the flattened canvas. Flips cost nothing: they are the signs of the steps from one row or column to
the next (see `Placement` in fdsl.formulas.attractor).

`levels` are the values that are drawn: point i has levels[i % n]. Their number n must be a power of 2.
"""

from __future__ import annotations

import numpy as np

from fdsl.raster import inlined, kernel
from fdsl.raster.xoshiro import advance, load, store

SMALLEST_EXTENT = 1e-290  # so that no scale becomes infinite

_U1, _U9, _MASK = np.uint64(1), np.uint64(9), np.uint64(511)


@kernel("void(f8[::1], f8[::1], f8[::1], i8, i8, i8, i8, i8, i4[::1])")
def fit_to_window(x, y, extent, window, pad, origin, row_step, column_step, cells):
    """Fill `cells` (n,) with the pixels of the points: `extent` is stretched over `window` + 1 pixels behind `pad`, each axis by itself.

    column = floor((x - min) * (window / (max - min)) + pad), row likewise from y, after the released code of FractalDB. An axis
    without extent is drawn in the middle. All points must lie inside `extent`.
    """
    left, low = extent[0], extent[2]
    width, height = extent[1] - left, extent[3] - low
    scale_x, shift_x = (
        (window / width, float(pad)) if width > SMALLEST_EXTENT else (0.0, pad + window / 2)
    )
    scale_y, shift_y = (
        (window / height, float(pad)) if height > SMALLEST_EXTENT else (0.0, pad + window / 2)
    )
    for i in range(cells.size):
        column = np.int64((x[i] - left) * scale_x + shift_x)
        row = np.int64((y[i] - low) * scale_y + shift_y)
        cells[i] = origin + row * row_step + column * column_step


@kernel("void(i4[::1], u1[::1], u1[::1])")
def draw_points(cells, levels, canvas):
    """Set one pixel per point."""
    last = np.uint64(levels.size - 1)
    for i in range(np.uint64(cells.size)):
        canvas[np.uint32(cells[i])] = levels[i & last]


@kernel("void(i4[::1], i8, i8, u1, u1[::1])")
def draw_squares(cells, side, size, value, canvas):
    """Set a square of odd `side` around each point, cut off at the border of the `size` × `size` canvas; cells behind it are none."""
    reach = side // 2
    for cell in cells:
        if cell >= size * size:
            continue
        row, column = cell // size, cell % size
        for r in range(max(0, row - reach), min(size, row + reach + 1)):
            for c in range(max(0, column - reach), min(size, column + reach + 1)):
                canvas[r * size + c] = value


@inlined
def _next_mask(bits, left, s0, s1, s2, s3):
    """A 3 × 3 pattern, uniform on 1 … 511: seven are cut from one draw, and empty ones are dropped."""
    mask = np.uint64(0)
    while mask == 0:
        if left == 0:
            bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
            left = 7
        mask = bits & _MASK
        bits >>= _U9
        left -= 1
    return mask, bits, left, s0, s1, s2, s3


@inlined
def _draw_patch(cell, mask, row_step, column_step, value, canvas):
    """Set nine pixels; the highest bit is the upper left one."""
    bit = np.uint64(256)
    for row in range(3):
        for column in range(3):
            lit = value if mask & bit else np.uint8(0)
            canvas[np.uint64(cell + row * row_step + column * column_step)] = lit
            bit >>= _U1


@kernel("void(i4[::1], i8, i8, u8[::1], u1[::1], u1[::1])")
def draw_patches(cells, row_step, column_step, state, levels, canvas):
    """Draw a new random 3 × 3 pattern per point, in order and opaque: bits that are 0 erase what was there.

    `cells` are the upper left corners before flips. As in the released code of FractalDB.
    """
    s0, s1, s2, s3 = load(state)
    bits, left = np.uint64(0), 0
    last = np.uint64(levels.size - 1)
    for i in range(np.uint64(cells.size)):
        mask, bits, left, s0, s1, s2, s3 = _next_mask(bits, left, s0, s1, s2, s3)
        _draw_patch(cells[i], mask, row_step, column_step, levels[i & last], canvas)
    store(state, s0, s1, s2, s3)


@kernel("u8(u8[::1])")
def random_pattern(state):
    """Return one random 3 × 3 pattern, nine bits of which at least one is set."""
    s0, s1, s2, s3 = load(state)
    mask, _, _, s0, s1, s2, s3 = _next_mask(np.uint64(0), 0, s0, s1, s2, s3)
    store(state, s0, s1, s2, s3)
    return mask


@kernel("void(i4[::1], i8, i8, u8, u1[::1], u1[::1])")
def draw_equal_patches(cells, row_step, column_step, pattern, levels, canvas):
    """As draw_patches, with one pattern for all points."""
    last = np.uint64(levels.size - 1)
    for i in range(np.uint64(cells.size)):
        _draw_patch(cells[i], pattern, row_step, column_step, levels[i & last], canvas)
