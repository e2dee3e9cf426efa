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
from typing import Literal, Unpack

import numpy as np
from pydantic import Field, field_validator

from fdsl.formulas import ifs
from fdsl.formulas.arrays import Floats, Parameters, Pixels, Place, State
from fdsl.formulas.ifs import IfsSettings
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage

FORMULA_ID = 2
TITLE = "ExFractalDB"
COEFFICIENTS = "abcdefghijkl"
PARAMETERS = ifs.parameter_types(COEFFICIENTS)
VIEWS = 12
JITTER_TURNS = np.pi / 360  # the code's ±pi, which it takes for radians, are degrees


class Settings(IfsSettings):
    """Search and drawing. The defaults are those of the released recipe for ExFractalDB-1k."""

    image_size_px: int = Field(224, ge=4, le=8192, description="side of the square image")
    points: int = Field(10_000, ge=1, le=100_000_000, description="points of the chaos game")
    point_size_px: int = Field(1, ge=1, le=63, description="side of the square of a point, odd")
    gray_level: int = Field(255, ge=1, le=255, description="of points, on black")
    weight_steps: int = Field(6, ge=1, le=9, description="factors 1 ± 0.1, …, 1 ± 0.1 steps")
    view: Literal["random", "fixed12"] = Field(
        "random", description="uniform rotations, or one of twelve azimuths with ± 3.14 degrees"
    )
    variance: float = Field(0.05, gt=0, lt=1, description="of each axis, to exceed in the search")
    search_points: int = Field(10_000, ge=2, le=10_000_000, description="points of the search")

    def weight_rows(self) -> Floats:
        """Return `weight_rows` of the module for these steps."""
        return weight_rows(self.weight_steps)

    @property
    def least_instances(self) -> int:
        """Fewest instances of a useful dataset: with fixed views, each weight of a view once."""
        return len(self.instance_weights()) if self.view == "fixed12" else 1

    @field_validator("point_size_px")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("a point has a pixel in its middle: use an odd number")
        return value


def sample_category(settings: Settings, *, seed: int, category: int) -> Parameters:
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
    system, shares, candidate = ifs.search(
        systems,
        lambda *found: spread(settings, *found) > settings.variance,
        path=(seed, FORMULA_ID, category),
        tries=ifs.MAX_CANDIDATES,
        failure=f"candidates has a variance above {settings.variance} on each axis: lower variance",
    )
    return ifs.columns(COEFFICIENTS, system, shares, candidate=candidate)


def spread(settings: Settings, system: Floats, shares: Floats, state: State) -> float:
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


def render(settings: Settings, parameters: Parameters, **place: Unpack[Place]) -> Pixels:
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
    return draw(settings, parameters, **place)[0]


def draw(settings: Settings, parameters: Parameters, **place: Unpack[Place]) -> tuple[Pixels, bool]:
    """Return what `render` does, and whether the weight made the system diverge."""
    from fdsl.raster import chaos_game, points, projection

    system, shares = ifs.read_system(COEFFICIENTS, parameters)
    rows, instance = settings.instance_weights(), place["instance"]
    state = tree.render_state(FORMULA_ID, **place)
    orbit, summary = np.empty((3, settings.points)), np.empty(5)
    weighted = system, shares, rows[instance % len(rows)]
    count, diverged = ifs.play_weighted(
        chaos_game.chaos_game_3d, settings, weighted, state, orbit, summary
    )
    size = settings.image_size_px
    extent = summary[1] - summary[0]
    scale = 2 / extent if extent > 0 else 1.0
    rotation = view_rotation(settings, instance // len(rows), state)
    cells = np.empty(count, np.int32)
    projection.project(orbit, summary[2:] / count, scale, rotation, size, cells)
    canvas = np.zeros(size**2 + 1, np.uint8)  # the last one for points out of view
    if settings.point_size_px == 1:
        points.draw_points(cells, np.array([settings.gray_level], np.uint8), canvas)
    else:
        points.draw_squares(cells, settings.point_size_px, size, settings.gray_level, canvas)
    diverged = diverged or bool(np.abs(summary[:2]).max() > ifs.BOUND)
    return canvas[:-1].reshape(size, size), diverged


@lru_cache
def weight_rows(steps: int) -> Floats:
    """Return the factors of the coefficients a … l, (24 * steps + 1, 12), read-only: 1 ± 0.1, …,
    ± 0.1 steps, ascending.

    The identity is in the middle of the rows of a. Made by formula: the released table of six steps
    has a typing error in row 109.
    """
    factors = [(10 + k) / 10 for k in range(-steps, steps + 1) if k]
    return ifs.weight_table(12, factors, identity_row=steps)


def view_rotation(settings: Settings, index: int, state: State) -> Floats:
    """Return the rotation (3, 3) whose rows are the camera's axes: ahead, down, right.

    `index` numbers the fixed views; three uniform numbers are drawn from `state`.
    """
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
