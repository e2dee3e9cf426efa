"""RCDB, the radial contour database: nested polygons that grow outwards from a centre, roughened by
noise.

Source: Kataoka et al., "Replacing labeled real-image datasets with auto-generated contours" (CVPR
2022) and its released code. A category is what the code keeps for all its instances: vertices,
polygons, noise and step. Radius, ovals, centre, noise and gray levels are drawn for each instance.
Ours: black background as the paper prints it, gray levels that are never the background's, lengths
in proportion to the image, and the study of vertices alone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, Unpack

import numpy as np
from pydantic import Field, model_validator

from fdsl.formulas import constants
from fdsl.formulas.arrays import Floats, Parameters, Pixels, Place, State
from fdsl.schema.base import FrozenModel
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage

FORMULA_ID = 3
TITLE = "RCDB"
LIMITS = {
    "vertices": (1, 20_000),
    "polygons": (1, 5000),
    "noise": (0.0, 100.0),
    "step": (0.0, 100.0),
}
PARAMETERS = constants.parameter_types(LIMITS)
REFERENCE_SIZE_PX = 512  # all lengths are stated for an image of this size
DECAY = 0.9900498337491681  # exp(-1/100): each further vertex is rarer by this factor
CENTRE_RANGE_PX = 400


class Settings(FrozenModel):
    """Categories and drawing. The defaults are those of the released recipe for RCDB-1k, but for
    the background.
    """

    image_size_px: int = Field(512, ge=4, le=8192, description="side of the square image")
    lengths: Literal["proportional", "pixels"] = Field(
        "proportional", description="lengths scale with the image (ours), or are pixels"
    )
    background: Literal["black", "white"] = Field("black", description="as printed, or as coded")
    vary: Literal["all", "vertices"] = Field(
        "all", description="all four constants; or vertices[0] + category, the others in mid-range"
    )
    vertices: tuple[int, int] = Field((3, 200), description="range of vertices per polygon")
    polygons: tuple[int, int] = Field((1, 200), description="range of polygons per image")
    noise: tuple[float, float] = Field((0.0, 4.0), description="noise coefficient, px at 512")
    step: tuple[float, float] = Field((0.0, 0.1), description="between polygons, px at 512")
    radius: tuple[int, int] = Field((0, 100), description="first radius, px at 512")
    oval: float = Field(2.0, ge=1, le=4, description="largest stretch of x and of y")
    broken_lines: int = Field(0, ge=0, description="background lines; 1000 at 512 px in the study")

    @model_validator(mode="after")
    def _ranges(self) -> Settings:
        constants.check_ranges(self, LIMITS | {"radius": (0, 128)})
        if self.lengths == "pixels" and self.image_size_px <= CENTRE_RANGE_PX:
            raise ValueError(
                f"image_size_px = {self.image_size_px} with lengths = 'pixels' puts centres outside"
                f" of the image: use more than {CENTRE_RANGE_PX}, or lengths = 'proportional'"
            )
        if self.broken_lines > 4 * self.image_size_px:
            raise ValueError(
                f"broken_lines = {self.broken_lines} would erase almost everything at"
                f" {self.image_size_px} px: the study's share is"
                f" {round(1000 / REFERENCE_SIZE_PX * self.image_size_px)}"
            )
        return self


def sample_category(settings: Settings, *, seed: int, category: int) -> Parameters:
    """Draw the constants of one category.

    Returns
    -------
    dict
        PARAMETERS, one row: vertices with P(v) ∝ exp(-v / 100), polygons, noise and step uniform on
        their ranges.

    Raises
    ------
    ValueError
        With vary = "vertices" if there are fewer numbers of vertices than categories.
    """
    if settings.vary == "vertices":
        return _only_vertices(settings, category)
    rng = tree.generator(seed, FORMULA_ID, category, 0, Stage.PARAMETERS)
    vertices = settings.vertices[0] + int(
        np.searchsorted(_vertex_law(*settings.vertices), rng.random(), side="right")
    )
    polygons = rng.integers(*settings.polygons, endpoint=True)
    return constants.row(
        PARAMETERS, vertices, polygons, rng.uniform(*settings.noise), rng.uniform(*settings.step)
    )


def render(settings: Settings, parameters: Parameters, **place: Unpack[Place]) -> Pixels:
    """Draw one instance; radius, ovals, centre, noise and gray levels come from its own stream.

    Returns
    -------
    ndarray
        uint8 (image_size_px, image_size_px).

    Raises
    ------
    ValueError
        If the parameters are impossible.
    """
    from fdsl.raster import circle, contours, xoshiro

    vertices, polygons, noise, step = constants.read(parameters, LIMITS).values()
    size = settings.image_size_px
    state = tree.render_state(FORMULA_ID, **place)
    u = np.empty(5 + polygons)
    xoshiro.fill_uniform(state, u)

    unit = size / REFERENCE_SIZE_PX if settings.lengths == "proportional" else 1.0
    low, high = settings.radius
    radius = (low + int(u[0] * (high - low + 1))) * unit
    oval_x, oval_y = 1 + u[1:3] * (settings.oval - 1)
    shift_y, shift_x = (
        size / 2 + (int(draw * (2 * CENTRE_RANGE_PX + 1)) - CENTRE_RANGE_PX) * unit / 2
        for draw in u[3:5]
    )
    background = 0 if settings.background == "black" else 255
    grays = (u[5:] * 255).astype(np.uint8) + np.uint8(background == 0)

    cosines, sines = np.empty((2, vertices))
    circle.circle(np.arange(vertices) / vertices, cosines, sines)
    x, y = cosines * (radius * oval_x), sines * (radius * oval_y)
    outward = np.full(vertices, (noise + step) * unit)
    canvas = np.full(size**2, background, np.uint8)
    gain = 2 * noise * unit
    contours.grow_contours(
        x, y, cosines, sines, outward, gain, shift_x, shift_y, state, grays, size, canvas
    )
    if settings.broken_lines:
        canvas = _broken(canvas, settings, state, background)
    return canvas.reshape(size, size)


def _broken(canvas: Pixels, settings: Settings, state: State, background: int) -> Pixels:
    """Draw lines between random pixels over the contours; all again in the rare case that nothing
    is left.
    """
    from fdsl.raster import lines, xoshiro

    ends = np.empty(4 * settings.broken_lines)
    while True:
        xoshiro.fill_uniform(state, ends)
        pixels = (ends * settings.image_size_px).astype(np.int64).reshape(-1, 4)
        broken = canvas.copy()
        lines.draw_lines(pixels, settings.image_size_px, background, broken)
        if (broken != background).any():
            return broken


def _only_vertices(settings: Settings, category: int) -> Parameters:
    """The category with `category` vertices more than the first one has."""
    low, high = settings.vertices
    if low + category > high:
        raise ValueError(
            f"category {category} would have {low + category} vertices, more than vertices ="
            f" ({low}, {high}) allows: at most {high - low + 1} classes, or raise the range"
        )
    noise, step = sum(settings.noise) / 2, sum(settings.step) / 2
    return constants.row(PARAMETERS, low + category, sum(settings.polygons) // 2, noise, step)


@lru_cache(maxsize=16)
def _vertex_law(low: int, high: int) -> Floats:
    """Cumulative probabilities of low … high vertices, the last left out, from multiplications and
    additions alone.
    """
    weights = np.cumprod(np.full(high - low + 1, DECAY))
    total: Floats = np.cumsum(weights)
    law: Floats = total[:-1] / total[-1]
    return law
