"""The images of a synthetic dataset, each drawn when it is asked for; nothing is stored, and
nothing that reads files is loaded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fdsl import formulas
from fdsl.images import parameters as parameter_file
from fdsl.images.parameters import Parameters, Rows
from fdsl.schema.base import FrozenModel
from fdsl.schema.catalogue import SyntheticDataset


class Categories(Protocol):
    """The parameters of the categories, known or found when asked for."""

    @property
    def classes(self) -> int:
        """How many there are."""

    def of(self, category: int) -> Rows:
        """Return the rows of one category."""


class SearchedParameters:
    """Parameters that are searched when they are first asked for, and kept. Safe to pickle; what
    was found travels along.
    """

    def __init__(self, dataset: SyntheticDataset, *, seed: int) -> None:
        self.dataset = dataset
        self.seed = seed
        self.settings = parameter_file.formula_settings(dataset)
        self._found: dict[int, Rows] = {}

    @property
    def classes(self) -> int:
        return self.dataset.classes

    def of(self, category: int) -> Rows:
        """Return the rows of one category, searched now if necessary."""
        if not 0 <= category < self.classes:
            raise IndexError(f"category {category} is out of range 0 to {self.classes - 1}")
        if category not in self._found:
            formula = formulas.get(self.dataset.formula)
            self._found[category] = formula.sample_category(
                self.settings, seed=self.seed, category=category
            )
        return self._found[category]

    def missing(self) -> list[int]:
        """Return the categories that have not been searched."""
        return [category for category in range(self.classes) if category not in self._found]

    def search(self, *, workers: int = 1) -> Iterator[int]:
        """Search all missing categories and yield each when it is found; the same for any number of
        workers.
        """
        missing = self.missing()
        found = parameter_file.sample(
            self.dataset, seed=self.seed, workers=workers, categories=missing
        )
        for category, rows in zip(missing, found, strict=True):
            self._found[category] = rows
            yield category

    def recall(self, known: Parameters) -> None:
        """Take over what an earlier search found."""
        self._found |= {category: known.of(category) for category in range(known.classes)}


@dataclass(frozen=True)
class SomeParameters:
    """The parameters of some of `classes` categories."""

    classes: int
    rows: dict[int, Rows]

    def of(self, category: int) -> Rows:
        """Return the rows of one of the categories that are held."""
        return self.rows[category]


class DrawnImages(ABC):
    """Images by index: index i is instance i % instances of category i // instances."""

    def __init__(
        self, dataset: SyntheticDataset, parameters: Categories, *, seed: int, settings: FrozenModel
    ) -> None:
        if parameters.classes != dataset.classes:
            raise ValueError(
                f"{parameters.classes} categories of parameters for {dataset.classes} classes"
            )
        self.dataset = dataset
        self.parameters = parameters
        self.seed = seed
        self.settings = settings

    def __len__(self) -> int:
        return self.dataset.classes * self.dataset.instances

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]:
        image, category, _ = self.draw(index)
        return image, category

    @property
    def classes(self) -> int:
        return self.dataset.classes

    @property
    def labels(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(self.dataset.classes), self.dataset.instances)

    def draw(self, index: int) -> tuple[NDArray[np.uint8], int, int]:
        """Return (image, category, instance) of an index."""
        if not 0 <= index < len(self):
            raise IndexError(f"image {index} is out of range 0 to {len(self) - 1}")
        category, instance = divmod(int(index), self.dataset.instances)
        return self.image(category=category, instance=instance), category, instance

    def draw_and_tell(self, index: int) -> tuple[NDArray[np.uint8], int, int, bool]:
        """Return (image, category, instance) of an index, and whether its system diverged."""
        return *self.draw(index), False

    @abstractmethod
    def image(self, *, category: int, instance: int) -> NDArray[np.uint8]:
        """Return one image, uint8 (H, W) or (H, W, 3)."""


class StreamedImages(DrawnImages):
    """Images by the dataset's formula. Safe to pickle and to share with forked or spawned workers."""

    def __init__(self, dataset: SyntheticDataset, parameters: Categories, *, seed: int) -> None:
        settings = parameter_file.formula_settings(dataset)
        super().__init__(dataset, parameters, seed=seed, settings=settings)

    def part(self, indices: Iterable[int]) -> StreamedImages:
        """Return the same images with the parameters of these indices alone: what another process
        needs to draw them.
        """
        categories = {index // self.dataset.instances for index in indices}
        rows = {category: self.parameters.of(category) for category in categories}
        return StreamedImages(
            self.dataset, SomeParameters(self.dataset.classes, rows), seed=self.seed
        )

    def image(self, *, category: int, instance: int) -> NDArray[np.uint8]:
        """Return one image, a pure function of seed, settings and its two indices."""
        formula = formulas.get(self.dataset.formula)
        return formula.render(
            self.settings,
            self.parameters.of(category),
            seed=self.seed,
            category=category,
            instance=instance,
        )

    def draw_and_tell(self, index: int) -> tuple[NDArray[np.uint8], int, int, bool]:
        """Return (image, category, instance) of an index, and whether a weight made its system
        diverge.
        """
        formula = formulas.get(self.dataset.formula)
        if not isinstance(formula, formulas.MayDiverge):
            return *self.draw(index), False
        category, instance = divmod(index, self.dataset.instances)
        image, diverged = formula.draw(
            self.settings,
            self.parameters.of(category),
            seed=self.seed,
            category=category,
            instance=instance,
        )
        return image, category, instance, diverged
