"""RCDB as released: rcdb_render/make_rcdb.py of the code of "Replacing labeled real-image datasets
with auto-generated contours".

Repaired: the upper end of the gray levels is an integer (the original passes a float, which Python
refuses from 3.12 on).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fdsl.images.official.contours import ContourSettings, SequentialContours, Values, Walk
from fdsl.images.official.python_random import PythonRandom
from fdsl.schema.base import validate
from fdsl.schema.catalogue import SyntheticDataset


class Settings(ContourSettings):
    """What the released program lets a user choose; lengths are pixels at any size."""

    RANGES = ("vertices", "polygons", "noise", "step", "radius")

    vertices: tuple[int, int] = Field(default=(3, 200), description="fewest and most vertices")
    polygons: tuple[int, int] = Field(default=(1, 200), description="fewest and most polygons")
    radius: tuple[int, int] = Field(default=(0, 100), description="first radius, pixels")
    centre_range_px: int = Field(
        default=400, ge=0, le=8192, description="width of the square that centres lie in"
    )


class OfficialRCDB(SequentialContours):
    """Images of the released program on white; the value 256 of a gray level is drawn as 255, which
    is the background's.
    """

    BACKGROUND = 255
    POLYGONS = "polygons"
    settings: Settings

    def __init__(self, dataset: SyntheticDataset, *, threads: int, where: str) -> None:
        settings = validate(Settings, dataset.settings, where=where)
        super().__init__(dataset, settings, threads=threads, where=where)

    def draw_category(self, random: PythonRandom) -> tuple[Values, Values]:
        """Draw in the original's order: vertices, polygons, noise, step, radius, ovals, centre."""
        settings = self.settings
        vertices = int(random.expovariate(1 / 100))
        while not settings.vertices[0] <= vertices <= settings.vertices[1]:
            vertices = int(random.expovariate(1 / 100))
        constants = {
            "vertices": vertices,
            "polygons": random.randint(*settings.polygons),
            "noise": random.uniform(*settings.noise),
            "step": random.uniform(*settings.step),
        }
        radius = random.randint(*settings.radius)
        ovals = self.draw_ovals(random)
        return constants, {"radius": radius, **ovals, **self.draw_centre(random)}

    def draw_situation(self, random: PythonRandom) -> Values:
        """Draw in the original's order: ovals, radius, centre."""
        ovals = self.draw_ovals(random)
        radius = random.randint(*self.settings.radius)
        return {"radius": radius, **ovals, **self.draw_centre(random)}

    def draw_gray(self, random: PythonRandom) -> int:
        """Draw 0 to half the image size, which is cut off at 255."""
        return min(255, random.randint(0, self.settings.image_size_px // 2))

    def trace(self, walk: Walk) -> tuple[NDArray[np.float64], NDArray[np.float64], float, float]:
        """Vertices around the origin, drawn with a shift to the centre."""
        now = walk.situation
        x = walk.angles.cosines * now["radius"] * now["oval_x"]
        y = walk.angles.sines * now["radius"] * now["oval_y"]
        return x, y, now["centre_x"], now["centre_y"]

    def grow(self, walk: Walk, noise: NDArray[np.float64]) -> NDArray[np.float64]:
        """The noise of mean -coefficient, less the step."""
        coefficient = walk.constants["noise"]
        return noise * coefficient * 2 - coefficient - walk.constants["step"]
