from __future__ import annotations

import numpy as np
import pytest

from fdsl.raster import points


def fitted(x, y, *, size: int, pad: int):
    x, y = np.array(x, np.float64), np.array(y, np.float64)
    cells = np.empty(x.size, np.int32)
    extent = np.array([x.min(), x.max(), y.min(), y.max()])
    points.fit_to_window(x, y, extent, size - 2 * pad, pad, 0, size + 1, 1, cells)
    return [(int(cell) // (size + 1), int(cell) % (size + 1)) for cell in cells]


def test_corners_of_the_window():
    assert fitted([0, 1, 0.5], [-3, 5, 1], size=32, pad=6) == [(6, 6), (26, 26), (16, 16)]


def test_an_axis_without_extent_is_drawn_in_the_middle():
    assert fitted([2, 2], [0, 1], size=32, pad=6) == [(6, 16), (26, 16)]
    assert fitted([0], [0], size=32, pad=6) == [(16, 16)]


def test_no_point_leaves_the_window_whatever_its_extent():
    rng = np.random.default_rng(0)
    for _ in range(2000):
        x = rng.standard_normal(3) * 10.0 ** rng.integers(-310, 100)
        for row, column in fitted(x, np.flip(x), size=40, pad=3):
            assert 3 <= row <= 37
            assert 3 <= column <= 37


def test_squares_are_cut_off_at_the_border():
    canvas = np.zeros(25, np.uint8)
    points.draw_squares(np.array([0, 24], np.int32), 3, 5, 1, canvas)
    expected = np.zeros((5, 5), np.uint8)
    expected[:2, :2] = expected[3:, 3:] = 1
    np.testing.assert_array_equal(canvas.reshape(5, 5), expected)


@pytest.mark.parametrize("levels", [[7], [1, 2], [9, 8, 7, 6]])
def test_levels_are_taken_by_turns(levels):
    levels, cells = np.array(levels, np.uint8), np.arange(0, 90, 9, dtype=np.int32)
    canvas = np.zeros(90, np.uint8)
    points.draw_points(cells, levels, canvas)
    assert canvas[::9].tolist() == np.resize(levels, 10).tolist()
