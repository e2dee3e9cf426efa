from __future__ import annotations

import numpy as np
import pytest

from fdsl.raster.projection import project

AHEAD = np.eye(3)


def seen(points, *, size: int = 100, rotation=AHEAD, scale: float = 1.0):
    points = np.ascontiguousarray(np.asarray(points, np.float64).T)
    cells = np.empty(points.shape[1], np.int32)
    project(points, np.zeros(3), scale, rotation, size, cells)
    return [divmod(int(cell), size) for cell in cells if cell < size * size]


def test_the_centre_is_in_the_middle_and_axes_point_right_and_down():
    assert seen([(0, 0, 0)]) == [(50, 50)]
    assert seen([(0, 0.5, 0), (0, 0, 0.5)]) == [(65, 50), (50, 65)]
    assert seen([(-2, 0.5, 0)]) == [(80, 50)]


def test_what_is_too_near_too_far_or_outside_is_not_drawn():
    assert seen([(-3.1, 0, 0), (96.1, 0, 0), (0, 1.66, 0), (0, 0, -1.66)]) == []
    assert len(seen([(-3, 0, 0), (96, 0, 0), (0, 1.65, 0), (0, 0, -1.65)])) == 4


def test_the_border_belongs_to_the_last_pixel():
    reach = 4 * np.tan(np.pi / 8) * (1 - 1e-15)
    assert seen([(0, reach, reach)]) == [(99, 99)]
    assert seen([(0, -reach, -reach)]) == [(0, 0)]


@pytest.mark.parametrize("seed", range(3))
def test_equals_look_at_and_perspective(seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (200, 3))
    phi = rng.uniform(0, 2 * np.pi)
    eye = np.array([-np.cos(phi), 0, np.sin(phi)]) * 4
    forward = -eye / 4
    right = np.cross(forward, [0, 1, 0])
    offset = points - eye
    depth = offset @ forward
    u, v = offset @ right / depth / np.tan(np.pi / 8), points[:, 1] / depth / np.tan(np.pi / 8)
    inside = (np.abs(u) <= 1) & (np.abs(v) <= 1) & (depth >= 1)
    expected = np.floor((np.stack([v, u], 1)[inside] + 1) / 2 * 64).astype(int)
    camera = np.array([[np.cos(phi), 0, -np.sin(phi)], [0, 1, 0], [np.sin(phi), 0, np.cos(phi)]])
    assert seen(points, size=64, rotation=camera) == [tuple(cell) for cell in expected.tolist()]
