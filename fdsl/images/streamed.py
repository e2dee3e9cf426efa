"""Images of a synthetic dataset, rendered on access; nothing is stored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fdsl import formulas
from fdsl.images.parameters import Parameters, Rows, formula_settings, require_index, sample
from fdsl.images.reduction import reduced
from fdsl.schema.base import FrozenModel
from fdsl.schema.catalogue import SyntheticDataset


class Categories(Protocol):
    """The parameters of all categories, known or searched on access."""

    @property
    def classes(self) -> int: ...

    def of(self, category: int) -> Rows: ...


class SearchedParameters:
    """Parameters that are searched on first access and cached; pickles with its cache."""

    def __init__(self, dataset: SyntheticDataset, *, seed: int) -> None:
        self.dataset = dataset
        self.seed = seed
        self.settings = formula_settings(dataset)
        self._found: dict[int, Rows] = {}

    @property
    def classes(self) -> int:
        """Number of categories."""
        return self.dataset.classes

    def of(self, category: int) -> Rows:
        """Return the rows of one category, searched now if necessary."""
        require_index("category", category, self.classes)
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
        """Search all missing categories; yield each when found, the same for any `workers`."""
        missing = self.missing()
        found = sample(self.dataset, seed=self.seed, workers=workers, categories=missing)
        for category, rows in zip(missing, found, strict=True):
            self._found[category] = rows
            yield category

    def recall(self, known: Parameters) -> None:
        """Add to the cache what an earlier search found."""
        self._found |= {category: known.of(category) for category in range(known.classes)}


@dataclass(frozen=True)
class SomeParameters:
    """The parameters of some of `classes` categories."""

    classes: int
    rows: dict[int, Rows]

    def of(self, category: int) -> Rows:
        """Return the rows of one of the categories that are held."""
        return self.rows[category]


class SyntheticImages(ABC):
    """A synthetic dataset by index: i is instance i % instances of category i // instances."""

    dataset: SyntheticDataset

    def __len__(self) -> int:
        return self.dataset.classes * self.dataset.instances

    @abstractmethod
    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]:
        """Return image `index`, uint8 (H, W) or (H, W, 3), and its category."""

    @property
    def classes(self) -> int:
        """Number of categories."""
        return self.dataset.classes

    @property
    def labels(self) -> NDArray[np.int64]:
        """Category of every image, int64 (n,)."""
        return np.repeat(np.arange(self.dataset.classes), self.dataset.instances)


class DrawnImages(SyntheticImages):
    """Images that are rendered from the parameters of their categories."""

    def __init__(
        self, dataset: SyntheticDataset, parameters: Categories, *, seed: int, settings: FrozenModel
    ) -> None:
        if parameters.classes != dataset.classes:
            raise ValueError(f"{parameters.classes} categories for {dataset.classes} classes")
        self.dataset = dataset
        self.parameters = parameters
        self.seed = seed
        self.settings = settings

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]:
        image, category, _ = self.draw(index)
        return image, category

    def draw(self, index: int) -> tuple[NDArray[np.uint8], int, int]:
        """Return (image, category, instance) of an index."""
        require_index("image", index, len(self))
        category, instance = divmod(int(index), self.dataset.instances)
        return self.image(category=category, instance=instance), category, instance

    def draw_checked(self, index: int) -> tuple[NDArray[np.uint8], int, int, bool]:
        """Return (image, category, instance) of an index and whether its system diverged."""
        return *self.draw(index), False

    @abstractmethod
    def image(self, *, category: int, instance: int) -> NDArray[np.uint8]:
        """Return one image, uint8 (H, W) or (H, W, 3)."""


class StreamedImages(DrawnImages):
    """Images by the dataset's formula; safe to pickle and to share with worker processes."""

    def __init__(self, dataset: SyntheticDataset, parameters: Categories, *, seed: int) -> None:
        settings = formula_settings(dataset)
        super().__init__(dataset, parameters, seed=seed, settings=settings)

    def part(self, indices: Iterable[int]) -> StreamedImages:
        """Return these images with the parameters of `indices` alone, to send to a process."""
        categories = {index // self.dataset.instances for index in indices}
        rows = {category: self.parameters.of(category) for category in categories}
        some = SomeParameters(self.dataset.classes, rows)
        return StreamedImages(self.dataset, some, seed=self.seed)

    def image(self, *, category: int, instance: int) -> NDArray[np.uint8]:
        """Return one image, a pure function of seed, settings and its two indices."""
        return self.image_with(self.settings, seed=self.seed, category=category, instance=instance)

    def image_with(
        self, settings: FrozenModel, *, seed: int, category: int, instance: int
    ) -> NDArray[np.uint8]:
        """Return one image as other settings of the formula, or another seed, draw it."""
        place = {"category": category, "instance": self.dataset.drawn_instance(instance)}
        formula, rows = formulas.get(self.dataset.formula), self.parameters.of(category)
        return reduced(formula.render(settings, rows, seed=seed, **place), self.dataset.reduce)

    def draw_checked(self, index: int) -> tuple[NDArray[np.uint8], int, int, bool]:
        """Return (image, category, instance) of an index and whether its system diverged."""
        formula = formulas.get(self.dataset.formula)
        if not isinstance(formula, formulas.MayDiverge):
            return super().draw_checked(index)
        category, instance = divmod(index, self.dataset.instances)
        place = {"category": category, "instance": self.dataset.drawn_instance(instance)}
        rows = self.parameters.of(category)
        image, diverged = formula.draw(self.settings, rows, seed=self.seed, **place)
        return reduced(image, self.dataset.reduce), category, instance, diverged


def preview(dataset: SyntheticDataset, *, seed: int) -> list[list[NDArray[np.uint8]]]:
    """Return all images of a small dataset, [category][instance], without writing a file."""
    images = StreamedImages(dataset, SearchedParameters(dataset, seed=seed), seed=seed)
    return [
        [images.image(category=category, instance=k) for k in range(dataset.instances)]
        for category in range(dataset.classes)
    ]
