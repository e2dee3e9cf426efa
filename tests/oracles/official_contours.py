"""RCDB and VisualAtom after the description of their released programs: Python's random, Pillow's
lines, one thread.
"""

from __future__ import annotations

import math
import random

import numpy as np
from oracles.perlin import pnoise1
from PIL import Image, ImageDraw


def rcdb(thread: int, *, classes: int, instances: int, size: int, polygons: int, vertices: int):
    """Yield (constants, picture) of the images of one thread in order."""
    rng = random.Random(thread + 1)
    for _ in range(classes):
        count = 0
        while not 2 < count <= vertices:
            count = int(rng.expovariate(1 / 100))
        outlines = rng.randint(1, polygons)
        noise, step = rng.uniform(0, 4), rng.uniform(0.0, 0.1)
        radius = rng.randint(0, 100)
        ox, oy = rng.uniform(1, 2), rng.uniform(1, 2)
        h, w = ((size + rng.randint(-400, 400)) / 2 for _ in range(2))
        constants = [count, outlines, noise, step, radius, ox, oy, h, w]
        for _ in range(instances):
            angle = math.pi * 2 / count
            x = [math.cos(angle * v) * radius * ox for v in range(count)]
            y = [math.sin(angle * v) * radius * oy for v in range(count)]

            def displacement(n, noise=noise):
                return n * noise * 2 - noise

            def gray():
                return rng.randint(0, size // 2)

            picture = _grow(rng, x, y, outlines, angle, displacement, step, gray, (w, h), size, 255)
            yield constants, picture
            ox, oy = rng.uniform(1, 2), rng.uniform(1, 2)
            radius = rng.randint(0, 100)
            h, w = ((size + rng.randint(-400, 400)) / 2 for _ in range(2))


def visualatom(thread: int, *, classes: int, instances: int, size: int, orbits: int, vertices):
    """Yield (constants, picture) of the images of one thread in order."""
    rng = random.Random(thread + 1)
    for _ in range(classes):
        count = rng.randint(*vertices)
        outlines = rng.randint(1, orbits)
        noise, step = rng.uniform(0, 4), rng.uniform(0.0, 0.1)
        radius = rng.randint(10, 60)
        first = rng.randint(0, 20)
        second = rng.randint(0, 20)
        while first == second and first != 0:
            second = rng.randint(0, 20)
        ox, oy = rng.uniform(1, 2), rng.uniform(1, 2)
        h, w = ((size + rng.randint(-512, 512)) / 2 for _ in range(2))
        constants = [count, outlines, noise, step, radius, first, second, ox, oy]
        angle = math.pi * 2 / count
        waves = [
            (0.5 * math.sin(angle * v * first), 0.5 * math.sin(angle * v * second))
            for v in range(count)
        ]
        for _ in range(instances):
            x = [math.cos(angle * v) * radius * ox + w for v in range(count)]
            y = [math.sin(angle * v) * radius * oy + h for v in range(count)]

            def displacement(n, v, noise=noise, waves=waves):
                return n * noise - noise - waves[v][0] - waves[v][1]

            def gray():
                return rng.randint(0, 255)

            yield (
                constants,
                _grow(rng, x, y, outlines, angle, displacement, step, gray, (0, 0), size, 0),
            )
            h, w = ((size + rng.randint(-512, 512)) / 2 for _ in range(2))


def _grow(rng, x, y, outlines, angle, displacement, step, gray, shift, size, background):
    picture = Image.new("RGB", (size, size), (background,) * 3)
    pen = ImageDraw.Draw(picture)
    count = len(x)
    takes_vertex = displacement.__code__.co_argcount == 4
    for _ in range(outlines):
        level = gray()
        nx, ny = (
            [
                displacement(pnoise1(rng.uniform(0, 10000)), *([v] if takes_vertex else []))
                for v in range(count)
            ]
            for _ in range(2)
        )
        for v in range(count):
            x[v] -= math.cos(angle * v) * (nx[v] - step)
            y[v] -= math.sin(angle * v) * (ny[v] - step)
        for v in range(count):
            u = (v + 1) % count
            ends = (x[v] + shift[0], y[v] + shift[1], x[u] + shift[0], y[u] + shift[1])
            pen.line(ends, fill=(level,) * 3, width=1)
    return np.asarray(picture)[:, :, 0]
