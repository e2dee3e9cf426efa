from __future__ import annotations

import numpy as np
import pytest
from oracles.fractaldb import patterns
from oracles.xoshiro import Xoshiro
from scipy import stats

from fdsl.raster import patches, xoshiro
from fdsl.seeding import tree

ONE = np.ones(1, np.uint8)


def patch(state):
    canvas = np.zeros(9, np.uint8)
    patches.draw_patches(np.zeros(1, np.int32), 3, 1, state, ONE, canvas)
    return int("".join(map(str, canvas)), 2)


def test_patterns_are_uniform_and_never_empty():
    canvas = np.zeros(9 * 60_000, np.uint8)
    cells = np.arange(0, canvas.size, 9, dtype=np.int32)
    patches.draw_patches(cells, 3, 1, tree.kernel_state(4), ONE, canvas)
    masks = canvas.reshape(-1, 9) @ (1 << np.arange(8, -1, -1))
    counts = np.bincount(masks, minlength=512)
    assert counts[0] == 0
    assert stats.chisquare(counts[1:]).pvalue > 1e-4


def test_a_later_patch_erases_an_earlier_one():
    canvas = np.full(9, 200, np.uint8)
    levels, pattern = np.array([50], np.uint8), patches.random_pattern(tree.kernel_state(4))
    patches.draw_equal_patches(np.zeros(5, np.int32), 3, 1, pattern, levels, canvas)
    assert set(canvas.tolist()) <= {0, 50}
    assert canvas.any()


def test_equal_patches_have_one_pattern_that_differs_between_states():
    patterns = set()
    for seed in range(200):
        canvas = np.zeros(90, np.uint8)
        pattern = patches.random_pattern(tree.kernel_state(seed))
        patches.draw_equal_patches(np.arange(0, 90, 9, dtype=np.int32), 3, 1, pattern, ONE, canvas)
        assert len(np.unique(canvas.reshape(-1, 9), axis=0)) == 1
        patterns.add(canvas[:9].tobytes())
        assert patch(tree.kernel_state(seed)) == int("".join(map(str, canvas[:9])), 2)
    assert len(patterns) > 150


@pytest.mark.parametrize("levels", [[7], [1, 2], [9, 8, 7, 6]])
def test_levels_are_taken_by_turns(levels):
    levels, cells = np.array(levels, np.uint8), np.arange(0, 90, 9, dtype=np.int32)
    expected = np.resize(levels, 10).tolist()
    canvas = np.zeros(90, np.uint8)
    patches.draw_equal_patches(cells, 3, 1, 511, levels, canvas)
    assert canvas.reshape(-1, 9).tolist() == [[level] * 9 for level in expected]
    patches.draw_patches(cells, 3, 1, tree.kernel_state(4), levels, canvas)
    assert canvas.reshape(-1, 9).max(axis=1).tolist() == expected


@pytest.mark.parametrize("levels", [[7], [9, 8, 7, 6]])
@pytest.mark.parametrize(("row_step", "column_step"), [(40, 1), (40, -1), (-40, 1), (-40, -1)])
def test_equals_patches_pasted_one_after_the_other(levels, row_step, column_step):
    """Crowded and sparse, each direction, on a canvas of more than one strip that was not empty."""
    side = 40
    rng = np.random.default_rng(3)
    for count in (0, 1, 6, 7, 8, 300, 5000):
        row, column = rng.integers(2, side - 2, (2, count))
        cells = (row * side + column).astype(np.int32)
        state = tree.kernel_state(4)
        canvas = rng.integers(0, 256, side**2, dtype=np.uint8)
        expected, oracle = canvas.copy(), Xoshiro(state)
        paste(cells, row_step, column_step, patterns(oracle), levels, expected)
        patches.draw_patches(
            cells, row_step, column_step, state, np.array(levels, np.uint8), canvas
        )
        assert np.array_equal(canvas, expected)
        assert state.tolist() == oracle.s
    assert side**2 > patches.STRIP


def test_more_points_than_a_batch():
    """The patterns go on where the batch before ended, in the middle of a random number."""
    count, side = patches.BATCH + 3001, 12
    assert patches.BATCH % 7
    state, words = tree.kernel_state(4), np.empty(count // 7 + 3000, np.uint64)
    xoshiro.fill_bits(state.copy(), words)
    cut = (words[:, None] >> np.arange(0, 63, 9, dtype=np.uint64)) & np.uint64(511)
    drawn = cut[cut > 0][:count]
    row, column = np.random.default_rng(3).integers(0, side - 2, (2, count))
    cells = (row * side + column).astype(np.int32)
    canvas, expected = np.zeros((2, side**2), np.uint8)
    patches.draw_patches(cells, side, 1, state, np.array([5, 6], np.uint8), canvas)
    last = slice(count - 6000, None)
    paste(cells[last], side, 1, iter(drawn[last].tolist()), [5, 6], expected, first=count - 6000)
    assert np.array_equal(canvas, expected)
    assert canvas.any()


def paste(cells, row_step, column_step, patterns, levels, canvas, first=0):
    """Set nine pixels for each point in turn."""
    for number, cell in enumerate(cells.tolist(), start=first):
        for place, bit in enumerate(f"{next(patterns):09b}"):
            pixel = cell + place // 3 * row_step + place % 3 * column_step
            canvas[pixel] = levels[number % len(levels)] if bit == "1" else 0
