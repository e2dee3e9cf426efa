"""VisualAtom: nested orbits around a centre, each the outline before it moved outwards by two sine
waves, a step and noise.

Source: Takashima et al., "Visual atoms: pre-training vision transformers with sinusoidal waves"
(CVPR 2023) and its released code. A category is what the code keeps for all its instances:
vertices, orbits, noise, step, radius, the frequencies of the two waves, ovals. Centre, noise and
gray levels are drawn for each instance. Ours: gray levels that are never the background's, lengths
in proportion to the image, and a new centre where nothing of an atom would be inside the image.
"""

from __future__ import annotations

from typing import Unpack

import numpy as np
from pydantic import Field, model_validator

from fdsl.formulas import constants
from fdsl.formulas.arrays import Floats, Parameters, Pixels, Place
from fdsl.schema.base import FrozenModel
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage

FORMULA_ID = 4
TITLE = "VisualAtom"
LIMITS = {
    "vertices": (1, 20_000),
    "orbits": (1, 5000),
    "noise": (0.0, 100.0),
    "step": (0.0, 100.0),
    "radius": (0, 256),
    "frequency_1": (0, 10_000),
    "frequency_2": (0, 10_000),
    "oval_x": (1.0, 4.0),
    "oval_y": (1.0, 4.0),
}
PARAMETERS = constants.parameter_types(LIMITS)
REFERENCE_SIZE_PX = 512  # all lengths are stated for an image of this size
MAX_TRIES = 100


class Settings(FrozenModel):
    """Categories and drawing. The defaults are those of the released script for VisualAtom-1k.

    The released program without arguments has other ranges: noise (2, 6), step (0, 0.01), radius
    (0, 50).
    """

    image_size_px: int = Field(512, ge=4, le=8192, description="side of the square image")
    vertices: tuple[int, int] = Field((200, 1000), description="range of vertices per orbit")
    orbits: tuple[int, int] = Field((1, 200), description="range of orbits per image")
    noise: tuple[float, float] = Field((0.0, 4.0), description="noise coefficient, px at 512")
    step: tuple[float, float] = Field((0.0, 0.1), description="between orbits, px at 512")
    radius: tuple[int, int] = Field((10, 60), description="first radius, px at 512")
    frequency_1: tuple[int, int] = Field((0, 20), description="periods of the first wave")
    frequency_2: tuple[int, int] = Field((0, 20), description="of the second; differs unless 0")
    amplitude: float = Field(0.5, ge=0, le=100, description="of both waves, px at 512")
    oval: float = Field(2.0, ge=1, le=4, description="largest stretch of x and of y")
    centre_range_px: int = Field(512, ge=0, le=512, description="square of centres, px at 512")

    @model_validator(mode="after")
    def _ranges(self) -> Settings:
        ranged = [name for name in LIMITS if not name.startswith("oval")]
        constants.check_ranges(self, {name: LIMITS[name] for name in ranged})
        low, high = self.frequency_2
        if low == high and low > 0 and self.frequency_1[0] <= low <= self.frequency_1[1]:
            raise ValueError(
                f"frequency_2 = ({low}, {high}) leaves no other value where the first frequency is"
                f" {low}: widen it, or keep it out of frequency_1"
            )
        return self


def sample_category(settings: Settings, *, seed: int, category: int) -> Parameters:
    """Draw the constants of one category.

    Returns
    -------
    dict
        PARAMETERS, one row, each uniform on its range; frequency_2 is not frequency_1 unless that
        is 0.
    """
    rng = tree.generator(seed, FORMULA_ID, category, 0, Stage.PARAMETERS)
    vertices = rng.integers(*settings.vertices, endpoint=True)
    orbits = rng.integers(*settings.orbits, endpoint=True)
    noise, step = rng.uniform(*settings.noise), rng.uniform(*settings.step)
    radius = rng.integers(*settings.radius, endpoint=True)
    first = second = rng.integers(*settings.frequency_1, endpoint=True)
    if first == 0:
        second = rng.integers(*settings.frequency_2, endpoint=True)
    while second == first > 0:
        second = rng.integers(*settings.frequency_2, endpoint=True)
    ovals = rng.uniform(1, settings.oval, 2)
    return constants.row(
        PARAMETERS, vertices, orbits, noise, step, radius, first, second, *ovals.tolist()
    )


def render(settings: Settings, parameters: Parameters, **place: Unpack[Place]) -> Pixels:
    """Draw one instance; centre, noise and gray levels come from its own stream.

    Returns
    -------
    ndarray
        uint8 (image_size_px, image_size_px), gray levels 1 to 255 on black.

    Raises
    ------
    ValueError
        If the parameters are impossible, or no part of the atom is inside the image for any of 100
        centres.
    """
    from fdsl.raster import contours, xoshiro

    atom = constants.read(parameters, LIMITS)
    size, unit = settings.image_size_px, settings.image_size_px / REFERENCE_SIZE_PX
    state = tree.render_state(FORMULA_ID, **place)
    cosines, sines, waves = _outline(atom, settings.amplitude)
    outward = (waves + (atom["noise"] + atom["step"])) * unit
    u = np.empty(2 + atom["orbits"])
    for _ in range(MAX_TRIES):
        xoshiro.fill_uniform(state, u)
        reach = settings.centre_range_px
        shift_y, shift_x = (
            (size + (int(draw * (2 * reach + 1)) - reach) * unit) / 2 for draw in u[:2]
        )
        x = cosines * (atom["radius"] * atom["oval_x"] * unit)
        y = sines * (atom["radius"] * atom["oval_y"] * unit)
        grays = (u[2:] * 255).astype(np.uint8) + np.uint8(1)
        canvas = np.zeros(size**2, np.uint8)
        gain = atom["noise"] * unit
        contours.grow_contours(
            x, y, cosines, sines, outward, gain, shift_x, shift_y, state, grays, size, canvas
        )
        if canvas.any():
            return canvas.reshape(size, size)
    raise ValueError(
        f"no part of category {place['category']} is inside the image for {MAX_TRIES} centres: "
        "narrow radius, noise, step or amplitude, or widen centre_range_px"
    )


def _outline(atom: dict[str, float], amplitude: float) -> tuple[Floats, ...]:
    """Return cosine and sine of the vertices' angles, and what the two waves add to the step at
    each vertex, in pixels at 512.
    """
    from fdsl.raster import circle

    vertices = np.arange(atom["vertices"])
    cosines, sines, unused = np.empty((3, vertices.size))
    circle.circle(vertices / vertices.size, cosines, sines)
    waves = np.zeros(vertices.size)
    for name in ("frequency_1", "frequency_2"):
        wave = np.empty(vertices.size)
        circle.circle((atom[name] * vertices) % vertices.size / vertices.size, unused, wave)
        waves += amplitude * wave
    return cosines, sines, waves
