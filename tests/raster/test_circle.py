from __future__ import annotations

import numpy as np

from fdsl.raster.circle import circle


def on_circle(turns):
    turns = np.asarray(turns, np.float64)
    cosines, sines = np.empty((2, turns.size))
    circle(turns, cosines, sines)
    return cosines, sines


def test_accuracy():
    for count in (1, 2, 3, 7, 12, 100, 200, 1002):
        cosines, sines = on_circle(np.arange(count) / count)
        angles = 2 * np.pi * np.arange(count) / count
        # the angle itself is rounded by up to 9e-16
        np.testing.assert_allclose(cosines, np.cos(angles), rtol=0, atol=1.5e-15)
        np.testing.assert_allclose(sines, np.sin(angles), rtol=0, atol=1.5e-15)
    turns = np.random.default_rng(0).random(100_000)
    cosines, sines = on_circle(turns)
    np.testing.assert_allclose(cosines, np.cos(2 * np.pi * turns), rtol=0, atol=2e-15)
    np.testing.assert_allclose(cosines**2 + sines**2, 1, rtol=0, atol=1e-15)


def test_quarter_turns_are_exact():
    cosines, sines = on_circle([0, 0.25, 0.5, 0.75])
    assert cosines.tolist() == [1, 0, -1, 0]
    assert sines.tolist() == [0, 1, 0, -1]


def test_the_eighths_mirror_each_other():
    turns = np.arange(1, 8) / 64
    for mirrored in (0.25 - turns, turns + 0.25, turns + 0.5, 1 - turns):
        a, b = np.abs(on_circle(turns)), np.abs(on_circle(mirrored))
        np.testing.assert_array_equal(np.sort(a, axis=0), np.sort(b, axis=0))
