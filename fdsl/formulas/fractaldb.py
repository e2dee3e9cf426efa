"""FractalDB: attractors of random two-dimensional iterated function systems, drawn as points or 3 × 3 patches.

Source: Kataoka et al., "Pre-training without natural images" (ACCV 2020, IJCV 2022) and its released code. Categories are the code's
law; each is searched by itself here, so that the search parallelises and can be continued. Ours: one random sequence per image (the code
repeats one sequence for all), the order of the instances, and what happens to systems that a weight makes diverge.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from fdsl import seeding
from fdsl.formulas import ifs
from fdsl.seeding import Stage
from fdsl.strict import Strict

FORMULA_ID = 1
TITLE = "FractalDB"
COEFFICIENTS = "abcdef"
PARAMETERS = {
    "map": "int32",
    **dict.fromkeys([*COEFFICIENTS, "p"], "float64"),
    "candidate": "int32",
}
FLIPS = 4
PATCH_SHIFT_PX = 1  # the upper left pixel of a patch, right of and below its point


class Settings(Strict):
    """Search and drawing. The defaults are those of the released recipe for FractalDB-1k."""

    image_size_px: int = Field(default=362, ge=4, le=8192, description="side of the square image")
    pad_px: int = Field(
        default=6,
        ge=0,
        le=512,
        description="pixels left free on each side; below 4 the border cuts patches off",
    )
    points: int = Field(
        default=200_000, ge=1, le=100_000_000, description="points of the chaos game"
    )
    draw: Literal["point", "patch"] = Field(
        default="patch", description="one pixel or 3 × 3 pixels per point"
    )
    patch_mode: Literal["per_point", "per_image"] = Field(
        default="per_point", description="a new random pattern for each point, or one for the image"
    )
    gray_level: int = Field(
        default=127, ge=1, le=255, description="of points and patches, on black"
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
    flips: bool = Field(default=True, description="four flips of each weight")
    diverged: Literal["shrink", "keep"] = Field(
        default="shrink",
        description="when a weight makes the system diverge: halve its distance from 1 until it does not, or draw what there is",
    )
    filling_rate: float = Field(
        default=0.2,
        gt=0,
        lt=1,
        description="share of pixels that a category must reach in the search",
    )
    search_size_px: int = Field(
        default=512, ge=16, le=4096, description="side of the image of the search"
    )
    search_pad_px: int = Field(
        default=6, ge=0, le=512, description="pixels left free on each side in the search"
    )
    search_points: int = Field(
        default=100_000, ge=1, le=10_000_000, description="points of the search"
    )
    coefficient_limit: float = Field(
        default=1.0, gt=0, le=10, description="coefficients are uniform in [-limit, limit)"
    )
    maps: tuple[int, int] = Field(default=(2, 7), description="fewest and most maps of a system")

    @model_validator(mode="after")
    def _fits(self) -> Settings:
        for size, pad in (("image_size_px", "pad_px"), ("search_size_px", "search_pad_px")):
            if getattr(self, size) - 2 * getattr(self, pad) < 2:
                raise ValueError(
                    f"{size} = {getattr(self, size)} leaves less than 2 pixels between two pads of {pad} = {getattr(self, pad)}"
                )
        if not 1 <= self.maps[0] <= self.maps[1] <= ifs.MAX_MAPS:
            raise ValueError(
                f"maps = {self.maps} must be two ascending numbers from 1 to {ifs.MAX_MAPS}"
            )
        reachable = min(1.0, self.search_points / self.search_size_px**2)
        if self.filling_rate > reachable:
            raise ValueError(
                f"filling_rate = {self.filling_rate} needs more than search_points = {self.search_points} on {self.search_size_px} px"
            )
        return self


class Placement(NamedTuple):
    """Where drawing coordinates stand on the flattened canvas, which has a margin where patches pass the border of the image."""

    side: int
    origin: int
    row_step: int
    column_step: int
    rows: slice
    columns: slice


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
    rng = seeding.generator(seed, FORMULA_ID, category, 0, Stage.PARAMETERS)
    systems = ifs.candidates(
        rng, coefficients=6, limit=settings.coefficient_limit, maps=settings.maps
    )
    for candidate, (system, shares) in zip(range(1, ifs.MAX_CANDIDATES + 1), systems, strict=False):
        state = seeding.kernel_state(seed, FORMULA_ID, category, candidate, Stage.PARAMETERS)
        if filling_rate(settings, system, shares, state) >= settings.filling_rate:
            return ifs.columns(COEFFICIENTS, system, shares, candidate=candidate)
    raise ValueError(
        f"none of {ifs.MAX_CANDIDATES} candidates fills {settings.filling_rate} of the image: lower filling_rate"
    )


def filling_rate(
    settings: Settings,
    system: NDArray[np.float64],
    shares: NDArray[np.float64],
    state: NDArray[np.uint64],
) -> float:
    """Return the share of pixels that the search's chaos game reaches, pads included; 0 for an orbit that leaves ±1e6."""
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
    points.draw_points(cells, 1, canvas)
    return np.count_nonzero(canvas.reshape(size + 1, size + 1)[:size, :size]) / size**2


def render(
    settings: Settings, parameters: dict[str, NDArray], *, seed: int, category: int, instance: int
) -> NDArray[np.uint8]:
    """Draw one instance: weight row instance % 25, flip (instance // 25) % 4, points and patches from a stream of its own.

    Returns
    -------
    ndarray
        uint8 (image_size_px, image_size_px), gray_level on black.

    Raises
    ------
    ValueError
        If the parameters are impossible, or the unweighted system diverges while diverged = "shrink".
    """
    from fdsl.raster import points

    system, shares = ifs.read_system(COEFFICIENTS, parameters)
    weights = weight_rows(settings.weight) if settings.weighted else np.ones((1, 6))
    flip = (instance // len(weights)) % FLIPS if settings.flips else 0
    state = seeding.kernel_state(seed, FORMULA_ID, category, instance, Stage.RENDER)
    x, y, extent = _orbit(settings, weights[instance % len(weights)], system, shares, state)

    place = _placement(settings, flip)
    cells = np.empty(x.size, np.int32)
    window = settings.image_size_px - 2 * settings.pad_px
    shift = settings.pad_px + (PATCH_SHIFT_PX if settings.draw == "patch" else 0)
    points.fit_to_window(
        x, y, extent, window, shift, place.origin, place.row_step, place.column_step, cells
    )
    canvas = np.zeros(place.side**2, np.uint8)
    if settings.draw == "point":
        points.draw_points(cells, settings.gray_level, canvas)
    else:
        draw = (
            points.draw_patches if settings.patch_mode == "per_point" else points.draw_equal_patches
        )
        draw(cells, place.row_step, place.column_step, state, settings.gray_level, canvas)
    return np.ascontiguousarray(canvas.reshape(place.side, place.side)[place.rows, place.columns])


def weight_rows(weight: float) -> NDArray[np.float64]:
    """Return the factors of the coefficients a … f, (25, 6), in the order of the released files; row 2 is the identity.

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
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Play the chaos game of the weighted system; return x, y and their extent, and leave `state` behind it."""
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
            return x[:count], y[:count], extent
    raise ValueError(ifs.DIVERGES)


def _placement(settings: Settings, flip: int) -> Placement:
    """Place the drawing for one flip: 0 as is, 1 top to bottom, 2 left to right, 3 both. Row 0 of the drawing is at the bottom."""
    reach = PATCH_SHIFT_PX + 2 if settings.draw == "patch" else 0
    margin = max(0, reach + 1 - settings.pad_px)
    side = settings.image_size_px + margin
    whole, ahead, behind = slice(0, side - margin), flip in (1, 3), flip in (0, 1)
    return Placement(
        side=side,
        origin=(0 if ahead else (side - 1) * side) + (0 if behind else side - 1),
        row_step=side if ahead else -side,
        column_step=1 if behind else -1,
        rows=whole if ahead else slice(margin, side),
        columns=whole if behind else slice(margin, side),
    )
