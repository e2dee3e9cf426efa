"""ExFractalDB point by point."""

from __future__ import annotations

import math

import numpy as np
from oracles import chaos_game
from oracles.xoshiro import Xoshiro


def draw(settings, system, shares, state, *, view: int, bound: float = 1e6) -> np.ndarray:
    """Draw a system without a weight; `view` counts the fixed views."""
    rng = Xoshiro(state)
    points = chaos_game.play(
        rng,
        system,
        shares,
        settings.points,
        image=chaos_game.space,
        start=(0.0, 0.0, 0.0),
        first_steps=1,
        bound=bound,
    )
    scale = 2 / (max(map(max, points)) - min(map(min, points)))
    centre = [_sum(p[axis] for p in points) / len(points) for axis in range(3)]
    u = [rng.uniform() for _ in range(3)]
    r = (fixed_view(view, u[0]) if settings.view == "fixed12" else random_view(u)) * scale
    size, reach = settings.image_size_px, settings.point_size_px // 2
    canvas = np.zeros((size, size), np.uint8)
    for point in points:
        x, y, z = (point[axis] - centre[axis] for axis in range(3))
        ahead, down, right = (
            float(r[k, 0]) * x + float(r[k, 1]) * y + float(r[k, 2]) * z for k in range(3)
        )
        depth = ahead + 4.0
        if not 1 <= depth <= 100:
            continue
        magnification = 1 / (depth * (math.sqrt(2) - 1))
        u, v = right * magnification, down * magnification
        if abs(u) > 1 or abs(v) > 1:
            continue
        column, row = (min(math.floor((w + 1) / 2 * size), size - 1) for w in (u, v))
        canvas[
            max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1
        ] = settings.gray_level
    return canvas


def fixed_view(view: int, u: float) -> np.ndarray:
    """Azimuth 30 degrees × (view + 1), with ± pi degrees."""
    phi = math.radians(30 * (view % 12 + 1) + (2 * u - 1) * math.pi)
    return np.array(
        [[math.cos(phi), 0, -math.sin(phi)], [0, 1, 0], [math.sin(phi), 0, math.cos(phi)]]
    )


def random_view(u: list[float]) -> np.ndarray:
    """The rotation of Shoemake's quaternion."""
    a, b = math.sqrt(1 - u[0]), math.sqrt(u[0])
    x, y = a * math.sin(2 * math.pi * u[1]), a * math.cos(2 * math.pi * u[1])
    z, w = b * math.sin(2 * math.pi * u[2]), b * math.cos(2 * math.pi * u[2])
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _sum(values) -> float:
    total = 0.0
    for value in values:
        total += value
    return total
