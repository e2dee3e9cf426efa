"""RCDB as released: rcdb_render/make_rcdb.py of the code of "Replacing labeled real-image datasets
with auto-generated contours".

Repaired: the upper end of the gray levels is an integer (the original passes a float, which Python
refuses from 3.12 on).
"""

from __future__ import annotations

from pydantic import Field

from fdsl.formulas.arrays import Floats
from fdsl.images.official.contours import ContourSettings, Cursor, SequentialContours, Values
from fdsl.images.official.python_random import PythonRandom


class Settings(ContourSettings):
    """Settings of the released program; lengths are pixels at any size."""

    RANGES = ("vertices", "polygons", "noise", "step", "radius")

    vertices: tuple[int, int] = Field((3, 200), description="fewest and most vertices")
    polygons: tuple[int, int] = Field((1, 200), description="fewest and most polygons")
    radius: tuple[int, int] = Field((0, 100), description="first radius, pixels")
    centre_range_px: int = Field(400, ge=0, le=8192, description="width of the square of centres")


class OfficialRCDB(SequentialContours):
    """Images of the released program on white; gray level 256 becomes 255, the background's."""

    BACKGROUND = 255
    POLYGONS = "polygons"
    SETTINGS = Settings
    settings: Settings

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

    def trace(self, cursor: Cursor) -> tuple[Floats, Floats, float, float]:
        """Vertices around the origin, drawn with a shift to the centre."""
        now = cursor.situation
        x = cursor.angles.cosines * now["radius"] * now["oval_x"]
        y = cursor.angles.sines * now["radius"] * now["oval_y"]
        return x, y, now["centre_x"], now["centre_y"]

    def grow(self, cursor: Cursor, noise: Floats) -> Floats:
        """The noise of mean -coefficient, less the step."""
        coefficient = cursor.constants["noise"]
        return noise * coefficient * 2 - coefficient - cursor.constants["step"]
