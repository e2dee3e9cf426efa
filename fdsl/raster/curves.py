"""Bezier curves as polylines."""

from __future__ import annotations

import numpy as np

from fdsl.raster import kernel
from fdsl.raster.lines import draw_line


@kernel("void(f8[:,::1])")
def bernstein(basis):
    """Fill `basis` (n + 1, p) with the Bernstein polynomials of degree p - 1 at 0, 1 / n, …, 1; by
    de Casteljau's recurrence.
    """
    steps, points = basis.shape[0] - 1, basis.shape[1]
    for i in range(steps + 1):
        t = i / steps
        basis[i, 0] = 1.0
        for degree in range(1, points):
            basis[i, degree] = t * basis[i, degree - 1]
            for k in range(degree - 1, 0, -1):
                basis[i, k] = (1 - t) * basis[i, k] + t * basis[i, k - 1]
            basis[i, 0] *= 1 - t


@kernel("void(f8[:,::1], f8[:,::1], f8[:,::1], i8, u1, u1[::1])")
def draw_curves(basis, x, y, size, value, canvas):
    """Draw one curve for each row of the control points `x`, `y` (curves, p), in pixels: straight
    lines between the rows of `basis`.

    Coordinates are truncated towards zero, as Pillow's; what lies outside of the image is cut off.
    """
    for curve in range(x.shape[0]):
        x0 = y0 = np.int64(0)
        for i in range(basis.shape[0]):
            px = py = 0.0
            for k in range(basis.shape[1]):
                px += basis[i, k] * x[curve, k]
                py += basis[i, k] * y[curve, k]
            x1, y1 = np.int64(px), np.int64(py)
            if i == 0:
                draw_line(x1, y1, x1, y1, size, value, canvas)
            elif x1 != x0 or y1 != y0:
                draw_line(x0, y0, x1, y1, size, value, canvas)
            x0, y0 = x1, y1
