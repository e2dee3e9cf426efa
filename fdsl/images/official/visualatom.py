"""VisualAtom as released: visual_atomic_renderer/render_VisualAtom.py of its CVPR 2023 code."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from pydantic import Field, model_validator

from fdsl.formulas.arrays import Floats
from fdsl.images.official.contours import ContourSettings, Cursor, SequentialContours, Values
from fdsl.images.official.python_random import PythonRandom


class Settings(ContourSettings):
    """Settings of the released program, defaults of its recommended script; lengths in pixels."""

    RANGES = ("vertices", "orbits", "noise", "step", "radius", "frequency_1", "frequency_2")

    vertices: tuple[int, int] = Field((200, 1000), description="fewest and most vertices")
    orbits: tuple[int, int] = Field((1, 200), description="fewest and most polygons")
    radius: tuple[int, int] = Field((10, 60), description="first radius, pixels")
    frequency_1: tuple[int, int] = Field((0, 20), description="periods of the first wave")
    frequency_2: tuple[int, int] = Field((0, 20), description="of the second; differs unless 0")
    centre_range_px: int = Field(512, ge=0, le=8192, description="width of the square of centres")

    @model_validator(mode="after")
    def _second_wave_differs(self) -> Settings:
        low, high = self.frequency_2
        if low == high and self.frequency_1[0] <= low <= self.frequency_1[1] and low > 0:
            raise ValueError(
                f"frequency_2 = ({low}, {high}) leaves no wave beside a first of {low}"
            )
        return self


class OfficialVisualAtom(SequentialContours):
    """Images of the released program on black."""

    BACKGROUND = 0
    POLYGONS = "orbits"
    SETTINGS = Settings
    settings: Settings

    def draw_category(self, random: PythonRandom) -> tuple[Values, Values]:
        """Draw in the original's order: vertices to radius, waves, ovals, centre."""
        settings = self.settings
        constants = {
            "vertices": random.randint(*settings.vertices),
            "orbits": random.randint(*settings.orbits),
            "noise": random.uniform(*settings.noise),
            "step": random.uniform(*settings.step),
            "radius": random.randint(*settings.radius),
            "frequency_1": random.randint(*settings.frequency_1),
            "frequency_2": random.randint(*settings.frequency_2),
        }
        while constants["frequency_2"] == constants["frequency_1"] != 0:
            constants["frequency_2"] = random.randint(*settings.frequency_2)
        constants |= self.draw_ovals(random)
        return constants, self.draw_situation(random)

    def draw_situation(self, random: PythonRandom) -> Values:
        """Draw the centre."""
        return self.draw_centre(random)

    def draw_gray(self, random: PythonRandom) -> int:
        """Draw 0 to 255; 0 is the background's."""
        return random.randint(0, 255)

    def trace(self, cursor: Cursor) -> tuple[Floats, Floats, float, float]:
        """Vertices around the centre itself, drawn without a shift."""
        fixed, now = cursor.constants, cursor.situation
        x = cursor.angles.cosines * fixed["radius"] * fixed["oval_x"] + now["centre_x"]
        y = cursor.angles.sines * fixed["radius"] * fixed["oval_y"] + now["centre_y"]
        return x, y, 0.0, 0.0

    def grow(self, cursor: Cursor, noise: Floats) -> Floats:
        """The noise less its coefficient, both waves and the step, in this order."""
        fixed = cursor.constants
        vertices = int(fixed["vertices"])
        first, second = (_wave(vertices, int(fixed[f"frequency_{k}"])) for k in (1, 2))
        return noise * fixed["noise"] - fixed["noise"] - first - second - fixed["step"]


@lru_cache(maxsize=4)
def _wave(vertices: int, frequency: int) -> Floats:
    """Half the sine of the frequency at each vertex."""
    turn = (math.pi * 2) / vertices
    return np.array([0.5 * math.sin(turn * v * frequency) for v in range(vertices)])
