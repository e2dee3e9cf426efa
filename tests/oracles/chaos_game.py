"""The chaos game, one step at a time: eight orbits taken in turn, the first map with u <=
cumulative p.
"""

from __future__ import annotations

from itertools import accumulate

CHAINS, BURN_IN, BLOCK = 8, 64, 256


def choose(u: float, cumulative: list[float]) -> int:
    """Return the first map whose cumulative probability is not below u, else the last."""
    return next((k for k, level in enumerate(cumulative) if u <= level), len(cumulative) - 1)


def plane(m: list[float], p: tuple) -> tuple:
    """Apply the map a … f."""
    x, y = p
    return m[0] * x + m[1] * y + m[4], m[2] * x + m[3] * y + m[5]


def space(m: list[float], p: tuple) -> tuple:
    """Apply the map a … l."""
    x, y, z = p
    return tuple(m[3 * r] * x + m[3 * r + 1] * y + m[3 * r + 2] * z + m[9 + r] for r in range(3))


def play(
    rng, maps, shares, count: int, *, image, start: tuple, first_steps: int, bound: float
) -> list[tuple]:
    """Return the points that count; `first_steps` is the burn-in of chain 0."""
    maps, cumulative = (
        [[float(v) for v in m] for m in maps],
        list(accumulate(float(p) for p in shares)),
    )

    def step(point: tuple) -> tuple:
        return image(maps[choose(rng.uniform(), cumulative)], point)

    points = []
    for chain in range(min(CHAINS, count)):
        point = start
        for _ in range(BURN_IN if chain else first_steps):
            point = step(point)
        points.append(point)
    if not all(abs(v) <= bound for point in points for v in point):
        return points[: 1 - first_steps]
    while len(points) < count:
        before = len(points)
        for _ in range(min(BLOCK, count - before)):
            points.append(step(points[-CHAINS]))
        if not all(abs(v) <= bound for point in points[before:] for v in point):
            return points[:before]
    return points
