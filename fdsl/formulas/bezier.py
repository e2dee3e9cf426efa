"""Bezier curves: a category is how many control points a curve has, how many curves there are, and
where the control points stand.

Source: the baselines Bezier-144 and Bezier-1024 of the FractalDB papers. No code was released; of
the definition only that 144 and 1,024 are grids of two numbers is known, and all else is ours: the
two numbers, control points that are uniform in the image and jittered for each instance, gray lines
of one pixel on black.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Unpack

import numpy as np
from pydantic import Field

from fdsl.formulas import constants
from fdsl.formulas.arrays import Floats, Parameters, Pixels, Place
from fdsl.schema.base import FrozenModel
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage

FORMULA_ID = 8
TITLE = "Bezier curves"
PARAMETERS = {"curve": "int32", "x": "float64", "y": "float64"}
FEWEST_POINTS = 3  # with two, a curve would be a straight line
MAX_POINTS, MAX_CURVES = 128, 1024
STEPS_PER_PIXEL = 2  # straight pieces of a curve, for each pixel of the image's side


class Settings(FrozenModel):
    """Categories and drawing. Image size and instances are FractalDB-1k's, so that one can stand
    for the other.
    """

    image_size_px: int = Field(362, ge=4, le=8192, description="side of the square image")
    grid: int = Field(12, ge=2, le=64, description="3 … grid + 2 control points × 1 … grid curves")
    margin: float = Field(0.05, ge=0, le=0.45, description="share of each side without points")
    jitter: float = Field(0.1, gt=0, le=0.5, description="points move ± this share but stay inside")
    gray_level: int = Field(127, ge=1, le=255, description="of the curves, on black")


def sample_category(settings: Settings, *, seed: int, category: int) -> Parameters:
    """Draw the control points of one category: category % grid + 3 for each of its category // grid
    + 1 curves.

    Returns
    -------
    dict
        PARAMETERS, one row per control point, x and y as shares of the image's side.

    Raises
    ------
    ValueError
        If the grid has fewer categories.
    """
    fewer, below = constants.square_cell(category, side=settings.grid, setting="grid")
    points, curves = fewer + FEWEST_POINTS, below + 1
    rng = tree.generator(seed, FORMULA_ID, category, 0, Stage.PARAMETERS)
    x, y = rng.uniform(settings.margin, 1 - settings.margin, (2, curves * points))
    return {"curve": np.repeat(np.arange(curves, dtype=np.int32), points), "x": x, "y": y}


def render(settings: Settings, parameters: Parameters, **place: Unpack[Place]) -> Pixels:
    """Draw one instance; the jitter of its control points comes from its own stream.

    Returns
    -------
    ndarray
        uint8 (image_size_px, image_size_px), gray_level on black.

    Raises
    ------
    ValueError
        If the parameters are impossible.
    """
    from fdsl.raster import curves, xoshiro

    layout = read_control_points(parameters)
    state = tree.render_state(FORMULA_ID, **place)
    u = np.empty(layout.size)
    xoshiro.fill_uniform(state, u)
    size = settings.image_size_px
    moved = layout + (2 * u.reshape(layout.shape) - 1) * settings.jitter
    x, y = np.clip(moved, 0, 1) * (size - 1) + 0.5
    canvas = np.zeros(size**2, np.uint8)
    basis = _basis(STEPS_PER_PIXEL * size, layout.shape[2])
    curves.draw_curves(basis, x, y, size, settings.gray_level, canvas)
    return canvas.reshape(size, size)


def read_control_points(parameters: Parameters) -> Floats:
    """Return the control points of one category, (2, curves, points): x, then y.

    Raises
    ------
    ValueError
        If a column is missing, the rows are not whole curves in order, or a coordinate is not
        finite or outside of [0, 1].
    """
    if missing := [name for name in PARAMETERS if name not in parameters]:
        raise ValueError(f"parameter columns {missing} are missing: sample the parameters again")
    curve = np.asarray(parameters["curve"])
    curves = int(curve[-1]) + 1 if curve.size else 0
    points = curve.size // curves if curves > 0 else 0
    whole = np.repeat(np.arange(max(curves, 0)), points)
    if not (
        1 <= curves <= MAX_CURVES and 2 <= points <= MAX_POINTS and np.array_equal(curve, whole)
    ):
        raise ValueError(
            f"{curve.size} rows of control points must be 1 to {MAX_CURVES} curves of 2 to"
            f" {MAX_POINTS} points each, in order: sample the parameters again"
        )
    layout = np.array([parameters["x"], parameters["y"]], np.float64)
    if not (layout.min() >= 0 and layout.max() <= 1):
        raise ValueError(
            f"control points from {layout.min()} to {layout.max()} must be within 0 to 1: sample"
            " the parameters again"
        )
    return layout.reshape(2, curves, points)


@lru_cache(maxsize=64)
def _basis(steps: int, points: int) -> Floats:
    """The Bernstein polynomials of one degree at steps + 1 places."""
    from fdsl.raster import curves

    basis = np.empty((steps + 1, points))
    curves.bernstein(basis)
    return basis
