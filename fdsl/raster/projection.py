"""Points in space to pixels: one pinhole camera, in closed form instead of OpenGL."""

from __future__ import annotations

import numpy as np

from fdsl.raster import kernel

DISTANCE = 4.0
NEAR, FAR = 1.0, 100.0
HALF_FIELD = np.sqrt(2.0) - 1.0  # tangent of 22.5 degrees, half of the vertical field of view


@kernel("void(f8[:,::1], f8[::1], f8, f8[:,::1], i8, i4[::1])")
def project(points, centre, scale, rotation, size, cells):
    """Fill `cells` (n,) with the pixels of the first n of `points` (3, …); what is not in view gets
    the cell behind the last one.

    A point p is seen at q = `rotation` (p - `centre`) * `scale`; the camera looks along the first
    axis of q, from DISTANCE before the origin; the second axis points down and the third one right.
    Depth within NEAR … FAR, `size` × `size` pixels. Source: ours, equal to the product of look-at
    and perspective matrices in the released code of ExFractalDB.
    """
    x0, y0, z0 = centre[0], centre[1], centre[2]
    ax, ay, az = rotation[0, 0] * scale, rotation[0, 1] * scale, rotation[0, 2] * scale
    dx, dy, dz = rotation[1, 0] * scale, rotation[1, 1] * scale, rotation[1, 2] * scale
    rx, ry, rz = rotation[2, 0] * scale, rotation[2, 1] * scale, rotation[2, 2] * scale
    half, last, unseen = size / 2, size - 1, size * size
    px, py, pz = points[0], points[1], points[2]
    for i in range(cells.size):
        x, y, z = px[i] - x0, py[i] - y0, pz[i] - z0
        depth = ax * x + ay * y + az * z + DISTANCE
        magnification = 1 / (depth * HALF_FIELD)
        right = (rx * x + ry * y + rz * z) * magnification
        down = (dx * x + dy * y + dz * z) * magnification
        seen = (depth >= NEAR) & (depth <= FAR) & (abs(right) <= 1) & (abs(down) <= 1)
        column = min(np.int64((right + 1) * half), last)
        row = min(np.int64((down + 1) * half), last)
        cells[i] = row * size + column if seen else unseen
