"""The chaos game: points of the attractor of an iterated function system (IFS), in the plane and in space.

A single orbit is a chain of dependent multiply-adds and leaves most of a processor idle, so CHAINS orbits are drawn interleaved: point i
is the image of point i - CHAINS. Chain 0 starts at the origin. The others start there too, but are drawn only after BURN_IN steps, so
that their way from the origin to the attractor does not appear. (Ours; the released code follows one orbit.)
"""

from __future__ import annotations

import numpy as np

from fdsl.raster import inlined, kernel
from fdsl.raster.xoshiro import advance, load, store

CHAINS = 8
BURN_IN = 64
BLOCK = 256  # points between two looks at the bound

_U1, _U11, _U45 = np.uint64(1), np.uint64(11), np.uint64(45)
_EVERYTHING = np.uint64(2**64 - 1)
_BACK = np.uint64(
    CHAINS
)  # unsigned, so that numba adds no test for an index that counts from the end


@kernel("void(f8[::1], u8[::1], u1[::1])")
def prepare_choice(probabilities, thresholds, guide):
    """Prepare the choice of a map: the first whose cumulative probability is not below a uniform number.

    Fills `thresholds` (maps,) with the running sum of `probabilities` in units of 2**-53, the step of the uniform numbers, so that the
    law is exact; what the sum lacks to 1 goes to the last map. Fills `guide` (256,) with the first map that can be chosen when
    the upper eight bits of the number are known. At most 256 maps.
    """
    total = 0.0
    for k in range(probabilities.size):
        total += probabilities[k]
        thresholds[k] = np.uint64(total * 2.0**53)
    thresholds[-1] = _EVERYTHING
    k = 0
    for upper in range(256):
        while thresholds[k] < np.uint64(upper) << _U45:
            k += 1
        guide[upper] = k


@inlined
def _choose(bits, thresholds, guide):
    """The first map whose threshold is not below the upper 53 bits."""
    number = bits >> _U11
    chosen = np.uint64(guide[number >> _U45])
    while number > thresholds[chosen]:
        chosen += _U1
    return chosen


@inlined
def _image_2d(maps, k, x, y):
    """Map k of (maps, 6) with columns a … f: x' = a x + b y + e, y' = c x + d y + f."""
    return (
        maps[k, 0] * x + maps[k, 1] * y + maps[k, 4],
        maps[k, 2] * x + maps[k, 3] * y + maps[k, 5],
    )


@inlined
def _image_3d(maps, k, x, y, z):
    """Map k of (maps, 12) with columns a … l: the matrix abc, def, ghi and the shift jkl."""
    return (
        maps[k, 0] * x + maps[k, 1] * y + maps[k, 2] * z + maps[k, 9],
        maps[k, 3] * x + maps[k, 4] * y + maps[k, 5] * z + maps[k, 10],
        maps[k, 6] * x + maps[k, 7] * y + maps[k, 8] * z + maps[k, 11],
    )


@kernel("i8(f8[:,::1], u8[::1], u1[::1], u8[::1], f8, f8[::1], f8[::1], f8[::1])")
def chaos_game_2d(maps, thresholds, guide, state, bound, x, y, extent):
    """Fill `x`, `y` (n,) and `extent` = (min x, max x, min y, max y); return how many points count.

    An orbit that leaves `bound` ends the game: then only the points before the BLOCK in which it left count, at least point 0.
    The coefficients must be so small that nothing overflows within a block (|value| <= 1000 is).
    Equation: section 3.1 of the FractalDB paper; the origin is point 0, as in the released code.
    """
    s0, s1, s2, s3 = load(state)
    n = x.size
    x[0] = y[0] = 0.0
    extent[:] = 0.0
    for chain in range(1, min(CHAINS, n)):
        px = py = 0.0
        for _ in range(BURN_IN):
            bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
            px, py = _image_2d(maps, _choose(bits, thresholds, guide), px, py)
        x[chain], y[chain] = px, py
    left = right = low = high = 0.0
    for chain in range(1, min(CHAINS, n)):
        left, right = min(left, x[chain]), max(right, x[chain])
        low, high = min(low, y[chain]), max(high, y[chain])
    count = min(CHAINS, n) if -bound <= min(left, low) and max(right, high) <= bound else 1
    if count > 1:
        extent[0], extent[1], extent[2], extent[3] = left, right, low, high
    for start in range(count, n if count == CHAINS else 0, BLOCK):
        stop = min(start + BLOCK, n)
        for i in range(np.uint64(start), np.uint64(stop)):
            bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
            k = _choose(bits, thresholds, guide)
            px, py = _image_2d(maps, k, x[i - _BACK], y[i - _BACK])
            x[i], y[i] = px, py
            left = min(left, px)
            right = max(right, px)
            low = min(low, py)
            high = max(high, py)
        if not (-bound <= min(left, low) and max(right, high) <= bound):
            break
        extent[0], extent[1], extent[2], extent[3] = left, right, low, high
        count = stop
    store(state, s0, s1, s2, s3)
    return count


@kernel("i8(f8[:,::1], u8[::1], u1[::1], u8[::1], f8, f8[:,::1], f8[::1])")
def chaos_game_3d(maps, thresholds, guide, state, bound, points, summary):
    """Fill `points` (3, n) and `summary` = (lowest, highest of all coordinates, sum x, sum y, sum z); return how many points count.

    As chaos_game_2d, but the origin itself is not drawn, as in the released code of ExFractalDB: point 0 is its first image. An orbit that
    leaves `bound` in the first CHAINS points leaves none that count.
    """
    s0, s1, s2, s3 = load(state)
    x, y, z = points[0], points[1], points[2]
    n = x.size
    low, high = np.inf, -np.inf
    sum_x = sum_y = sum_z = 0.0
    for chain in range(min(CHAINS, n)):
        px = py = pz = 0.0
        for _ in range(BURN_IN if chain else 1):
            bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
            px, py, pz = _image_3d(maps, _choose(bits, thresholds, guide), px, py, pz)
        x[chain], y[chain], z[chain] = px, py, pz
        low, high = min(low, px, py, pz), max(high, px, py, pz)
        sum_x, sum_y, sum_z = sum_x + px, sum_y + py, sum_z + pz
    count = min(CHAINS, n) if -bound <= low and high <= bound else 0
    summary[0], summary[1], summary[2], summary[3], summary[4] = low, high, sum_x, sum_y, sum_z
    for start in range(count, n if count == CHAINS else 0, BLOCK):
        stop = min(start + BLOCK, n)
        for i in range(np.uint64(start), np.uint64(stop)):
            bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
            k = _choose(bits, thresholds, guide)
            px, py, pz = _image_3d(maps, k, x[i - _BACK], y[i - _BACK], z[i - _BACK])
            x[i], y[i], z[i] = px, py, pz
            smallest = min(py, px)
            smallest = min(smallest, pz)
            largest = max(py, px)
            largest = max(largest, pz)
            low = min(low, smallest)
            high = max(high, largest)
            sum_x, sum_y, sum_z = sum_x + px, sum_y + py, sum_z + pz
        if not (-bound <= low and high <= bound):
            break
        summary[0], summary[1], summary[2], summary[3], summary[4] = low, high, sum_x, sum_y, sum_z
        count = stop
    store(state, s0, s1, s2, s3)
    return count
