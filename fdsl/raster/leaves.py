"""Dead leaves: random opaque shapes that fall on one another until nothing behind them is left to
see.
"""

from __future__ import annotations

import numpy as np

from fdsl.raster import inlined, kernel
from fdsl.raster.circle import on_circle
from fdsl.raster.xoshiro import advance, load, store, unit

CIRCLE, SQUARE, ORIENTED_SQUARE, RECTANGLE, TRIANGLE, QUADRILATERAL, MIXED = range(7)


@inlined
def _corners(shape, turns):
    """Turn four uniform numbers into the ascending angles of the corners, in turns; return how many
    corners there are.
    """
    first = turns[0]
    if shape <= RECTANGLE:
        if shape == RECTANGLE:
            first /= 4
            turns[0], turns[1], turns[2], turns[3] = first, 0.5 - first, 0.5 + first, 1 - first
        else:
            first = 0.125 if shape == SQUARE else first
            for k in range(4):
                turns[k] = (first + k / 4) % 1.0
        return 4
    count = 3 if shape == TRIANGLE else 4
    for k in range(1, count):
        value, place = turns[k], k
        while place > 0 and turns[place - 1] > value:
            turns[place] = turns[place - 1]
            place -= 1
        turns[place] = value
    return count


@inlined
def _crossings(y, count, xs, ys):
    """The leftmost and rightmost point of a convex polygon at height y; left > right where there is
    none.
    """
    left, right = np.inf, -np.inf
    for k in range(count):
        m = k - 1 if k else count - 1
        low, high = min(ys[k], ys[m]), max(ys[k], ys[m])
        if low <= y <= high and low < high:
            x = xs[m] + (y - ys[m]) * (xs[k] - xs[m]) / (ys[k] - ys[m])
            left, right = min(left, x), max(right, x)
    return left, right


@inlined
def _fill(row, first, last, colour, covered, canvas):
    """Paint pixels first … last of a row, clipped to the image; return how many were bare."""
    size = covered.shape[0]
    bare = 0
    for column in range(max(0, first), min(size - 1, last) + 1):
        bare += 1 - covered[row, column]
        covered[row, column] = 1
        for channel in range(canvas.shape[2]):
            canvas[row, column, channel] = colour[channel]
    return bare


@kernel("i8(i8, i8[::1], f8[::1], i8, u8[::1], u1[:,::1], u1[:,:,::1])")
def drop_leaves(shape, radii, thresholds, most, state, covered, canvas):
    """Drop leaves on `canvas` (size, size, 1 or 3) until all of it is `covered` or `most` have
    fallen; return how many fell.

    Each leaf spends eleven uniform numbers: three for its colour floor(255 u), one for its radius
    `radii`[k] with k the first whose `thresholds`[k] (one fewer than radii) is not below u, two for
    the pixel of its middle, one for the shape where that is MIXED, four for the angles of its
    corners. A corner lies at the radius from the middle; pixels whose middle is inside or on the
    outline are painted.
    """
    s0, s1, s2, s3 = load(state)
    size = covered.shape[0]
    bare = size * size
    u, xs, ys = np.empty(11), np.empty(4), np.empty(4)
    colour = np.empty(3, np.uint8)
    fallen = 0
    while bare > 0 and fallen < most:
        fallen += 1
        for k in range(u.size):
            bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
            u[k] = unit(bits)
        for k in range(3):
            colour[k] = np.uint8(np.int64(255 * u[k]))
        size_class = 0
        while size_class < thresholds.size and thresholds[size_class] < u[3]:
            size_class += 1
        radius = radii[size_class]
        x, y = np.int64(u[4] * size), np.int64(u[5] * size)
        kind = np.int64(u[6] * MIXED) if shape == MIXED else shape
        rows = range(max(0, y - radius), min(size - 1, y + radius) + 1)
        if kind == CIRCLE:
            for row in rows:
                reach = np.int64(np.sqrt(np.float64(radius * radius - (row - y) * (row - y))))
                bare -= _fill(row, x - reach, x + reach, colour, covered, canvas)
        else:
            turns = u[7:]
            count = _corners(kind, turns)
            for k in range(count):
                cosine, sine = on_circle(turns[k])
                xs[k], ys[k] = x + radius * cosine, y + radius * sine
            for row in rows:
                left, right = _crossings(row, count, xs, ys)
                if left <= right:
                    first, last = np.int64(np.ceil(left)), np.int64(np.floor(right))
                    bare -= _fill(row, first, last, colour, covered, canvas)
    store(state, s0, s1, s2, s3)
    return fallen
