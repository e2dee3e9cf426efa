"""Two-dimensional gradient noise on a lattice. Equation: K. Perlin, "Improving noise", SIGGRAPH
2002, with any gradients.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fdsl.raster import circle, inlined, kernel


def add_layer(values: NDArray[np.float64], turns: NDArray[np.float64], *, amplitude: float) -> None:
    """Add `amplitude` times gradient noise to the square `values`; `turns` (m + 1, n + 1), in [0,
    1), are the angles of the gradients.
    """
    slopes_x, slopes_y = np.empty((2, *turns.shape))
    circle.circle(turns.reshape(-1), slopes_x.reshape(-1), slopes_y.reshape(-1))
    add_gradient_noise(slopes_x, slopes_y, amplitude, values)


@inlined
def _fade(t):
    """6 t^5 - 15 t^4 + 10 t^3: from 0 to 1 with no slope and no curvature at the ends."""
    return t * t * t * (t * (t * 6 - 15) + 10)


@kernel("void(f8[:,::1], f8[:,::1], f8, f8[:,::1])")
def add_gradient_noise(slopes_x, slopes_y, amplitude, values):
    """Add `amplitude` * noise to `values` (size, size); the gradients (m + 1, n + 1) stand on the
    corners of m × n cells over the image.

    Pixel (row, column) is taken at its middle, (row + 0.5) * m / size from the top.
    """
    size = values.shape[0]
    cells_y, cells_x = slopes_x.shape[0] - 1, slopes_x.shape[1] - 1
    for row in range(size):
        y = (row + 0.5) * cells_y / size
        i = np.uint64(y)
        below = y - i
        above, fade_y = below - 1, _fade(below)
        for column in range(size):
            x = (column + 0.5) * cells_x / size
            j = np.uint64(x)
            right = x - j
            left = right - 1
            k, m = i + np.uint64(1), j + np.uint64(1)
            top_left = slopes_x[i, j] * right + slopes_y[i, j] * below
            top_right = slopes_x[i, m] * left + slopes_y[i, m] * below
            low_left = slopes_x[k, j] * right + slopes_y[k, j] * above
            low_right = slopes_x[k, m] * left + slopes_y[k, m] * above
            fade_x = _fade(right)
            top = top_left + fade_x * (top_right - top_left)
            low = low_left + fade_x * (low_right - low_left)
            values[row, column] += amplitude * (top + fade_y * (low - top))
