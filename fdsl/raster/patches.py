"""Random 3 × 3 patterns at the places of points (see fdsl.raster.points for cells and levels)."""

from __future__ import annotations

import numpy as np

from fdsl.raster import inlined, kernel
from fdsl.raster.prefetch import AHEAD, prefetch
from fdsl.raster.xoshiro import advance, load, store

_U1, _U7, _U9, _MASK = (np.uint64(number) for number in (1, 7, 9, 511))
_LATER, _PATTERN, _LIT = np.uint32(0xFFFFFE00), np.uint32(511), np.uint32(1)
_1, _2, _3, _6, _9 = (np.uint32(bits) for bits in (1, 2, 3, 6, 9))
_AHEAD = np.uint64(AHEAD)
# points whose numbers fit beside a pattern in 32 bits; a multiple of any number of levels
BATCH = 2**22
STRIP = 1024  # pixels that are worked out together


@inlined
def _shifted(kept, places):
    """The point, and its pattern moved to the right."""
    return np.uint32(np.uint32(kept & _LATER) | np.uint32(np.uint32(kept >> places) & _PATTERN))


@inlined
def _latest(a, b, c):
    """The largest of three."""
    return max(a, b, c)


@inlined
def _put(last, reach, cells, i, pattern):
    """Keep a point, its number counted from 1, above its pattern; cell k is [reach + k]."""
    behind = np.uint64(reach)
    prefetch(last, np.uint64(np.uint32(cells[min(i + _AHEAD, np.uint64(cells.size - 1))])) + behind)
    last[np.uint64(np.uint32(cells[i])) + behind] = np.uint32(((i + _U1) << _U9) | pattern)


@inlined
def _next_pattern(bits, left, s0, s1, s2, s3):
    """A 3 × 3 pattern, uniform on 1 … 511: seven are cut from one random number, and empty ones are
    dropped.
    """
    pattern = np.uint64(0)
    while pattern == 0:
        if left == 0:
            bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
            left = 7
        pattern = bits & _MASK
        bits >>= _U9
        left -= 1
    return pattern, bits, left, s0, s1, s2, s3


@inlined
def _develop(last, reach, row_step, column_step, levels, canvas):
    """Turn the patches of `last` into pixels.

    A pixel's own row of the latest of three patches above one another comes first, then its own bit
    of the latest of three beside one another: a greater number is a later point, and the bits that
    count stand lowest.
    """
    beside = 2 * abs(column_step)
    ahead = max(0, 2 * column_step)
    rows = np.empty(STRIP + beside, np.uint32)
    for start in range(0, canvas.size, STRIP):
        picture = canvas[np.uint64(start) : np.uint64(min(start + STRIP, canvas.size))]
        cell = reach + start - ahead
        top, middle, bottom = (
            last[np.uint64(cell - 2 * row_step) :],
            last[np.uint64(cell - row_step) :],
            last[np.uint64(cell) :],
        )
        for k in range(picture.size + beside):
            rows[k] = _latest(_shifted(bottom[k], _6), _shifted(middle[k], _3), top[k])
        left, centre, right = (
            rows[np.uint64(ahead) :],
            rows[np.uint64(ahead - column_step) :],
            rows[np.uint64(ahead - 2 * column_step) :],
        )
        if levels.size == 1:
            lit = levels[0]
            for k in range(picture.size):
                winner = _latest(_shifted(left[k], _2), _shifted(centre[k], _1), right[k])
                drawn = lit if winner & _LIT else np.uint8(0)
                picture[k] = drawn if winner > _PATTERN else picture[k]
        else:
            mask = np.uint32(levels.size - 1)
            for k in range(picture.size):
                winner = _latest(_shifted(left[k], _2), _shifted(centre[k], _1), right[k])
                drawn = levels[((winner >> _9) - _1) & mask] if winner & _LIT else np.uint8(0)
                picture[k] = drawn if winner > _PATTERN else picture[k]


@kernel("u8(u8[::1])")
def random_pattern(state):
    """Return one random 3 × 3 pattern, nine bits of which at least one is set."""
    pattern, _, _, s0, s1, s2, s3 = _next_pattern(np.uint64(0), 0, *load(state))
    store(state, s0, s1, s2, s3)
    return pattern


@kernel("void(i4[::1], i8, i8, u8[::1], u1[::1], u1[::1])")
def draw_patches(cells, row_step, column_step, state, levels, canvas):
    """Draw a new random 3 × 3 pattern per point, in order and opaque: bits that are 0 erase what
    was there.

    `cells` are the upper left corners before flips. As in the released code of FractalDB, but not
    one after the other: each cell keeps its last point and pattern, and then each pixel takes its
    bit from the last of the nine patches that can cover it.
    """
    s0, s1, s2, s3 = load(state)
    bits, left = np.uint64(0), 0
    reach = 2 * (abs(row_step) + abs(column_step))
    last = np.empty(canvas.size + 2 * reach, np.uint32)
    for start in range(0, cells.size, BATCH):
        batch = cells[start : start + BATCH]
        last[:] = 0
        i, points = np.uint64(0), np.uint64(batch.size)
        while i < points:
            if left == 0 and i + _U7 <= points:
                bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
                for _ in range(7):  # as _next_pattern does, unrolled
                    pattern = bits & _MASK
                    bits >>= _U9
                    if pattern:
                        _put(last, reach, batch, i, pattern)
                        i += _U1
            else:
                pattern, bits, left, s0, s1, s2, s3 = _next_pattern(bits, left, s0, s1, s2, s3)
                _put(last, reach, batch, i, pattern)
                i += _U1
        _develop(last, reach, row_step, column_step, levels, canvas)
    store(state, s0, s1, s2, s3)


@kernel("void(i4[::1], i8, i8, u8, u1[::1], u1[::1])")
def draw_equal_patches(cells, row_step, column_step, pattern, levels, canvas):
    """As draw_patches, with one pattern for all points."""
    reach = 2 * (abs(row_step) + abs(column_step))
    last = np.empty(canvas.size + 2 * reach, np.uint32)
    for start in range(0, cells.size, BATCH):
        batch = cells[start : start + BATCH]
        last[:] = 0
        for i in range(np.uint64(batch.size)):
            _put(last, reach, batch, i, pattern)
        _develop(last, reach, row_step, column_step, levels, canvas)
