"""Perlin noise in the plane, one pixel at a time."""

from __future__ import annotations

import math

import numpy as np
from oracles.xoshiro import Xoshiro


def draw(settings, cells_x: int, cells_y: int, state) -> np.ndarray:
    """Draw one instance."""
    rng, size = Xoshiro(state), settings.image_size_px
    values = [[0.0] * size for _ in range(size)]
    for octave in range(settings.octaves):
        across, down = cells_x * 2**octave, cells_y * 2**octave
        angles = [[2 * math.pi * rng.uniform() for _ in range(across + 1)] for _ in range(down + 1)]
        for row in range(size):
            for column in range(size):
                x, y = (column + 0.5) * across / size, (row + 0.5) * down / size
                values[row][column] += settings.persistence**octave * noise(angles, x, y)
    low, high = (f(map(f, values)) for f in (min, max))
    return np.array(
        [[round((v - low) * 255 / (high - low)) for v in row] for row in values], np.uint8
    )


def noise(angles: list[list[float]], x: float, y: float) -> float:
    """Weigh the four corners of the cell by the products of the fades."""
    j, i = math.floor(x), math.floor(y)
    total = 0.0
    for row, column in ((i, j), (i, j + 1), (i + 1, j), (i + 1, j + 1)):
        dx, dy, angle = x - column, y - row, angles[row][column]
        slope = math.cos(angle) * dx + math.sin(angle) * dy
        total += slope * fade(1 - abs(dx)) * fade(1 - abs(dy))
    return total


def fade(t: float) -> float:
    """Perlin's quintic."""
    return 6 * t**5 - 15 * t**4 + 10 * t**3
