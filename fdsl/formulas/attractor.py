"""The picture of an attractor in the plane: its points in a window, as pixels or 3 × 3 patches,
gray or coloured, flipped.

Source: section 3.2 of the FractalDB paper and its released code, down to the colours, whose red and
blue stand exchanged there.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from fdsl.formulas import ifs
from fdsl.formulas.arrays import Floats, Pixels, State
from fdsl.schema.base import FrozenModel

COLOURS = 128
FULL_PATTERN = 511
PATCH_SHIFT_PX = 1  # the upper left pixel of a patch, right of and below its point


class Orbit(NamedTuple):
    """Points of a chaos game, float64 (n,) each, and their extent (min x, max x, min y, max y)."""

    x: Floats
    y: Floats
    extent: Floats


class Look(NamedTuple):
    """How points become a picture."""

    image_size_px: int
    pad_px: int
    draw: Literal["point", "patch"]
    pattern: Literal["per_point", "per_image", "full"]
    gray_level: int | None  # None for colours


class Placement(NamedTuple):
    """Where drawing coordinates stand on the flattened canvas, which has a margin where patches
    pass the border of the image.
    """

    side: int
    origin: int
    row_step: int
    column_step: int
    rows: slice
    columns: slice


class WindowSettings(FrozenModel):
    """What FractalDB and 1p-frac share: the windows of an image and of the search, and the points
    of the search.
    """

    pad_px: int = Field(6, ge=0, le=512, description="free border; below 4 it cuts patches off")
    search_size_px: int = Field(512, ge=16, le=4096, description="side of the image of the search")
    search_pad_px: int = Field(6, ge=0, le=512, description="free border in the search")
    search_points: int = Field(100_000, ge=1, le=10_000_000, description="points of the search")

    @model_validator(mode="after")
    def _has_windows(self) -> WindowSettings:
        check_windows(self, ("image_size_px", "pad_px"), ("search_size_px", "search_pad_px"))
        return self


def check_windows(settings: FrozenModel, *sides: tuple[str, str]) -> None:
    """Raise a ValueError if a size leaves less than 2 pixels between its two pads."""
    for size, pad in sides:
        if getattr(settings, size) - 2 * getattr(settings, pad) < 2:
            raise ValueError(
                f"{size} = {getattr(settings, size)} leaves less than 2 pixels between two pads of"
                f" {pad} = {getattr(settings, pad)}"
            )


def bounded_orbit(points: int, system: Floats, shares: Floats, state: State) -> Orbit | None:
    """Play the chaos game and advance `state`; return None for an orbit that leaves ±1e6."""
    from fdsl.raster import chaos_game

    x, y = np.empty((2, points))
    extent = np.empty(4)
    count = chaos_game.chaos_game_2d(system, *ifs.choice(shares), state, ifs.BOUND, x, y, extent)
    return Orbit(x, y, extent) if count == points else None


def paint(orbit: Orbit, look: Look, state: State, *, flip: int = 0) -> Pixels:
    """Draw the points in order; `state` is that of the image's own stream, for the patterns.

    Returns
    -------
    ndarray
        uint8 (image_size_px, image_size_px), gray on black; with colours (image_size_px,
        image_size_px, 3), of which point i has number i % 128.
    """
    from fdsl.raster import patches, points

    place = placement(look, flip)
    cells = np.empty(orbit.x.size, np.int32)
    window = look.image_size_px - 2 * look.pad_px
    shift = look.pad_px + (PATCH_SHIFT_PX if look.draw == "patch" else 0)
    points.fit_to_window(
        *orbit, window, shift, place.origin, place.row_step, place.column_step, cells
    )
    canvas = np.zeros(place.side**2, np.uint8)
    coloured = look.gray_level is None
    levels = np.array(range(1, COLOURS + 1) if coloured else [look.gray_level], np.uint8)
    steps = place.row_step, place.column_step
    if look.draw == "point":
        points.draw_points(cells, levels, canvas)
    elif look.pattern == "per_point":
        patches.draw_patches(cells, *steps, state, levels, canvas)
    else:
        pattern = FULL_PATTERN if look.pattern == "full" else patches.random_pattern(state)
        patches.draw_equal_patches(cells, *steps, pattern, levels, canvas)
    picture = canvas.reshape(place.side, place.side)[place.rows, place.columns]
    return _palette()[picture] if coloured else np.ascontiguousarray(picture)


def placement(look: Look, flip: int) -> Placement:
    """Place the drawing for one flip: 0 as is, 1 top to bottom, 2 left to right, 3 both. Row 0 of
    the drawing is at the bottom.
    """
    reach = PATCH_SHIFT_PX + 2 if look.draw == "patch" else 0
    margin = max(0, reach + 1 - look.pad_px)
    side = look.image_size_px + margin
    whole, ahead, behind = slice(0, side - margin), flip in (1, 3), flip in (0, 1)
    return Placement(
        side=side,
        origin=(0 if ahead else (side - 1) * side) + (0 if behind else side - 1),
        row_step=side if ahead else -side,
        column_step=1 if behind else -1,
        rows=whole if ahead else slice(margin, side),
        columns=whole if behind else slice(margin, side),
    )


@cache
def _palette() -> Pixels:
    """Black, then 128 hues of saturation and value 3/4, as (129, 3)."""
    value = 0.75 * 255
    hues = np.zeros((COLOURS + 1, 3), np.uint8)
    for k in range(COLOURS):
        sixth, rest = divmod(6 * k, COLOURS)
        share = rest / COLOURS
        low, falling, rising = (value * (1 - 0.75 * part) for part in (1, share, 1 - share))
        red_green_blue = [
            (value, rising, low),
            (falling, value, low),
            (low, value, rising),
            (low, falling, value),
            (rising, low, value),
            (value, low, falling),
        ][sixth]
        hues[k + 1] = [int(channel) for channel in reversed(red_green_blue)]
    return hues
