from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fdsl import seeding
from fdsl.raster import patches, points

ONE = np.ones(1, np.uint8)


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


def patch(state):
    canvas = np.zeros(9, np.uint8)
    patches.draw_patches(np.zeros(1, np.int32), 3, 1, state, ONE, canvas)
    return int("".join(map(str, canvas)), 2)


def test_patterns_are_uniform_and_never_empty():
    canvas = np.zeros(9 * 60_000, np.uint8)
    cells = np.arange(0, canvas.size, 9, dtype=np.int32)
    patches.draw_patches(cells, 3, 1, seeding.kernel_state(4), ONE, canvas)
    masks = canvas.reshape(-1, 9) @ (1 << np.arange(8, -1, -1))
    counts = np.bincount(masks, minlength=512)
    assert counts[0] == 0
    assert stats.chisquare(counts[1:]).pvalue > 1e-4


def test_a_later_patch_erases_an_earlier_one():
    canvas = np.full(9, 200, np.uint8)
    levels, pattern = np.array([50], np.uint8), patches.random_pattern(seeding.kernel_state(4))
    patches.draw_equal_patches(np.zeros(5, np.int32), 3, 1, pattern, levels, canvas)
    assert set(canvas.tolist()) <= {0, 50}
    assert canvas.any()


def test_equal_patches_have_one_pattern_that_differs_between_states():
    patterns = set()
    for seed in range(200):
        canvas = np.zeros(90, np.uint8)
        pattern = patches.random_pattern(seeding.kernel_state(seed))
        patches.draw_equal_patches(np.arange(0, 90, 9, dtype=np.int32), 3, 1, pattern, ONE, canvas)
        assert len(np.unique(canvas.reshape(-1, 9), axis=0)) == 1
        patterns.add(canvas[:9].tobytes())
        assert patch(seeding.kernel_state(seed)) == int("".join(map(str, canvas[:9])), 2)
    assert len(patterns) > 150


def test_squares_are_cut_off_at_the_border():
    canvas = np.zeros(25, np.uint8)
    points.draw_squares(np.array([0, 24], np.int32), 3, 5, 1, canvas)
    expected = np.zeros((5, 5), np.uint8)
    expected[:2, :2] = expected[3:, 3:] = 1
    np.testing.assert_array_equal(canvas.reshape(5, 5), expected)


@pytest.mark.parametrize("levels", [[7], [1, 2], [9, 8, 7, 6]])
def test_levels_are_taken_by_turns(levels):
    levels, cells = np.array(levels, np.uint8), np.arange(0, 90, 9, dtype=np.int32)
    expected = np.resize(levels, 10).tolist()
    canvas = np.zeros(90, np.uint8)
    points.draw_points(cells, levels, canvas)
    assert canvas[::9].tolist() == expected
    patches.draw_equal_patches(cells, 3, 1, 511, levels, canvas)
    assert canvas.reshape(-1, 9).tolist() == [[level] * 9 for level in expected]
    patches.draw_patches(cells, 3, 1, seeding.kernel_state(4), levels, canvas)
    assert canvas.reshape(-1, 9).max(axis=1).tolist() == expected
