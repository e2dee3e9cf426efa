from __future__ import annotations

import math

import numpy as np
import pytest

from fdsl.raster import curves


@pytest.mark.parametrize("points", [1, 2, 3, 7, 34])
def test_the_basis_is_bernsteins(points):
    basis = np.empty((21, points))
    curves.bernstein(basis)
    t, n = np.linspace(0, 1, 21), points - 1
    expected = [math.comb(n, k) * t**k * (1 - t) ** (n - k) for k in range(points)]
    np.testing.assert_allclose(basis, np.transpose(expected), atol=1e-14)
    np.testing.assert_allclose(basis.sum(axis=1), 1)


def test_far_control_points_write_nothing_outside():
    basis = np.empty((65, 4))
    curves.bernstein(basis)
    guarded = np.zeros(3 * 1024, np.uint8)
    x, y = np.random.default_rng(0).uniform(-1e6, 1e6, (2, 50, 4))
    curves.draw_curves(basis, x, y, 32, 9, guarded[1024:2048])
    guarded[1024:2048] = 0
    assert not guarded.any()
