"""What the released programs of RCDB and VisualAtom share: one sequence per thread, in which every
image stands behind all before it.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from fdsl.images.official.python_random import PythonRandom
from fdsl.images.parameters import Rows
from fdsl.images.streamed import DrawnImages
from fdsl.schema.base import ConfigError, FrozenModel
from fdsl.schema.catalogue import SyntheticDataset

Values = dict[str, float]


class ContourSettings(FrozenModel):
    """What both released programs let a user choose; lengths are pixels at any size."""

    RANGES: ClassVar[tuple[str, ...]]  # settings of two ascending numbers

    image_size_px: int = Field(default=512, ge=16, le=8192, description="side of the square image")
    vertices: tuple[int, int]
    noise: tuple[float, float] = Field(default=(0.0, 4.0), description="noise coefficient, pixels")
    step: tuple[float, float] = Field(default=(0.0, 0.1), description="step, pixels")
    radius: tuple[int, int]
    oval: float = Field(default=2.0, ge=1, le=4, description="stretch of x and of y, at most")
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

    cosines: NDArray[np.float64]
    sines: NDArray[np.float64]


@dataclass
class Walk:
    """The place in one thread's sequence: before instance `instance` of `category`, whose values
    are drawn.
    """

    random: PythonRandom
    category: int
    instance: int
    constants: Values
    situation: Values
    angles: Angles


@dataclass
class Thread:
    """One thread's categories, where each of them begins in the sequence as far as it is known, and
    where it was left.
    """

    first: int
    begins: list[dict[str, Any]] = field(default_factory=list)
    walk: Walk | None = None


class SequentialContours(DrawnImages):
    """Images that are drawn in order; going back begins the category again, going on passes over
    what lies between.
    """

    BACKGROUND: int
    POLYGONS: str  # name of the constant that counts them
    settings: ContourSettings

    def __init__(
        self, dataset: SyntheticDataset, settings: ContourSettings, *, threads: int, where: str
    ) -> None:
        if threads < 1 or dataset.classes % threads:
            raise ConfigError(
                f"{where}: threads = {threads} makes {dataset.classes // max(1, threads) * threads}"
                f" of {dataset.classes} classes, as the released program does: use a divisor of the"
                " number of classes"
            )
        drawn = _Drawn(self, dataset.classes)
        super().__init__(dataset, drawn, seed=0, settings=settings)
        self._each = dataset.classes // threads
        self._threads = [
            Thread(t * self._each, [PythonRandom(t + 1).state]) for t in range(threads)
        ]

    @abstractmethod
    def draw_category(self, random: PythonRandom) -> tuple[Values, Values]:
        """Draw the constants of a category and the situation of its instance 0."""

    @abstractmethod
    def draw_situation(self, random: PythonRandom) -> Values:
        """Draw the situation of the next instance."""

    @abstractmethod
    def trace(self, walk: Walk) -> tuple[NDArray[np.float64], NDArray[np.float64], float, float]:
        """Return x and y of the vertices before the first polygon, and the shift that they are
        drawn with.
        """

    @abstractmethod
    def grow(self, walk: Walk, noise: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what is subtracted along the angle, (2, vertices), from Perlin noise (2,
        vertices).
        """

    @abstractmethod
    def draw_gray(self, random: PythonRandom) -> int:
        """Draw the gray level of a polygon."""

    def draw_ovals(self, random: PythonRandom) -> Values:
        """Draw how much x and then y are stretched."""
        return {name: random.uniform(1, self.settings.oval) for name in ("oval_x", "oval_y")}

    def draw_centre(self, random: PythonRandom) -> Values:
        """Draw the centre, y before x."""
        size, reach = self.settings.image_size_px, self.settings.centre_range_px
        return {
            name: (size + random.randint(-reach, reach)) / 2 for name in ("centre_y", "centre_x")
        }

    def image(self, *, category: int, instance: int) -> NDArray[np.uint8]:
        """Return one image, uint8 (image_size_px, image_size_px); far ahead in a thread this takes
        a while.
        """
        if not (0 <= category < self.classes and 0 <= instance < self.dataset.instances):
            raise IndexError(
                f"category {category}, instance {instance} is not one of "
                f"{self.classes} × {self.dataset.instances} images"
            )
        walk = self._seek(category, instance)
        image = self._polygons(walk)
        self._next(walk)
        return image

    def constants(self, category: int) -> Values:
        """Return the constants of a category with the situation of its instance 0, as the released
        CSVs hold them.
        """
        thread = self._threads[category // self._each]
        if category - thread.first >= len(thread.begins):
            self._seek(category, 0)
        walk = self._begin(thread, category)
        return {**walk.constants, **walk.situation}

    def _seek(self, category: int, instance: int) -> Walk:
        """Go to the place before an instance."""
        thread = self._threads[category // self._each]
        walk = thread.walk
        ahead = walk is not None and (walk.category, walk.instance) <= (category, instance)
        known = min(category - thread.first, len(thread.begins) - 1)
        if walk is None or not ahead or walk.category < thread.first + known:
            walk = thread.walk = self._begin(thread, thread.first + known)
        while (walk.category, walk.instance) < (category, instance):
            if walk.instance == self.dataset.instances:
                walk = thread.walk = self._begin(thread, walk.category + 1)
                continue
            self._pass_polygons(walk)
            self._next(walk)
        return walk

    def _begin(self, thread: Thread, category: int) -> Walk:
        random = PythonRandom(0)
        random.state = thread.begins[category - thread.first]
        constants, situation = self.draw_category(random)
        angles = _angles(int(constants["vertices"]))
        return Walk(random, category, 0, constants, situation, angles)

    def _next(self, walk: Walk) -> None:
        """Go behind an instance whose polygons are drawn."""
        walk.situation = self.draw_situation(walk.random)
        walk.instance += 1
        thread = self._threads[walk.category // self._each]
        behind = walk.category - thread.first + 1
        if walk.instance == self.dataset.instances and len(thread.begins) == behind:
            thread.begins.append(walk.random.state)

    def _pass_polygons(self, walk: Walk) -> None:
        numbers = 2 * int(walk.constants["vertices"])
        for _ in range(int(walk.constants[self.POLYGONS])):
            self.draw_gray(walk.random)
            walk.random.random(numbers)

    def _polygons(self, walk: Walk) -> NDArray[np.uint8]:
        from fdsl.raster import lines, noise

        size = self.settings.image_size_px
        canvas = np.full(size**2, self.BACKGROUND, np.uint8)
        vertices = int(walk.constants["vertices"])
        angles = walk.angles
        x, y, shift_x, shift_y = self.trace(walk)
        values = np.empty(2 * vertices, np.float32)
        ends = np.empty((vertices, 4), np.int64)
        for _ in range(int(walk.constants[self.POLYGONS])):
            gray = self.draw_gray(walk.random)
            arguments = (walk.random.random(2 * vertices) * 10_000.0).astype(np.float32)
            noise.fill_perlin(arguments, values)
            steps = self.grow(walk, values.astype(np.float64).reshape(2, vertices))
            x -= angles.cosines * steps[0]
            y -= angles.sines * steps[1]
            ends[:, 0], ends[:, 1] = x + shift_x, y + shift_y
            ends[:, 2:] = np.roll(ends[:, :2], -1, axis=0)
            lines.draw_lines(ends, size, gray, canvas)
        return canvas.reshape(size, size)


class _Drawn:
    """The constants of the categories as parameter rows."""

    def __init__(self, images: SequentialContours, classes: int) -> None:
        self._images = images
        self.classes = classes

    def of(self, category: int) -> Rows:
        """Return the one row of a category."""
        if not 0 <= category < self.classes:
            raise IndexError(f"category {category} is out of range 0 to {self.classes - 1}")
        constants = self._images.constants(category)
        return {name: np.array([value]) for name, value in constants.items()}


def _angles(vertices: int) -> Angles:
    turn = (math.pi * 2) / vertices
    turns = [turn * v for v in range(vertices)]
    return Angles(
        np.array([math.cos(a) for a in turns]),
        np.array([math.sin(a) for a in turns]),
    )
