"""Points in space to pixels: one pinhole camera, in closed form instead of OpenGL."""

from __future__ import annotations

import numpy as np

from fdsl.raster import kernel

DISTANCE = 4.0
NEAR, FAR = 1.0, 100.0
HALF_FIELD = np.sqrt(2.0) - 1.0  # tangent of 22.5 degrees, half of the vertical field of view


@kernel("i8(f8[:,::1], i8, f8[::1], f8, f8[:,::1], i8, i4[::1])")
def project(points, count, centre, scale, rotation, size, cells):
    """Fill `cells` with the pixels of the first `count` of `points` (3, n) that are in view; return how many there are.

    A point p is seen at q = `rotation` (p - `centre`) * `scale`; the camera looks along the first axis of q, from DISTANCE before the
    origin; the third axis points right and the second one down. Depth within NEAR … FAR, `size` × `size` pixels.
    Source: section ours, equal to lookAt × perspective of the released code of ExFractalDB.
    """
    r = rotation * scale
    seen = 0
    for i in range(count):
        x, y, z = points[0, i] - centre[0], points[1, i] - centre[1], points[2, i] - centre[2]
        depth = r[0, 0] * x + r[0, 1] * y + r[0, 2] * z + DISTANCE
        reach = depth * HALF_FIELD
        right = (r[2, 0] * x + r[2, 1] * y + r[2, 2] * z) / reach
        down = (r[1, 0] * x + r[1, 1] * y + r[1, 2] * z) / reach
        if NEAR <= depth <= FAR and abs(right) <= 1 and abs(down) <= 1:
            column = min(np.int64((right + 1) * 0.5 * size), size - 1)
            row = min(np.int64((down + 1) * 0.5 * size), size - 1)
            cells[seen] = row * size + column
            seen += 1
    return seen
