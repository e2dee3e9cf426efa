"""Bezier curves by de Casteljau's construction, with Pillow's lines."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from oracles.xoshiro import Xoshiro
from PIL import Image, ImageDraw


def draw(settings, curve, x, y, state) -> np.ndarray:
    """Draw one instance."""
    rng, size, jitter = Xoshiro(state), settings.image_size_px, settings.jitter
    xs, ys = ([v + (2 * rng.uniform() - 1) * jitter for v in values] for values in (x, y))
    picture = Image.new("L", (size, size))
    pen = ImageDraw.Draw(picture)
    for number in range(max(curve) + 1):
        points = [
            tuple(min(max(v, 0.0), 1.0) * (size - 1) + 0.5 for v in point)
            for k, point in zip(curve, zip(xs, ys, strict=True), strict=True)
            if k == number
        ]
        places = [between(points, i / (2 * size)) for i in range(2 * size + 1)]
        for start, end in pairwise(places):
            pen.line([start, end], fill=settings.gray_level)
    return np.asarray(picture)


def between(points: list[tuple[float, float]], t: float) -> tuple[float, float]:
    """Return the point of the curve at t."""
    while len(points) > 1:
        points = [
            tuple((1 - t) * a + t * b for a, b in zip(p, q, strict=True))
            for p, q in pairwise(points)
        ]
    return points[0]
