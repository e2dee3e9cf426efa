"""Points of the unit circle by additions and multiplications alone, so that their bits do not
depend on a platform's sine.
"""

from __future__ import annotations

import numpy as np

from fdsl.raster import inlined, kernel

_EIGHTH_TURN = np.pi / 4


@inlined
def _sine(x):
    """Taylor's polynomial of degree 17; the remainder on [0, pi/4] is below 1e-19."""
    s = x * x
    p = 1 - s / 272
    for divisor in (210.0, 156.0, 110.0, 72.0, 42.0, 20.0, 6.0):
        p = 1 - s / divisor * p
    return x * p


@inlined
def _cosine(x):
    """Taylor's polynomial of degree 18; the remainder on [0, pi/4] is below 1e-20."""
    s = x * x
    p = 1 - s / 306
    for divisor in (240.0, 182.0, 132.0, 90.0, 56.0, 30.0, 12.0, 2.0):
        p = 1 - s / divisor * p
    return p


@inlined
def on_circle(turn):
    """Cosine and sine of 2 pi `turn`, which is in [0, 1)."""
    eighths = turn * 8
    octant = np.int64(eighths)
    rest = eighths - octant
    if octant & 1:
        rest = 1 - rest
    s = _sine(rest * _EIGHTH_TURN)
    c = _cosine(rest * _EIGHTH_TURN)
    if (octant + 1) & 2:
        s, c = c, s
    return -c if 2 <= octant < 6 else c, -s if octant >= 4 else s


@kernel("void(f8[::1], f8[::1], f8[::1])")
def circle(turns, cosines, sines):
    """Fill `cosines` and `sines` of 2 pi `turns`, (n,) each in [0, 1); errors stay below 1e-15,
    eighths of a turn are exact in sign.

    Source: ours. The angle is reduced to an eighth of a turn, where both series converge fast, and
    reflected back.
    """
    for i in range(turns.size):
        cosines[i], sines[i] = on_circle(turns[i])
