"""ExFractalDB: attractors of random three-dimensional iterated function systems, seen by a camera.

Source: Kataoka et al., "Replacing labeled real-image datasets with auto-generated contours" (CVPR
2022) and its released code. The camera and the law of the categories are the code's. Ours: each
category is searched by itself; views are random rotations unless `view` asks for the code's twelve;
the centroid divides by the number of points that there are. With the fixed views, all weights by
all views are MV-FractalDB, and one weight in twelve views is 3D-OFDB (Nakamura et al., ICCV 2023):
weighted = false takes the category itself, as that paper says; instance_row = 0 the row of the
weights that its released code takes.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from fdsl.formulas import ifs
from fdsl.schema.base import FrozenModel
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage

FORMULA_ID = 2
TITLE = "ExFractalDB"
COEFFICIENTS = "abcdefghijkl"
PARAMETERS = ifs.parameter_types(COEFFICIENTS)
VIEWS = 12
JITTER_TURNS = np.pi / 360  # the code's ±pi, which it takes for radians, are degrees


class Settings(FrozenModel):
    """Search and drawing. The defaults are those of the released recipe for ExFractalDB-1k."""

    image_size_px: int = Field(default=224, ge=4, le=8192, description="side of the square image")
    points: int = Field(
        default=10_000, ge=1, le=100_000_000, description="points of the chaos game"
    )
    point_size_px: int = Field(
        default=1, ge=1, le=63, description="side of the square of a point, odd"
    )
    gray_level: int = Field(default=255, ge=1, le=255, description="of points, on black")
    weighted: bool = Field(
        default=True,
        description="vary one coefficient per instance; without, the category itself is drawn",
    )
    weight_steps: int = Field(
        default=6,
        ge=1,
        le=9,
        description="a coefficient is multiplied by 1 ± 0.1, …, 1 ± 0.1 steps",
    )
    instance_row: int | None = Field(
        default=None,
        ge=0,
        description=(
            "draw all instances with this row of the weights rather than by turns; 0 is the"
            " released 3D-OFDB"
        ),
    )
    view: Literal["random", "fixed12"] = Field(
        default="random",
        description=(
            "a uniform rotation for each instance, or one of twelve azimuths with ± 3.14 degrees"
        ),
    )
    diverged: Literal["shrink", "keep"] = Field(
        default="shrink",
        description=(
            "when a weight makes the system diverge: halve its distance from 1 until it does not,"
            " or draw what there is"
        ),
    )
    variance: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="that each axis of a category must exceed in the search",
    )
    search_points: int = Field(
        default=10_000, ge=2, le=10_000_000, description="points of the search"
    )
    coefficient_limit: float = Field(
        default=1.0, gt=0, le=10, description="coefficients are uniform in [-limit, limit)"
    )
    maps: tuple[int, int] = Field(default=(2, 7), description="fewest and most maps of a system")

    @field_validator("point_size_px")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("a point has a pixel in its middle: use an odd number")
        return value

    @model_validator(mode="after")
    def _row_exists(self) -> Settings:
        if self.instance_row is None:
            return self
        if not self.weighted:
            raise ValueError(
                f"instance_row = {self.instance_row} chooses a weight, but weighted = false: set"
                " one of the two"
            )
        if self.instance_row > 24 * self.weight_steps:
            raise ValueError(
                f"instance_row = {self.instance_row} is none of the rows 0 to"
                f" {24 * self.weight_steps} of weight_steps = {self.weight_steps}"
            )
        return self

    @model_validator(mode="after")
    def _maps_ascend(self) -> Settings:
        if not 1 <= self.maps[0] <= self.maps[1] <= ifs.MAX_MAPS:
            raise ValueError(
                f"maps = {self.maps} must be two ascending numbers from 1 to {ifs.MAX_MAPS}"
            )
        if self.maps[1] < 2:
            raise ValueError(
                f"maps = {self.maps}: the attractor of a single map is a point, so no search would"
                " end; allow at least 2"
            )
        return self


def sample_category(settings: Settings, *, seed: int, category: int) -> dict[str, NDArray]:
    """Search one category: the first candidate that is bounded and spreads along all three axes.

    Returns
    -------
    dict
        PARAMETERS, one row per map. `candidate` is how many candidates were tried.

    Raises
    ------
    ValueError
        If 20,000 candidates in a row fail.
    """
    rng = tree.generator(seed, FORMULA_ID, category, 0, Stage.PARAMETERS)
    systems = ifs.candidates(
        rng, coefficients=12, limit=settings.coefficient_limit, maps=settings.maps
    )
    for candidate, (system, shares) in zip(range(1, ifs.MAX_CANDIDATES + 1), systems, strict=False):
        state = tree.kernel_state(seed, FORMULA_ID, category, candidate, Stage.PARAMETERS)
        if spread(settings, system, shares, state) > settings.variance:
            return ifs.columns(COEFFICIENTS, system, shares, candidate=candidate)
    raise ValueError(
        f"none of {ifs.MAX_CANDIDATES} candidates has a variance above {settings.variance} on each"
        " axis: lower variance"
    )


def spread(
    settings: Settings,
    system: NDArray[np.float64],
    shares: NDArray[np.float64],
    state: NDArray[np.uint64],
) -> float:
    """Return the smallest variance of the three axes, the longest one scaled to [-1, 1]; 0 for an
    orbit that leaves ±1e6.
    """
    from fdsl.raster import chaos_game

    points = np.empty((3, settings.search_points), np.float64)
    summary = np.empty(5)
    count = chaos_game.chaos_game_3d(system, *ifs.choice(shares), state, ifs.BOUND, points, summary)
    extent = summary[1] - summary[0]
    if count < settings.search_points or extent == 0:
        return 0.0
    return float(points.var(axis=1).min() * (2 / extent) ** 2)


def render(
    settings: Settings, parameters: dict[str, NDArray], *, seed: int, category: int, instance: int
) -> NDArray[np.uint8]:
    """Draw one instance: weight row instance % 145 (at six steps); of the fixed views number
    (instance // 145) % 12.

    Returns
    -------
    ndarray
        uint8 (image_size_px, image_size_px), gray_level on black. As in the released code, row 0 is
        the lowest y.

    Raises
    ------
    ValueError
        If the parameters are impossible, or the unweighted system diverges while diverged =
        "shrink".
    """
    return draw(settings, parameters, seed=seed, category=category, instance=instance)[0]


def draw(
    settings: Settings, parameters: dict[str, NDArray], *, seed: int, category: int, instance: int
) -> tuple[NDArray[np.uint8], bool]:
    """Return what `render` does, and whether the weight made the system diverge."""
    from fdsl.raster import points, projection

    system, shares = ifs.read_system(COEFFICIENTS, parameters)
    weights = _instance_weights(settings)
    state = tree.kernel_state(seed, FORMULA_ID, category, instance, Stage.RENDER)
    factors = weights[instance % len(weights)]
    orbit, count, summary, diverged = _orbit(settings, factors, system, shares, state)

    size = settings.image_size_px
    extent = summary[1] - summary[0]
    scale = 2 / extent if extent > 0 else 1.0
    rotation = _view(settings, instance // len(weights), state)
    cells = np.empty(count, np.int32)
    projection.project(orbit, summary[2:] / count, scale, rotation, size, cells)
    canvas = np.zeros(size**2 + 1, np.uint8)  # the last one for points out of view
    if settings.point_size_px == 1:
        points.draw_points(cells, np.array([settings.gray_level], np.uint8), canvas)
    else:
        points.draw_squares(cells, settings.point_size_px, size, settings.gray_level, canvas)
    return canvas[:-1].reshape(size, size), diverged


def _instance_weights(settings: Settings) -> NDArray[np.float64]:
    """The rows of the weights that the instances take by turns."""
    if not settings.weighted:
        return np.ones((1, 12))
    rows, row = _weight_rows(settings.weight_steps), settings.instance_row
    return rows if row is None else rows[row : row + 1]


def weight_rows(steps: int) -> NDArray[np.float64]:
    """Return the factors of the coefficients a … l, (24 * steps + 1, 12): 1 ± 0.1, …, ± 0.1 steps,
    ascending.

    The identity stands in the middle of the rows of a. Made by formula: the released table of six
    steps has a typing error in row 109.
    """
    return _weight_rows(steps).copy()


@lru_cache
def _weight_rows(steps: int) -> NDArray[np.float64]:
    factors = [(10 + k) / 10 for k in range(-steps, steps + 1) if k]
    return ifs.weight_table(12, factors, identity_row=steps)


def _orbit(
    settings: Settings,
    weights: NDArray[np.float64],
    system: NDArray[np.float64],
    shares: NDArray[np.float64],
    state: NDArray[np.uint64],
) -> tuple[NDArray[np.float64], int, NDArray[np.float64], bool]:
    """Play the chaos game of the weighted system; return points (3, n), how many count, their
    summary, and whether it diverged.
    """
    from fdsl.raster import chaos_game

    points = np.empty((3, settings.points), np.float64)
    summary = np.empty(5)
    choice = ifs.choice(shares)
    start = state.copy()
    bound = ifs.BOUND if settings.diverged == "shrink" else ifs.FAR
    for factors in ifs.halved(weights):
        state[:] = start
        count = chaos_game.chaos_game_3d(system * factors, *choice, state, bound, points, summary)
        if count == settings.points or (settings.diverged == "keep" and count > 0):
            kept = np.abs(summary[:2]).max() <= ifs.BOUND and count == settings.points
            return points, count, summary, factors is not weights or not kept
    raise ValueError(ifs.DIVERGES)


def _view(settings: Settings, index: int, state: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return the rotation (3, 3) that turns the camera's axes (ahead, down, right) into the rows."""
    from fdsl.raster import circle, xoshiro

    u = np.empty(3)
    xoshiro.fill_uniform(state, u)
    cosines, sines = np.empty(2), np.empty(2)
    if settings.view == "fixed12":
        azimuth = (index % VIEWS + 1) / VIEWS + (2 * u[0] - 1) * JITTER_TURNS
        circle.circle(np.full(2, azimuth % 1.0), cosines, sines)
        c, s = cosines.tolist()[0], sines.tolist()[0]
        return np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])
    # A uniform unit quaternion: K. Shoemake, "Uniform random rotations", Graphics Gems III (1992).
    circle.circle(u[1:], cosines, sines)
    (c1, c2), (s1, s2) = cosines.tolist(), sines.tolist()
    share = float(u[0])
    inner, outer = math.sqrt(1 - share), math.sqrt(share)
    x, y, z, w = inner * s1, inner * c1, outer * s2, outer * c2
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
