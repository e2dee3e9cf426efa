"""The chaos game as the released code of FractalDB plays it: one orbit, random numbers from
outside, nothing left out.
"""

from __future__ import annotations

from fdsl.raster import kernel


@kernel("void(f8[:,::1], f8[::1], f8[::1], f8[::1], f8[::1])")
def follow(maps, cumulative, uniforms, x, y):
    """Fill `x`, `y` (n,) with the origin and its n - 1 images under `maps` (k, 6), columns a … f.

    Step i takes the first map whose running sum of probabilities is not below uniforms[i]. A number
    above the last sum, which rounding makes possible, repeats the point, as in the released code.
    """
    px = py = 0.0
    x[0], y[0] = px, py
    for i in range(x.size - 1):
        for k in range(cumulative.size):
            if uniforms[i] <= cumulative[k]:
                px, py = (
                    px * maps[k, 0] + py * maps[k, 1] + maps[k, 4],
                    px * maps[k, 2] + py * maps[k, 3] + maps[k, 5],
                )
                break
        x[i + 1], y[i + 1] = px, py
