from __future__ import annotations

import numpy as np
from hypothesis import given, settings, strategies as st
from PIL import Image, ImageDraw

from fdsl.raster.lines import draw_lines

COORDINATE = st.integers(-70, 110)


def ours(ends, size: int):
    canvas = np.zeros(size * size, np.uint8)
    draw_lines(np.array(ends, np.int64).reshape(-1, 4), size, 9, canvas)
    return canvas.reshape(size, size)


def pillows(ends, size: int):
    picture = Image.new("L", (size, size))
    for x0, y0, x1, y1 in np.reshape(ends, (-1, 4)).tolist():
        ImageDraw.Draw(picture).line([float(x0), float(y0), float(x1), float(y1)], fill=9)
    return np.asarray(picture)


@settings(max_examples=300, deadline=None)
@given(st.tuples(COORDINATE, COORDINATE, COORDINATE, COORDINATE), st.integers(1, 40))
def test_a_line_equals_pillows(ends, size):
    np.testing.assert_array_equal(ours(ends, size), pillows(ends, size))


def test_many_lines_equal_pillows():
    ends = np.random.default_rng(0).integers(-40, 104, (2000, 4))
    for chunk in np.split(ends, 200):
        np.testing.assert_array_equal(ours(chunk, 64), pillows(chunk, 64))


def test_every_line_in_a_small_square():
    grid = range(-1, 4)
    for x0 in grid:
        for y0 in grid:
            for x1 in grid:
                for y1 in grid:
                    np.testing.assert_array_equal(
                        ours((x0, y0, x1, y1), 3), pillows((x0, y0, x1, y1), 3)
                    )


def test_far_ends_cost_and_write_nothing_outside():
    guarded = np.zeros(3 * 64 * 64, np.uint8)
    canvas = guarded[64 * 64 : 2 * 64 * 64]
    ends = np.random.default_rng(1).integers(-(10**8), 10**8, (1000, 4))
    draw_lines(ends, 64, 7, canvas)
    canvas[:] = 0
    assert not guarded.any()
