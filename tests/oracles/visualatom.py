"""VisualAtom with Pillow's lines, one segment at a time."""

from __future__ import annotations

import math

import numpy as np
from oracles.perlin import pnoise1
from oracles.xoshiro import Xoshiro
from PIL import Image, ImageDraw

from fdsl.raster.circle import circle


def draw(settings, atom: dict, state) -> np.ndarray:
    """Draw one instance that is inside the image at the first try."""
    rng = Xoshiro(state)
    size, unit, reach = (
        settings.image_size_px,
        settings.image_size_px / 512,
        settings.centre_range_px,
    )
    shift_y, shift_x = (
        (size + (int(rng.uniform() * (2 * reach + 1)) - reach) * unit) / 2 for _ in range(2)
    )
    grays = [1 + int(rng.uniform() * 255) for _ in range(atom["orbits"])]
    count = atom["vertices"]
    cosines, sines = turned([v / count for v in range(count)])
    waves = [0.0] * count
    for n in (atom["frequency_1"], atom["frequency_2"]):
        _, wave = turned([n * v % count / count for v in range(count)])
        waves = [
            before + settings.amplitude * more for before, more in zip(waves, wave, strict=True)
        ]
    outward = [(wave + (atom["noise"] + atom["step"])) * unit for wave in waves]
    x = [c * (atom["radius"] * atom["oval_x"] * unit) for c in cosines]
    y = [s * (atom["radius"] * atom["oval_y"] * unit) for s in sines]
    picture = Image.new("L", (size, size))
    pen = ImageDraw.Draw(picture)
    for gray in grays:
        for v in range(count):
            bits = rng.bits()
            nx, ny = (pnoise1(half * (10_000 / 2**32)) for half in (bits >> 32, bits & 0xFFFFFFFF))
            x[v] += cosines[v] * (outward[v] - atom["noise"] * unit * nx)
            y[v] += sines[v] * (outward[v] - atom["noise"] * unit * ny)
        for v in range(count):
            w = v - 1
            pen.line(
                [(x[w] + shift_x, y[w] + shift_y), (x[v] + shift_x, y[v] + shift_y)], fill=gray
            )
    return np.asarray(picture)


def turned(turns: list[float]) -> tuple[list[float], list[float]]:
    """Cosines and sines of whole turns, of the program's own table: at a quarter turn math.cos is
    not 0, which can move a pixel.
    """
    cosines, sines = np.empty((2, len(turns)))
    circle(np.array(turns), cosines, sines)
    for turn, cosine, sine in zip(turns, cosines, sines, strict=True):
        assert math.isclose(math.cos(2 * math.pi * turn), cosine, abs_tol=4e-15)
        assert math.isclose(math.sin(2 * math.pi * turn), sine, abs_tol=4e-15)
    return cosines.tolist(), sines.tolist()
