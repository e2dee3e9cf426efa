"""Dead leaves, each by a test of all pixels."""

from __future__ import annotations

import math

import numpy as np
from oracles.xoshiro import Xoshiro

SHAPES = ("circle", "square", "oriented_square", "rectangle", "triangle", "quadrilateral", "mixed")


def draw(settings, shape: str, sigma: float, smallest: float, largest: float, state) -> np.ndarray:
    """Draw one instance in RGB."""
    rng, size = Xoshiro(state), settings.image_size_px
    rho = [smallest + (largest - smallest) * (k / 199) for k in range(200)]
    weights = np.cumsum([r**-sigma - rho[-1] ** -sigma for r in rho])
    row, column = np.mgrid[:size, :size]
    canvas = np.zeros((size, size, 3), np.uint8)
    covered = np.zeros((size, size), bool)
    fallen = 0
    while not covered.all() and fallen < settings.most_leaves:
        fallen += 1
        u = [rng.uniform() for _ in range(11)]
        radius = max(1, int(rho[int(np.argmin(np.abs(weights / weights[-1] - u[3])))] * size))
        x, y = int(u[4] * size), int(u[5] * size)
        kind = SHAPES[int(u[6] * 6)] if shape == "mixed" else shape
        if kind == "circle":
            inside = (column - x) ** 2 + (row - y) ** 2 <= radius**2
        else:
            turns = [2 * math.pi * turn for turn in corners(kind, u[7:])]
            points = [(x + radius * math.cos(a), y + radius * math.sin(a)) for a in turns]
            inside = np.ones((size, size), bool)
            for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
                side = (x1 - x0) * (row - y0) - (y1 - y0) * (column - x0)
                inside &= side >= -1e-9
        canvas[inside] = [int(255 * v) for v in u[:3]]
        covered |= inside
    return canvas


def corners(kind: str, u: list[float]) -> list[float]:
    """Ascending angles of the corners, in turns."""
    if kind == "square":
        return [0.125, 0.375, 0.625, 0.875]
    if kind == "oriented_square":
        return [u[0], u[0] + 0.25, u[0] + 0.5, u[0] + 0.75]
    if kind == "rectangle":
        return [u[0] / 4, 0.5 - u[0] / 4, 0.5 + u[0] / 4, 1 - u[0] / 4]
    return sorted(u[: 3 if kind == "triangle" else 4])
