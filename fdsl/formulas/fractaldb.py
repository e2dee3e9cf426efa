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
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from fdsl.formulas import attractor, ifs, svd_sampler
from fdsl.formulas.attractor import Look, Orbit, WindowSettings
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage

FORMULA_ID = 1
TITLE = "FractalDB"
COEFFICIENTS = "abcdef"
PARAMETERS = ifs.parameter_types(COEFFICIENTS)
FLIPS = 4


class Settings(WindowSettings):
    """Search and drawing. The defaults are those of the released recipe for FractalDB-1k."""

    image_size_px: int = Field(default=362, ge=4, le=8192, description="side of the square image")
    points: int = Field(
        default=200_000, ge=1, le=100_000_000, description="points of the chaos game"
    )
    draw: Literal["point", "patch"] = Field(
        default="patch", description="one pixel or 3 × 3 pixels per point"
    )
    patch_mode: Literal["per_point", "per_image"] = Field(
        default="per_point", description="a new random pattern for each point, or one for the image"
    )
    colour: Literal["gray", "hues"] = Field(
        default="gray", description="one gray level, or 128 hues by turns, which gives RGB images"
    )
    gray_level: int = Field(
        default=127, ge=1, le=255, description="of points and patches, on black; not with hues"
    )
    weighted: bool = Field(
        default=True,
        description="vary one coefficient per instance; without, the category itself is drawn",
    )
    weight: float = Field(
        default=0.4,
        gt=0,
        le=0.5,
        description="a coefficient is multiplied by 1 ± weight or 1 ± 2 weight",
    )
    instance_row: int | None = Field(
        default=None,
        ge=0,
        le=24,
        description=(
            "draw all instances with this row of the weights rather than by turns; 0 is the"
            " released 2D-OFDB"
        ),
    )
    flips: bool = Field(default=True, description="four flips of each weight")
    diverged: Literal["shrink", "keep"] = Field(
        default="shrink",
        description=(
            "when a weight makes the system diverge: halve its distance from 1 until it does not,"
            " or draw what there is"
        ),
    )
    search: Literal["random", "svd"] = Field(
        default="random",
        description=(
            "candidates with uniform coefficients; or with random singular values of at most 1, as"
            " Anderson & Farrell"
        ),
    )
    sigma_factor: tuple[float, float] | None = Field(
        default=None,
        description=(
            "range of the sum of singular values in the search svd, the smaller ones doubled; null:"
            " (5 + n) / 2 to (6 + n) / 2 for n maps"
        ),
    )
    filling_rate: float = Field(
        default=0.2,
        gt=0,
        lt=1,
        description="share of pixels that a category must reach in the search",
    )
    coefficient_limit: float = Field(
        default=1.0,
        gt=0,
        le=10,
        description=(
            "coefficients are uniform in [-limit, limit); in the search svd the shifts alone"
        ),
    )
    maps: tuple[int, int] = Field(default=(2, 7), description="fewest and most maps of a system")

    @model_validator(mode="after")
    def _fits(self) -> Settings:
        if not 1 <= self.maps[0] <= self.maps[1] <= ifs.MAX_MAPS:
            raise ValueError(
                f"maps = {self.maps} must be two ascending numbers from 1 to {ifs.MAX_MAPS}"
            )
        if self.maps[1] < 2:
            raise ValueError(
                f"maps = {self.maps}: the attractor of a single map is a point, so no search would"
                " end; allow at least 2"
            )
        reachable = min(1.0, self.search_points / self.search_size_px**2)
        if self.filling_rate > reachable:
            raise ValueError(
                f"filling_rate = {self.filling_rate} needs more than search_points ="
                f" {self.search_points} on {self.search_size_px} px"
            )
        if self.instance_row is not None and not self.weighted:
            raise ValueError(
                f"instance_row = {self.instance_row} chooses a weight, but weighted = false: set"
                " one of the two"
            )
        return self

    @model_validator(mode="after")
    def _sigma_factor_is_reached(self) -> Settings:
        if self.sigma_factor is not None and self.search != "svd":
            raise ValueError(f"sigma_factor = {self.sigma_factor} is only read by search = 'svd'")
        low, high = self.sigma_factor or svd_sampler.default_sigma_factor(self.maps[0])
        if self.search == "svd" and not 0 <= low <= high <= 3 * self.maps[0]:
            raise ValueError(
                f"sigma_factor = ({low}, {high}) must be two ascending numbers from 0 to 3 for each"
                f" of maps[0] = {self.maps[0]} maps"
            )
        return self


def sample_category(settings: Settings, *, seed: int, category: int) -> dict[str, NDArray]:
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
    rng = tree.generator(seed, FORMULA_ID, category, 0, Stage.PARAMETERS)
    systems = _candidates(settings, rng)
    for candidate, (system, shares) in zip(range(1, ifs.MAX_CANDIDATES + 1), systems, strict=False):
        state = tree.kernel_state(seed, FORMULA_ID, category, candidate, Stage.PARAMETERS)
        if filling_rate(settings, system, shares, state) >= settings.filling_rate:
            return ifs.columns(COEFFICIENTS, system, shares, candidate=candidate)
    raise ValueError(
        f"none of {ifs.MAX_CANDIDATES} candidates fills {settings.filling_rate} of the image: lower"
        " filling_rate"
    )


def _candidates(settings: Settings, rng: np.random.Generator) -> ifs.Systems:
    """The candidates of the search."""
    limit, maps = settings.coefficient_limit, settings.maps
    if settings.search == "random":
        return ifs.candidates(rng, coefficients=6, limit=limit, maps=maps)
    return svd_sampler.candidates(
        rng, maps=maps, sigma_factor=settings.sigma_factor, shift_limit=limit
    )


def filling_rate(
    settings: Settings,
    system: NDArray[np.float64],
    shares: NDArray[np.float64],
    state: NDArray[np.uint64],
) -> float:
    """Return the share of pixels that the search's chaos game reaches, pads included; 0 for an
    orbit that leaves ±1e6.
    """
    from fdsl.raster import chaos_game, points

    x, y = np.empty((2, settings.search_points), np.float64)
    extent = np.empty(4)
    count = chaos_game.chaos_game_2d(system, *ifs.choice(shares), state, ifs.BOUND, x, y, extent)
    if count < settings.search_points:
        return 0.0
    size, pad = settings.search_size_px, settings.search_pad_px
    cells = np.empty(count, np.int32)
    canvas = np.zeros((size + 1) ** 2, np.uint8)
    points.fit_to_window(x, y, extent, size - 2 * pad, pad, 0, size + 1, 1, cells)
    points.draw_points(cells, np.ones(1, np.uint8), canvas)
    return np.count_nonzero(canvas.reshape(size + 1, size + 1)[:size, :size]) / size**2


def render(
    settings: Settings, parameters: dict[str, NDArray], *, seed: int, category: int, instance: int
) -> NDArray[np.uint8]:
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
    return draw(settings, parameters, seed=seed, category=category, instance=instance)[0]


def draw(
    settings: Settings, parameters: dict[str, NDArray], *, seed: int, category: int, instance: int
) -> tuple[NDArray[np.uint8], bool]:
    """Return what `render` does, and whether the weight made the system diverge."""
    system, shares = ifs.read_system(COEFFICIENTS, parameters)
    weights = _instance_weights(settings)
    flip = (instance // len(weights)) % FLIPS if settings.flips else 0
    state = tree.kernel_state(seed, FORMULA_ID, category, instance, Stage.RENDER)
    orbit, diverged = _orbit(settings, weights[instance % len(weights)], system, shares, state)
    look = Look(
        settings.image_size_px,
        settings.pad_px,
        settings.draw,
        settings.patch_mode,
        settings.gray_level if settings.colour == "gray" else None,
    )
    return attractor.paint(orbit, look, state, flip=flip), diverged


def _instance_weights(settings: Settings) -> NDArray[np.float64]:
    """The rows of the weights that the instances take by turns."""
    if not settings.weighted:
        return np.ones((1, 6))
    rows, row = _weight_rows(settings.weight), settings.instance_row
    return rows if row is None else rows[row : row + 1]


def weight_rows(weight: float) -> NDArray[np.float64]:
    """Return the factors of the coefficients a … f, (25, 6), in the order of the released files;
    row 2 is the identity.

    The lowest factor at weight 0.5 is 0.01, as there.
    """
    return _weight_rows(weight).copy()


@lru_cache(maxsize=16)
def _weight_rows(weight: float) -> NDArray[np.float64]:
    lowest = 1 - 2 * weight if weight < 0.5 else 0.01
    return ifs.weight_table(6, [lowest, 1 - weight, 1 + weight, 1 + 2 * weight], identity_row=2)


def _orbit(
    settings: Settings,
    weights: NDArray[np.float64],
    system: NDArray[np.float64],
    shares: NDArray[np.float64],
    state: NDArray[np.uint64],
) -> tuple[Orbit, bool]:
    """Play the chaos game of the weighted system, leave `state` behind it, and say whether the
    weight made it diverge.
    """
    from fdsl.raster import chaos_game

    x, y = np.empty((2, settings.points), np.float64)
    extent = np.empty(4)
    choice = ifs.choice(shares)
    start = state.copy()
    bound = ifs.BOUND if settings.diverged == "shrink" else ifs.FAR
    for factors in ifs.halved(weights):
        state[:] = start
        count = chaos_game.chaos_game_2d(system * factors, *choice, state, bound, x, y, extent)
        if count == settings.points or settings.diverged == "keep":
            kept = np.abs(extent).max() <= ifs.BOUND and count == settings.points
            return Orbit(x[:count], y[:count], extent), factors is not weights or not kept
    raise ValueError(ifs.DIVERGES)
