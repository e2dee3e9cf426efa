"""FractalDB as released: one candidate sequence, and one point sequence for all images.

Source: param_search/ifs_search.py and fractal_renderer/ifs_function.py of the released code. Ours:
the patterns of the patches, which the original draws from an unseeded generator, come from the seed
tree; systems that overflow are drawn as far as they are finite.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fdsl.formulas import attractor, fractaldb, ifs
from fdsl.formulas.arrays import Floats
from fdsl.images.parameters import Rows, require_index
from fdsl.images.streamed import DrawnImages
from fdsl.schema.base import FrozenModel, validate
from fdsl.schema.catalogue import SyntheticDataset
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage

Ints = NDArray[np.int64]

SEARCH_SEED = 1
DRAW_SEED = 100
SEARCH_SIZE_PX, SEARCH_PAD_PX = 512, 6
LOST_BEFORE_NAN = 100  # points that the original drops before the first one that is not a number
GRAY_LEVEL = 127
WEIGHT_ROWS = 25  # of fractaldb.weight_rows


class Settings(FrozenModel):
    """Settings of the released programs."""

    image_size_px: int = Field(362, ge=16, le=8192, description="side of the square image")
    pad_px: int = Field(6, ge=4, le=512, description="pixels left free on each side")
    points: int = Field(200_000, ge=2, le=10_000_000, description="of the chaos game")
    draw: Literal["point", "patch"] = Field("patch", description="1 or 3 × 3 pixels")
    weight: float = Field(0.4, gt=0, le=0.5, description="in 1 ± weight, 1 ± 2 weight")
    filling_rate: float = Field(0.2, gt=0, lt=0.38, description="least share of pixels")
    search_points: int = Field(100_000, ge=2, le=10_000_000, description="of the search")


class SequentialSearch:
    """The categories in the order in which the released program finds them, found lazily."""

    def __init__(self, settings: Settings, *, classes: int) -> None:
        self.settings = settings
        self.classes = classes
        self._random = np.random.RandomState(SEARCH_SEED)
        self._found: list[Rows] = []
        self._candidate = 0

    def of(self, category: int) -> Rows:
        """Return the rows of one category, after a search of all categories before it.

        Its `candidate` counts all candidates that were tried.
        """
        require_index("category", category, self.classes)
        while len(self._found) <= category:
            self._candidate += 1
            system, shares = self._draw_candidate()
            uniforms = self._random.random_sample(self.settings.search_points)
            if filling_rate(system, shares, uniforms) >= self.settings.filling_rate:
                found = {"candidate": self._candidate}
                self._found.append(ifs.columns(fractaldb.COEFFICIENTS, system, shares, **found))
        return self._found[category]

    def _draw_candidate(self) -> tuple[Floats, Floats]:
        maps = self._random.randint(2, 8)
        system = np.array([self._random.uniform(-1.0, 1.0, 6) for _ in range(maps)])
        areas = [abs(a * d - b * c) for a, b, c, d in system[:, :4].tolist()]
        total = 0.0
        for area in areas:
            total += area
        return system, np.array([area / total for area in areas])


class OfficialFractalDB(DrawnImages):
    """Images of the released program. Instance k has weight row k % 25, flip (k // 25) % 4 and
    count k // 100.
    """

    SETTINGS = Settings
    settings: Settings

    def __init__(self, dataset: SyntheticDataset, *, seed: int, where: str) -> None:
        settings = validate(Settings, dataset.settings, where=where)
        search = SequentialSearch(settings, classes=dataset.classes)
        super().__init__(dataset, search, seed=seed, settings=settings)

    def image(self, *, category: int, instance: int) -> NDArray[np.uint8]:
        """Return one image, uint8 (image_size_px, image_size_px).

        Raises
        ------
        ValueError
            If an axis of the orbit has no extent or is not finite at all, where the original stops
            or draws what is undefined.
        """
        settings = self.settings
        x, y = self._orbit(category, instance)
        columns, rows = window(x, y, settings.image_size_px, settings.pad_px)
        if not len(rows):
            where = f"category {category}, instance {instance}"
            raise ValueError(f"{where}: no point can be drawn; the original fails here too")
        row, flip, count = split_instance(instance, weights=WEIGHT_ROWS)
        size = settings.image_size_px
        canvas = np.zeros((size, size), np.uint8)
        if settings.draw == "point":
            canvas[rows, columns] = GRAY_LEVEL
        else:
            unflipped = count * WEIGHT_ROWS * fractaldb.FLIPS + row
            self._patches(canvas, rows, columns, category, unflipped)
        canvas = canvas[::-1]  # the original flips every picture before it makes the four flips
        if flip in (1, 3):
            canvas = canvas[::-1]
        return np.ascontiguousarray(canvas[:, ::-1] if flip in (2, 3) else canvas)

    def draw_checked(self, index: int) -> tuple[NDArray[np.uint8], int, int, bool]:
        """Return (image, category, instance) of an index and whether its orbit leaves ±1e6."""
        image, category, instance = self.draw(index)
        x, y = self._orbit(category, instance)
        kept = len(x) == self.settings.points and max(abs(x).max(), abs(y).max()) <= ifs.BOUND
        return image, category, instance, not kept

    def _orbit(self, category: int, instance: int) -> tuple[Floats, Floats]:
        system, shares = ifs.read_system(fractaldb.COEFFICIENTS, self.parameters.of(category))
        row, _, _ = split_instance(instance, weights=WEIGHT_ROWS)
        weights = fractaldb.weight_rows(self.settings.weight)[row]
        return orbit(system * weights, shares, draw_sequence(self.settings.points))

    def _patches(
        self, canvas: NDArray[np.uint8], rows: Ints, columns: Ints, category: int, instance: int
    ) -> None:
        """Paste the patches; as in the original, the four flips share their patterns."""
        from fdsl.raster import patches

        path = (fractaldb.FORMULA_ID, category, instance, Stage.RENDER)
        state = tree.kernel_state(self.seed, *path)
        side = canvas.shape[1]
        shift = attractor.PATCH_SHIFT_PX
        cells = ((rows + shift) * side + columns + shift).astype(np.int32)
        levels = np.array([GRAY_LEVEL], np.uint8)
        patches.draw_patches(cells, side, 1, state, levels, canvas.reshape(-1))


def split_instance(instance: int, *, weights: int) -> tuple[int, int, int]:
    """Return weight row, flip and count of an instance."""
    return instance % weights, (instance // weights) % fractaldb.FLIPS, instance // (4 * weights)


def filling_rate(system: Floats, shares: Floats, uniforms: Floats) -> float:
    """Return the share of the pixels of the search's picture that an orbit reaches."""
    x, y = orbit(system, shares, uniforms)
    columns, rows = window(x, y, SEARCH_SIZE_PX, SEARCH_PAD_PX)
    reached = np.zeros((SEARCH_SIZE_PX, SEARCH_SIZE_PX), bool)
    reached[rows, columns] = True
    return np.count_nonzero(reached) / SEARCH_SIZE_PX**2


def orbit(system: Floats, shares: Floats, uniforms: Floats) -> tuple[Floats, Floats]:
    """Return x and y of the orbit; the original drops NaNs and the 100 points before the first."""
    from fdsl.raster import single_orbit

    x, y = np.empty((2, len(uniforms)))
    single_orbit.follow(np.ascontiguousarray(system), np.cumsum(shares), uniforms, x, y)
    for axis in (0, 1):
        lost = np.isnan((x, y)[axis])
        if lost.any():
            first = int(lost.argmax())
            lost[max(0, first - LOST_BEFORE_NAN) : first] = True
            x, y = x[~lost], y[~lost]
    return x, y


def window(x: Floats, y: Floats, size: int, pad: int) -> tuple[Ints, Ints]:
    """Return columns and rows of the points with finite positions, each axis stretched alone."""
    with np.errstate(all="ignore"):
        columns, rows = (_stretch(values, size, pad) for values in (x, y))
    whole = np.isfinite(columns) & np.isfinite(rows)
    return columns[whole].astype(np.int64), rows[whole].astype(np.int64)


@lru_cache(maxsize=2)
def draw_sequence(points: int) -> Floats:
    """Return the random numbers of every image."""
    return np.asarray(np.random.RandomState(DRAW_SEED).random_sample(points), np.float64)


def _stretch(values: Floats, size: int, pad: int) -> Floats:
    """Unrounded positions in pixels; the operations and their order are the original's."""
    if values.size == 0:
        return values
    if values.min() < 0:
        values = values - values.min()
    extent = values.max() - values.min()
    pixels: Floats = values / extent * float(size - 2 * pad) + float(pad)
    return pixels
