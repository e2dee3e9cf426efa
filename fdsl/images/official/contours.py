"""The shared part of the released RCDB and VisualAtom: one random sequence for all of a thread."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from fdsl.formulas.arrays import Floats
from fdsl.images.official.python_random import PythonRandom
from fdsl.images.parameters import Rows, require_index
from fdsl.images.streamed import DrawnImages
from fdsl.schema.base import ConfigError, FrozenModel, validate
from fdsl.schema.catalogue import SyntheticDataset

Values = dict[str, float]


class ContourSettings(FrozenModel):
    """Settings of both released programs; lengths are pixels at any size."""

    RANGES: ClassVar[tuple[str, ...]]  # settings of two ascending numbers

    image_size_px: int = Field(512, ge=16, le=8192, description="side of the square image")
    vertices: tuple[int, int]
    noise: tuple[float, float] = Field((0.0, 4.0), description="noise coefficient, pixels")
    step: tuple[float, float] = Field((0.0, 0.1), description="step, pixels")
    radius: tuple[int, int]
    oval: float = Field(2.0, ge=1, le=4, description="stretch of x and of y, at most")
    centre_range_px: int

    @model_validator(mode="after")
    def _ascend(self) -> ContourSettings:
        for name in self.RANGES:
            low, high = getattr(self, name)
            if not 0 <= low <= high <= 5000:
                raise ValueError(f"{name} = ({low}, {high}) must be ascending, from 0 to 5000")
        if self.vertices[0] < 1:
            raise ValueError(f"vertices = {self.vertices}: a polygon has at least one")
        return self


class Angles(NamedTuple):
    """Cosines and sines of the vertices, by the C library's functions as in the originals."""

    cosines: Floats
    sines: Floats


@dataclass
class Cursor:
    """A position in one thread's sequence: before `instance` of `category`, its values drawn."""

    random: PythonRandom
    category: int
    instance: int
    constants: Values
    situation: Values
    angles: Angles


@dataclass
class Thread:
    """One thread's sequence: its first category, known starts of categories, current position."""

    first: int
    begins: list[dict[str, Any]] = field(default_factory=list)
    cursor: Cursor | None = None


class SequentialContours(DrawnImages):
    """Images drawn in order; seeking back restarts a category, seeking ahead skips images."""

    SETTINGS: type[ContourSettings]
    BACKGROUND: int
    POLYGONS: str  # name of the constant that counts them
    settings: ContourSettings

    def __init__(self, dataset: SyntheticDataset, *, threads: int, where: str) -> None:
        settings = validate(self.SETTINGS, dataset.settings, where=where)
        if threads < 1 or dataset.classes % threads:
            raise ConfigError(
                f"{where}: threads = {threads} makes {dataset.classes // max(1, threads) * threads}"
                f" of {dataset.classes} classes, as the released program does: use a divisor"
            )
        super().__init__(dataset, _Constants(self, dataset.classes), seed=0, settings=settings)
        self._each = dataset.classes // threads
        starts = [[PythonRandom(t + 1).state] for t in range(threads)]
        self._threads = [Thread(t * self._each, start) for t, start in enumerate(starts)]

    @abstractmethod
    def draw_category(self, random: PythonRandom) -> tuple[Values, Values]:
        """Draw the constants of a category and the situation of its instance 0."""

    @abstractmethod
    def draw_situation(self, random: PythonRandom) -> Values:
        """Draw the situation of the next instance."""

    @abstractmethod
    def trace(self, cursor: Cursor) -> tuple[Floats, Floats, float, float]:
        """Return x and y of the vertices before the first polygon, and their shift in x and y."""

    @abstractmethod
    def grow(self, cursor: Cursor, noise: Floats) -> Floats:
        """Return what Perlin noise (2, vertices) subtracts along the angle, (2, vertices)."""

    @abstractmethod
    def draw_gray(self, random: PythonRandom) -> int:
        """Draw the gray level of a polygon."""

    def draw_ovals(self, random: PythonRandom) -> Values:
        """Draw how much x and then y are stretched."""
        return {name: random.uniform(1, self.settings.oval) for name in ("oval_x", "oval_y")}

    def draw_centre(self, random: PythonRandom) -> Values:
        """Draw the centre, y before x."""
        size, reach = self.settings.image_size_px, self.settings.centre_range_px
        names = ("centre_y", "centre_x")
        return {name: (size + random.randint(-reach, reach)) / 2 for name in names}

    def image(self, *, category: int, instance: int) -> NDArray[np.uint8]:
        """Return one image, uint8 (image_size_px, image_size_px); slow far ahead in a thread."""
        require_index("category", category, self.classes)
        require_index("instance", instance, self.dataset.instances)
        cursor = self._seek(category, instance)
        image = self._polygons(cursor)
        self._next(cursor)
        return image

    def constants(self, category: int) -> Values:
        """Return a category's constants with its instance 0's values, as in the released CSVs."""
        thread = self._threads[category // self._each]
        if category - thread.first >= len(thread.begins):
            self._seek(category, 0)
        cursor = self._begin(thread, category)
        return {**cursor.constants, **cursor.situation}

    def _seek(self, category: int, instance: int) -> Cursor:
        """Move to the position before an instance."""
        thread = self._threads[category // self._each]
        cursor = thread.cursor
        ahead = cursor is not None and (cursor.category, cursor.instance) <= (category, instance)
        known = min(category - thread.first, len(thread.begins) - 1)
        if cursor is None or not ahead or cursor.category < thread.first + known:
            cursor = thread.cursor = self._begin(thread, thread.first + known)
        while (cursor.category, cursor.instance) < (category, instance):
            if cursor.instance == self.dataset.instances:
                cursor = thread.cursor = self._begin(thread, cursor.category + 1)
                continue
            self._pass_polygons(cursor)
            self._next(cursor)
        return cursor

    def _begin(self, thread: Thread, category: int) -> Cursor:
        random = PythonRandom(0)
        random.state = thread.begins[category - thread.first]
        constants, situation = self.draw_category(random)
        angles = _angles(int(constants["vertices"]))
        return Cursor(random, category, 0, constants, situation, angles)

    def _next(self, cursor: Cursor) -> None:
        """Move behind an instance whose polygons are drawn."""
        cursor.situation = self.draw_situation(cursor.random)
        cursor.instance += 1
        thread = self._threads[cursor.category // self._each]
        behind = cursor.category - thread.first + 1
        if cursor.instance == self.dataset.instances and len(thread.begins) == behind:
            thread.begins.append(cursor.random.state)

    def _pass_polygons(self, cursor: Cursor) -> None:
        numbers = 2 * int(cursor.constants["vertices"])
        for _ in range(int(cursor.constants[self.POLYGONS])):
            self.draw_gray(cursor.random)
            cursor.random.random(numbers)

    def _polygons(self, cursor: Cursor) -> NDArray[np.uint8]:
        from fdsl.raster import lines, noise

        size = self.settings.image_size_px
        canvas = np.full(size**2, self.BACKGROUND, np.uint8)
        vertices = int(cursor.constants["vertices"])
        x, y, shift_x, shift_y = self.trace(cursor)
        values = np.empty(2 * vertices, np.float32)
        ends = np.empty((vertices, 4), np.int64)
        for _ in range(int(cursor.constants[self.POLYGONS])):
            gray = self.draw_gray(cursor.random)
            arguments = (cursor.random.random(2 * vertices) * 10_000.0).astype(np.float32)
            noise.fill_perlin(arguments, values)
            steps = self.grow(cursor, values.astype(np.float64).reshape(2, vertices))
            x -= cursor.angles.cosines * steps[0]
            y -= cursor.angles.sines * steps[1]
            ends[:, 0], ends[:, 1] = x + shift_x, y + shift_y
            ends[:, 2:] = np.roll(ends[:, :2], -1, axis=0)
            lines.draw_lines(ends, size, gray, canvas)
        return canvas.reshape(size, size)


class _Constants:
    """The constants of the categories as parameter rows."""

    def __init__(self, images: SequentialContours, classes: int) -> None:
        self._images = images
        self.classes = classes

    def of(self, category: int) -> Rows:
        """Return the one row of a category."""
        require_index("category", category, self.classes)
        constants = self._images.constants(category)
        return {name: np.array([value]) for name, value in constants.items()}


def _angles(vertices: int) -> Angles:
    turn = (math.pi * 2) / vertices
    turns = [turn * v for v in range(vertices)]
    return Angles(np.array(list(map(math.cos, turns))), np.array(list(map(math.sin, turns))))
