"""The chaos game: points of the attractor of an iterated function system (IFS), in the plane and in
space.

A single orbit is a chain of dependent multiply-adds and leaves most of a processor idle, so CHAINS
orbits are drawn interleaved: point i is the image of point i - CHAINS. Chain 0 starts at the
origin. The others start there too, but are drawn only after BURN_IN steps, so that their way from
the origin to the attractor does not appear. (Ours; the released code follows one orbit.)

In the plane a step takes all chains at once (see fdsl.raster.lanes), and their maps are chosen
before.
"""

from __future__ import annotations

import numpy as np

from fdsl.raster import inlined, kernel
from fdsl.raster.choice import CHUNK, choose, choose_maps
from fdsl.raster.lanes import (
    LANES,
    highest,
    load_bytes,
    load_lanes,
    lower,
    lowest,
    pick,
    store_lanes,
    upper,
)
from fdsl.raster.xoshiro import advance, load, skip, store

CHAINS = LANES
BURN_IN = 64
BLOCK = 256  # points between two looks at the bound

_U0 = np.uint64(0)
# unsigned, so that numba adds no test for an index that counts from the end
_BACK = np.uint64(CHAINS)


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


@inlined
def _block_2d(maps, chosen, x, y, start, stop, extent):
    """Draw the points `start` to `stop` with the maps `chosen`, and widen `extent` to them."""
    left, right, low, high = extent[0], extent[1], extent[2], extent[3]
    for i in range(np.uint64(start), np.uint64(stop)):
        px, py = _image_2d(maps, chosen[i - np.uint64(start)], x[i - _BACK], y[i - _BACK])
        x[i], y[i] = px, py
        left, right = min(left, px), max(right, px)
        low, high = min(low, py), max(high, py)
    extent[0], extent[1], extent[2], extent[3] = left, right, low, high


@inlined
def _block_in_lanes(columns, chosen, x, y, start, stop, extent):
    """As _block_2d with whole steps of all chains; `columns` (6, 8) are the coefficients of at most
    8 maps.
    """
    a, b, e = load_lanes(columns[0], _U0), load_lanes(columns[1], _U0), load_lanes(columns[4], _U0)
    c, d, f = load_lanes(columns[2], _U0), load_lanes(columns[3], _U0), load_lanes(columns[5], _U0)
    first = np.uint64(start)
    px, py = load_lanes(x, first - _BACK), load_lanes(y, first - _BACK)
    left, right, low, high = px, px, py, py
    for i in range(first, np.uint64(stop), _BACK):
        k = load_bytes(chosen, i - first)
        px, py = (
            pick(a, k) * px + pick(b, k) * py + pick(e, k),
            pick(c, k) * px + pick(d, k) * py + pick(f, k),
        )
        store_lanes(x, i, px)
        store_lanes(y, i, py)
        left, right = lower(left, px), upper(right, px)
        low, high = lower(low, py), upper(high, py)
    extent[0], extent[1] = min(extent[0], lowest(left)), max(extent[1], highest(right))
    extent[2], extent[3] = min(extent[2], lowest(low)), max(extent[3], highest(high))


@inlined
def _begin_2d(maps, thresholds, guide, state, bound, x, y, extent):
    """Draw the first point of each chain, with `extent`; return how many count."""
    s0, s1, s2, s3 = load(state)
    n = min(CHAINS, x.size)
    x[0] = y[0] = 0.0
    extent[0] = extent[1] = extent[2] = extent[3] = 0.0
    for chain in range(1, n):
        px = py = 0.0
        for _ in range(BURN_IN):
            bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
            px, py = _image_2d(maps, choose(bits, thresholds, guide), px, py)
        x[chain], y[chain] = px, py
    store(state, s0, s1, s2, s3)
    left = right = low = high = 0.0
    for chain in range(1, n):
        left, right = min(left, x[chain]), max(right, x[chain])
        low, high = min(low, y[chain]), max(high, y[chain])
    if not (-bound <= min(left, low) and max(right, high) <= bound):
        return 1
    extent[0], extent[1], extent[2], extent[3] = left, right, low, high
    return n


@kernel("i8(f8[:,::1], u8[::1], u1[::1], u8[::1], f8, f8[::1], f8[::1], f8[::1])")
def chaos_game_2d(maps, thresholds, guide, state, bound, x, y, extent):
    """Fill `x`, `y` (n,) and `extent` = (min x, max x, min y, max y); return how many points count.

    An orbit that leaves `bound` ends the game: then only the points before the BLOCK in which it
    left count, at least point 0. The coefficients must be so small that nothing overflows within a
    block (|value| <= 1000 is). Equation: section 3.1 of the FractalDB paper; the origin is point 0,
    as in the released code.
    """
    n = x.size
    count = _begin_2d(maps, thresholds, guide, state, bound, x, y, extent)
    columns, few = np.zeros((6, LANES)), maps.shape[0] <= LANES
    for k in range(maps.shape[0] if few else 0):
        for coefficient in range(6):
            columns[coefficient, k] = maps[k, coefficient]
    chosen, reached = np.empty(min(CHUNK, n), np.uint8), np.empty(4)
    for begin in range(count, n if count == CHAINS else 0, CHUNK):
        end = min(begin + CHUNK, n)
        before = load(state)
        choose_maps(thresholds, guide, state, chosen[: end - begin])
        for start in range(begin, end, BLOCK):
            stop = min(start + BLOCK, end)
            whole = start + (stop - start) // CHAINS * CHAINS if few else start
            for bound_of in range(4):
                reached[bound_of] = extent[bound_of]
            if whole > start:
                _block_in_lanes(columns, chosen[start - begin :], x, y, start, whole, reached)
            _block_2d(maps, chosen[whole - begin :], x, y, whole, stop, reached)
            left, right, low, high = reached[0], reached[1], reached[2], reached[3]
            if not (-bound <= min(left, low) and max(right, high) <= bound):
                store(state, *before)
                skip(state, stop - begin)
                return count
            extent[0], extent[1], extent[2], extent[3] = left, right, low, high
            count = stop
    return count


@kernel("i8(f8[:,::1], u8[::1], u1[::1], u8[::1], f8, f8[:,::1], f8[::1])")
def chaos_game_3d(maps, thresholds, guide, state, bound, points, summary):
    """Fill `points` (3, n) and `summary` = (lowest, highest of all coordinates, sum x, sum y, sum
    z); return how many points count.

    As chaos_game_2d, but the origin itself is not drawn, as in the released code of ExFractalDB:
    point 0 is its first image. An orbit that leaves `bound` in the first CHAINS points leaves none
    that count.
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
            px, py, pz = _image_3d(maps, choose(bits, thresholds, guide), px, py, pz)
        x[chain], y[chain], z[chain] = px, py, pz
        low, high = min(low, px, py, pz), max(high, px, py, pz)
        sum_x, sum_y, sum_z = sum_x + px, sum_y + py, sum_z + pz
    count = min(CHAINS, n) if -bound <= low and high <= bound else 0
    summary[0], summary[1], summary[2], summary[3], summary[4] = low, high, sum_x, sum_y, sum_z
    for start in range(count, n if count == CHAINS else 0, BLOCK):
        stop = min(start + BLOCK, n)
        for i in range(np.uint64(start), np.uint64(stop)):
            bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
            k = choose(bits, thresholds, guide)
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
