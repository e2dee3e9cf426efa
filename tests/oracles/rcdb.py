"""RCDB with Pillow's lines, one segment at a time."""

from __future__ import annotations

import numpy as np
from oracles.perlin import pnoise1
from oracles.xoshiro import Xoshiro
from PIL import Image, ImageDraw

from fdsl.raster.circle import circle


def draw(settings, vertices: int, polygons: int, noise: float, step: float, state) -> np.ndarray:
    """Draw one instance without broken lines that erase everything."""
    rng = Xoshiro(state)
    size = settings.image_size_px
    unit = size / 512 if settings.lengths == "proportional" else 1.0
    low, high = settings.radius
    radius = (low + int(rng.uniform() * (high - low + 1))) * unit
    ovals = [1 + rng.uniform() * (settings.oval - 1) for _ in range(2)]
    shift_y, shift_x = (size / 2 + (int(rng.uniform() * 801) - 400) * unit / 2 for _ in range(2))
    dark = settings.background == "black"
    grays = [int(rng.uniform() * 255) + (1 if dark else 0) for _ in range(polygons)]
    picture = Image.new("L", (size, size), 0 if dark else 255)
    pen = ImageDraw.Draw(picture)
    # The table is the program's own: at a quarter turn math.cos is not 0, which can move a vertex
    # by a pixel. It has tests of its own.
    cosines, sines = np.empty((2, vertices))
    circle(np.arange(vertices) / vertices, cosines, sines)
    x = [c * (radius * ovals[0]) for c in cosines]
    y = [s * (radius * ovals[1]) for s in sines]
    for gray in grays:
        for v in range(vertices):
            bits = rng.bits()
            nx, ny = (pnoise1(half * (10_000 / 2**32)) for half in (bits >> 32, bits & 0xFFFFFFFF))
            x[v] += cosines[v] * ((noise + step) * unit - 2 * noise * unit * nx)
            y[v] += sines[v] * ((noise + step) * unit - 2 * noise * unit * ny)
        for v in range(vertices):
            w = (v + 1) % vertices
            pen.line(
                [(x[v] + shift_x, y[v] + shift_y), (x[w] + shift_x, y[w] + shift_y)],
                fill=gray,
                width=1,
            )
    for _ in range(settings.broken_lines):
        pen.line([int(rng.uniform() * size) for _ in range(4)], fill=0 if dark else 255, width=1)
    return np.asarray(picture)
