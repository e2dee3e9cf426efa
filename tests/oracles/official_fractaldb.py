"""FractalDB after the description of its released program, one step at a time: the stream of
numpy's legacy generator.
"""

from __future__ import annotations

import numpy as np


def candidates(random: np.random.RandomState, points: int):
    """Yield (system rows with probability, uniforms) of one candidate after another."""
    while True:
        rows = []
        for _ in range(random.randint(2, 8)):
            a, b, c, d, e, f = (random.uniform(-1, 1) for _ in range(6))
            rows.append([a, b, c, d, e, f, abs(a * d - b * c)])
        total = 0.0
        for row in rows:
            total = total + row[6]
        for row in rows:
            row[6] = row[6] / total
        yield rows, [random.random_sample() for _ in range(points)]


def picture(rows, uniforms, size: int, pad: int) -> np.ndarray:
    """Return the picture of points before any flip, uint8 (size, size)."""
    x, y = 0.0, 0.0
    points = [(x, y)]
    for u in uniforms[:-1]:
        level = 0.0
        for a, b, c, d, e, f, p in rows:
            level += p
            if u <= level:
                x, y = x * a + y * b + e, x * c + y * d + f
                break
        points.append((x, y))
    xs, ys = np.array([p[0] for p in points]), np.array([p[1] for p in points])
    xs, ys = _without_nan(xs, ys, of=0)
    xs, ys = _without_nan(xs, ys, of=1)
    with np.errstate(all="ignore"):
        columns, rows_ = (
            (v - min(v.min(), 0.0)) / (v - v.min()).max() * float(size - 2 * pad) + float(pad)
            for v in (xs, ys)
        )
    canvas = np.zeros((size, size), np.uint8)
    for row, column in zip(rows_, columns, strict=True):
        if np.isfinite(row) and np.isfinite(column):
            canvas[int(row), int(column)] = 127
    return canvas


def flips(canvas: np.ndarray) -> list[np.ndarray]:
    """Return the four pictures that are saved."""
    turned = np.flipud(canvas)
    return [turned, np.flipud(turned), np.fliplr(turned), np.fliplr(np.flipud(turned))]


def weights(w: float) -> list[list[float]]:
    """Return the 25 rows of the weight file."""
    rows = [
        [factor if k == coefficient else 1.0 for k in range(6)]
        for coefficient in range(6)
        for factor in (1 - 2 * w or 0.01, 1 - w, 1 + w, 1 + 2 * w)
    ]
    return [*rows[:2], [1.0] * 6, *rows[2:]]


def _without_nan(xs: np.ndarray, ys: np.ndarray, *, of: int) -> tuple[np.ndarray, np.ndarray]:
    lost = np.flatnonzero(np.isnan((xs, ys)[of]))
    if not lost.size:
        return xs, ys
    gone = [*range(lost[0] - 100, lost[0]), *lost]
    return np.delete(xs, gone), np.delete(ys, gone)
