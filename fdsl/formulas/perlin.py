"""Perlin noise: a category is how many lattice cells lie across and how many down the image.

Source: the baseline Perlin-100 and Perlin-1296 of the FractalDB papers, after Inoue et al.,
"Initialization using Perlin noise for training networks with a limited amount of data" (ICPR 2020).
No code was released; of the definition only that 100 and 1296 are grids of two frequencies is
known, and all else is ours: K. Perlin's gradient noise with random unit gradients, stretched to
black and white.
"""

from __future__ import annotations

from typing import Unpack

import numpy as np
from pydantic import Field, model_validator

from fdsl.formulas import constants
from fdsl.formulas.arrays import Parameters, Pixels, Place
from fdsl.schema.base import FrozenModel
from fdsl.seeding import tree

FORMULA_ID = 6
TITLE = "Perlin noise"
LIMITS = {"cells_x": (1, 1024), "cells_y": (1, 1024)}
PARAMETERS = constants.parameter_types(LIMITS)


class Settings(FrozenModel):
    """Categories and drawing. Image size and instances are FractalDB-1k's, so that one can stand
    for the other.
    """

    image_size_px: int = Field(362, ge=4, le=8192, description="side of the square image")
    frequencies: int = Field(10, ge=2, le=64, description="1 to this many cells on each axis")
    octaves: int = Field(1, ge=1, le=8, description="layers of noise, each of twice the cells")
    persistence: float = Field(0.5, gt=0, le=1, description="strength of a layer against the last")

    @model_validator(mode="after")
    def _can_be_seen(self) -> Settings:
        _check_lattice(self, self.frequencies)
        return self


def sample_category(settings: Settings, *, seed: int, category: int) -> Parameters:
    """Return the cells of one category: category % frequencies + 1 across, category // frequencies
    + 1 down, whatever the seed.

    Raises
    ------
    ValueError
        If the grid has fewer categories.
    """
    del seed
    across, down = constants.square_cell(category, side=settings.frequencies, setting="frequencies")
    return constants.row(PARAMETERS, across + 1, down + 1)


def render(settings: Settings, parameters: Parameters, **place: Unpack[Place]) -> Pixels:
    """Draw one instance; its gradients come from its own stream, layer by layer, row by row.

    Returns
    -------
    ndarray
        uint8 (image_size_px, image_size_px), from 0 to 255.

    Raises
    ------
    ValueError
        If the parameters are impossible, or the lattice is finer than half a pixel.
    """
    from fdsl.raster import gradient_noise, xoshiro

    cells = constants.read(parameters, LIMITS)
    _check_lattice(settings, max(cells.values()))
    state = tree.render_state(FORMULA_ID, **place)
    values = np.zeros((settings.image_size_px, settings.image_size_px))
    amplitude = 1.0
    for octave in range(settings.octaves):
        turns = np.empty(((cells["cells_y"] << octave) + 1, (cells["cells_x"] << octave) + 1))
        xoshiro.fill_uniform(state, turns.reshape(-1))
        gradient_noise.add_layer(values, turns, amplitude=amplitude)
        amplitude *= settings.persistence
    values -= values.min()
    values *= 255 / values.max()
    return np.rint(values, out=values).astype(np.uint8)


def _check_lattice(settings: Settings, cells: int) -> None:
    """Refuse cells of half a pixel: all pixels could lie on corners, where the noise is 0."""
    finest = cells << (settings.octaves - 1)
    if finest >= 2 * settings.image_size_px:
        raise ValueError(
            f"{finest} lattice cells on {settings.image_size_px} px must be fewer than"
            f" {2 * settings.image_size_px}: lower frequencies or octaves, or raise image_size_px"
        )
