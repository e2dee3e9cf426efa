"""FractalDB: attractors of random two-dimensional iterated function systems, drawn as points or 3 ×
3 patches.

Source: Kataoka et al., "Pre-training without natural images" (ACCV 2020, IJCV 2022) and its
released code. Categories are the code's law; each is searched by itself here, so that the search
parallelises and can be continued. Ours: one random sequence per image (the code repeats one
sequence for all), the order of the instances, and what happens to systems that a weight makes
diverge. One instance of each category is 2D-OFDB (Nakamura et al., ICCV 2023): weighted = false
draws the category itself, as that paper says; instance_row = 0 the row of the weights that its
released code draws.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, Unpack

import numpy as np
from pydantic import Field, model_validator

from fdsl.formulas import attractor, ifs, svd_sampler
from fdsl.formulas.arrays import Floats, Parameters, Pixels, Place, State
from fdsl.formulas.attractor import Look, Orbit, WindowSettings
from fdsl.formulas.ifs import IfsSettings
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage

FORMULA_ID = 1
TITLE = "FractalDB"
COEFFICIENTS = "abcdef"
PARAMETERS = ifs.parameter_types(COEFFICIENTS)
FLIPS = 4


class Settings(WindowSettings, IfsSettings):
    """Search and drawing. The defaults are those of the released recipe for FractalDB-1k."""

    image_size_px: int = Field(362, ge=4, le=8192, description="side of the square image")
    points: int = Field(200_000, ge=1, le=100_000_000, description="points of the chaos game")
    draw: Literal["point", "patch"] = Field("patch", description="1 or 3 × 3 px per point")
    patch_mode: Literal["per_point", "per_image"] = Field(
        "per_point", description="a new random pattern for each point, or one for the image"
    )
    colour: Literal["gray", "hues"] = Field(
        "gray", description="one gray level, or 128 hues by turns, which gives RGB images"
    )
    gray_level: int = Field(127, ge=1, le=255, description="of points and patches; not with hues")
    weight: float = Field(0.4, gt=0, le=0.5, description="factors 1 ± weight and 1 ± 2 weight")
    flips: bool = Field(True, description="four flips of each weight")
    search: Literal["random", "svd"] = Field(
        "random", description="uniform coefficients, or singular values as Anderson & Farrell"
    )
    sigma_factor: tuple[float, float] | None = Field(
        None, description="for search svd; null: (5 + n) / 2 to (6 + n) / 2 for n maps"
    )
    filling_rate: float = Field(0.2, gt=0, lt=1, description="least share of pixels in the search")

    def weight_rows(self) -> Floats:
        """Return `weight_rows` of the module for this weight."""
        return weight_rows(self.weight)

    @model_validator(mode="after")
    def _search_can_succeed(self) -> Settings:
        reachable = min(1.0, self.search_points / self.search_size_px**2)
        if self.filling_rate > reachable:
            raise ValueError(
                f"filling_rate = {self.filling_rate} needs more than search_points ="
                f" {self.search_points} on {self.search_size_px} px"
            )
        if self.sigma_factor is not None and self.search != "svd":
            raise ValueError(f"sigma_factor = {self.sigma_factor} is only read by search = 'svd'")
        low, high = self.sigma_factor or svd_sampler.default_sigma_factor(self.maps[0])
        if self.search == "svd" and not 0 <= low <= high <= 3 * self.maps[0]:
            raise ValueError(
                f"sigma_factor = ({low}, {high}) must be two ascending numbers from 0 to 3 for each"
                f" of maps[0] = {self.maps[0]} maps"
            )
        return self


def sample_category(settings: Settings, *, seed: int, category: int) -> Parameters:
    """Search one category: the first candidate whose orbit stays bounded and fills the image.

    Returns
    -------
    dict
        PARAMETERS, one row per map. `candidate` is how many candidates were tried.

    Raises
    ------
    ValueError
        If 20,000 candidates in a row fail.
    """
    systems = _candidates(settings, tree.generator(seed, FORMULA_ID, category, 0, Stage.PARAMETERS))
    system, shares, candidate = ifs.search(
        systems,
        lambda *found: filling_rate(settings, *found) >= settings.filling_rate,
        path=(seed, FORMULA_ID, category),
        tries=ifs.MAX_CANDIDATES,
        failure=f"candidates fills {settings.filling_rate} of the image: lower filling_rate",
    )
    return ifs.columns(COEFFICIENTS, system, shares, candidate=candidate)


def _candidates(settings: Settings, rng: np.random.Generator) -> ifs.Systems:
    """The candidates of the search."""
    limit, maps = settings.coefficient_limit, settings.maps
    if settings.search == "random":
        return ifs.candidates(rng, coefficients=6, limit=limit, maps=maps)
    return svd_sampler.candidates(
        rng, maps=maps, sigma_factor=settings.sigma_factor, shift_limit=limit
    )


def filling_rate(settings: Settings, system: Floats, shares: Floats, state: State) -> float:
    """Return the share of pixels that the search's chaos game reaches, pads included; 0 for an
    orbit that leaves ±1e6.
    """
    from fdsl.raster import points

    orbit = attractor.bounded_orbit(settings.search_points, system, shares, state)
    if orbit is None:
        return 0.0
    size, pad = settings.search_size_px, settings.search_pad_px
    cells = np.empty(orbit.x.size, np.int32)
    canvas = np.zeros((size + 1) ** 2, np.uint8)
    points.fit_to_window(*orbit, size - 2 * pad, pad, 0, size + 1, 1, cells)
    points.draw_points(cells, np.ones(1, np.uint8), canvas)
    return np.count_nonzero(canvas.reshape(size + 1, size + 1)[:size, :size]) / size**2


def render(settings: Settings, parameters: Parameters, **place: Unpack[Place]) -> Pixels:
    """Draw one instance: weight row instance % 25, flip (instance // 25) % 4, points and patches
    from a stream of its own.

    Returns
    -------
    ndarray
        uint8 (image_size_px, image_size_px), gray_level on black; with hues (image_size_px,
        image_size_px, 3).

    Raises
    ------
    ValueError
        If the parameters are impossible, or the unweighted system diverges while diverged =
        "shrink".
    """
    return draw(settings, parameters, **place)[0]


def draw(settings: Settings, parameters: Parameters, **place: Unpack[Place]) -> tuple[Pixels, bool]:
    """Return what `render` does, and whether the weight made the system diverge."""
    from fdsl.raster import chaos_game

    system, shares = ifs.read_system(COEFFICIENTS, parameters)
    rows, instance = settings.instance_weights(), place["instance"]
    flip = (instance // len(rows)) % FLIPS if settings.flips else 0
    state = tree.render_state(FORMULA_ID, **place)
    x, y = np.empty((2, settings.points))
    extent = np.empty(4)
    weighted = system, shares, rows[instance % len(rows)]
    count, diverged = ifs.play_weighted(
        chaos_game.chaos_game_2d, settings, weighted, state, x, y, extent
    )
    look = Look(
        settings.image_size_px,
        settings.pad_px,
        settings.draw,
        settings.patch_mode,
        settings.gray_level if settings.colour == "gray" else None,
    )
    image = attractor.paint(Orbit(x[:count], y[:count], extent), look, state, flip=flip)
    return image, diverged or bool(np.abs(extent).max() > ifs.BOUND)


@lru_cache(maxsize=16)
def weight_rows(weight: float) -> Floats:
    """Return the factors of the coefficients a … f, (25, 6), read-only, in the order of the
    released files; row 2 is the identity.

    The lowest factor at weight 0.5 is 0.01, as there.
    """
    lowest = 1 - 2 * weight if weight < 0.5 else 0.01
    return ifs.weight_table(6, [lowest, 1 - weight, 1 + weight, 1 + 2 * weight], identity_row=2)
