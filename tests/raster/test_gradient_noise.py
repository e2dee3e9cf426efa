from __future__ import annotations

import numpy as np

from fdsl.raster.gradient_noise import add_gradient_noise


def noise(slopes_x, slopes_y, *, size: int, amplitude: float = 1.0):
    values = np.zeros((size, size))
    add_gradient_noise(
        np.array(slopes_x, float, order="C"),
        np.array(slopes_y, float, order="C"),
        amplitude,
        values,
    )
    return values


def test_equal_gradients_make_a_plane():
    # between corners the fades mix a * (x - 0) and a * (x - 1): x less the fade of x
    ones, zeros = np.ones((2, 3)), np.zeros((2, 3))
    values = noise(ones, zeros, size=8)
    x = (np.arange(8) + 0.5) * 2 / 8 % 1
    fade = 6 * x**5 - 15 * x**4 + 10 * x**3
    np.testing.assert_allclose(values, np.tile(x - fade, (8, 1)), atol=1e-15)
    np.testing.assert_array_equal(noise(zeros.T, ones.T, size=8), values.T)


def test_noise_is_added_with_its_amplitude():
    slopes = np.random.default_rng(0).normal(size=(2, 4, 6))
    whole = noise(*slopes, size=30)
    np.testing.assert_allclose(noise(*slopes, size=30, amplitude=0.25), whole / 4)
    values = np.ones((30, 30))
    add_gradient_noise(*slopes, 1.0, values)
    np.testing.assert_allclose(values, whole + 1)


def test_noise_is_zero_on_corners_and_smooth_between_cells():
    slopes = np.random.default_rng(0).normal(size=(2, 4, 4))
    fine = noise(*slopes, size=3 * 1001)
    assert np.abs(np.diff(fine, axis=0)).max() < 0.01
    corner = fine[1001 - 1 : 1001 + 1, 1001 - 1 : 1001 + 1]
    assert np.abs(corner).max() < 0.01
