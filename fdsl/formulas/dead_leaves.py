"""Dead leaves: shapes of random place, size and colour that cover one another until they cover the
image.

Source: Baradad et al., "Learning to see by looking at noise" (NeurIPS 2021) and its released code:
the law of an image. There images have no labels. Ours: a category is a cell of the grid shape x
sigma x range of the radius, within which images differ by their streams; the image ends when no
pixel is bare (there: when no pixel is black), and starts again when one leaf covers all others.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Annotated, Literal, Unpack, get_args

import numpy as np
from pydantic import Field, model_validator

from fdsl.formulas import constants
from fdsl.formulas.arrays import Floats, Parameters, Pixels, Place
from fdsl.schema.base import FrozenModel
from fdsl.seeding import tree

FORMULA_ID = 7
TITLE = "Dead leaves"
LIMITS = {"shape": (0, 6), "sigma": (0.5, 8.0), "smallest": (0.001, 1.0), "largest": (0.001, 1.0)}
PARAMETERS = constants.parameter_types(LIMITS)
MAX_TRIES = 100
RADII = 200  # steps of the radius from the smallest to the largest

Shape = Literal[
    "circle", "square", "oriented_square", "rectangle", "triangle", "quadrilateral", "mixed"
]
SHAPES = get_args(Shape)
Sigma = Annotated[float, Field(ge=0.5, le=8, multiple_of=0.5)]


class Settings(FrozenModel):
    """Categories and drawing. The published law is sigma 3 and radii of 0.03 to 1; the other cells
    stand around it.
    """

    image_size_px: int = Field(256, ge=4, le=8192, description="side of the square image")
    colour: Literal["rgb", "gray"] = Field(
        "rgb", description="random colours as published, which gives RGB images; or gray levels"
    )
    shapes: tuple[Shape, ...] = Field(
        ("circle", "square", "oriented_square", "mixed"),
        min_length=1,
        description="of the leaves; mixed takes one of the six others for each leaf",
    )
    sigmas: tuple[Sigma, ...] = Field(
        (2.0, 2.5, 3.0, 3.5, 4.0),
        min_length=1,
        description="a radius r has weight r^-sigma less that of the largest; multiples of 0.5",
    )
    radii: tuple[tuple[float, float], ...] = Field(
        ((0.03, 1.0), (0.045, 1.0), (0.06, 1.0), (0.09, 1.0), (0.12, 1.0)),
        min_length=1,
        description="smallest and largest radius, as shares of the image's side",
    )
    most_leaves: int = Field(5000, ge=1, le=1_000_000, description="the rest stays black")

    @model_validator(mode="after")
    def _ranges(self) -> Settings:
        for smallest, largest in self.radii:
            if not LIMITS["smallest"][0] <= smallest < largest <= LIMITS["largest"][1]:
                raise ValueError(
                    f"radii ({smallest}, {largest}) must be two ascending numbers from"
                    f" {LIMITS['smallest'][0]} to {LIMITS['largest'][1]}"
                )
        for name in ("shapes", "sigmas", "radii"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name} = {values} repeats one: two categories would be equal")
        return self


def sample_category(settings: Settings, *, seed: int, category: int) -> Parameters:
    """Return one cell of the grid, whatever the seed; the radii change first, the shape last.

    Raises
    ------
    ValueError
        If the grid has fewer cells.
    """
    del seed
    cells = list(product(settings.shapes, settings.sigmas, settings.radii))
    if category >= len(cells):
        raise ValueError(
            f"category {category} is outside of the grid of {len(cells)} cells: use at most"
            f" {len(cells)} classes, or more shapes, sigmas or radii"
        )
    shape, sigma, radii = cells[category]
    return constants.row(PARAMETERS, SHAPES.index(shape), sigma, *radii)


def render(settings: Settings, parameters: Parameters, **place: Unpack[Place]) -> Pixels:
    """Draw one instance; all leaves come from its own stream.

    Returns
    -------
    ndarray
        uint8 (image_size_px, image_size_px, 3), or (image_size_px, image_size_px) with gray levels.

    Raises
    ------
    ValueError
        If the parameters are impossible, or 100 images in a row have one colour only.
    """
    from fdsl.raster import leaves

    cell = constants.read(parameters, LIMITS)
    shares, thresholds = radius_law(cell["sigma"], cell["smallest"], cell["largest"])
    size = settings.image_size_px
    radii = np.maximum(1, (shares * size).astype(np.int64))
    state = tree.render_state(FORMULA_ID, **place)
    channels = 3 if settings.colour == "rgb" else 1
    for _ in range(MAX_TRIES):
        canvas = np.zeros((size, size, channels), np.uint8)
        covered = np.zeros((size, size), np.uint8)
        leaves.drop_leaves(
            cell["shape"], radii, thresholds, settings.most_leaves, state, covered, canvas
        )
        first = canvas[0, 0]
        if (canvas[0] != first).any() or (canvas != first).any():
            return canvas if channels == 3 else canvas.reshape(size, size)
    raise ValueError(
        f"{MAX_TRIES} images of category {place['category']} have one colour only: lower the radii"
        " or raise most_leaves"
    )


@lru_cache(maxsize=256)
def radius_law(sigma: float, smallest: float, largest: float) -> tuple[Floats, Floats]:
    """Return 200 radii, as shares of the image, and the 199 numbers that part [0, 1) into theirs.

    A uniform number chooses the radius whose cumulative weight is nearest, as in the released code.
    From square roots and products alone, so that the bits do not depend on a platform's power
    function.

    Raises
    ------
    ValueError
        If sigma is not a multiple of 0.5 or the radii do not ascend.
    """
    halves = round(2 * sigma)
    if halves != 2 * sigma or not smallest < largest:
        raise ValueError(
            f"sigma = {sigma} must be a multiple of 0.5 and smallest = {smallest} below largest ="
            f" {largest}"
        )
    shares = smallest + (largest - smallest) * (np.arange(RADII) / (RADII - 1))
    powers = np.multiply.reduce(np.broadcast_to(np.sqrt(shares), (halves, RADII)), axis=0)
    weights = np.cumsum(1 / powers - 1 / powers[-1])
    cumulative = weights / weights[-1]
    return shares, (cumulative[:-1] + cumulative[1:]) / 2
