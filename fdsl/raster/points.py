"""Points to pixels: first the place of each point in the picture (`cells`), then what is drawn
there.

A cell is the index of a pixel in the flattened canvas. Flips cost nothing: they are the signs of
the steps from one row or column to the next (see `Placement` in fdsl.formulas.attractor).

`levels` are the values that are drawn: point i has levels[i % n]. Their number n must be a power of
2.
"""

from __future__ import annotations

import numpy as np

from fdsl.raster import kernel

SMALLEST_EXTENT = 1e-290  # so that no scale becomes infinite


@kernel("void(f8[::1], f8[::1], f8[::1], i8, i8, i8, i8, i8, i4[::1])")
def fit_to_window(x, y, extent, window, pad, origin, row_step, column_step, cells):
    """Fill `cells` (n,) with the pixels of the points: `extent` is stretched over `window` + 1
    pixels behind `pad`, each axis by itself.

    column = floor((x - min) * (window / (max - min)) + pad), row likewise from y, after the
    released code of FractalDB. An axis without extent is drawn in the middle. All points must lie
    inside `extent`.
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
    """Set a square of odd `side` around each point, cut off at the border of the `size` × `size`
    canvas; cells behind it are none.
    """
    reach = side // 2
    for cell in cells:
        if cell >= size * size:
            continue
        row, column = cell // size, cell % size
        for r in range(max(0, row - reach), min(size, row + reach + 1)):
            for c in range(max(0, column - reach), min(size, column + reach + 1)):
                canvas[r * size + c] = value
