"""`fdsl.load`: any synthetic dataset of the catalogue as a sequence of images drawn on access."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fdsl import formulas
from fdsl.images.parameters import Parameters, content_digest, require_index, stack
from fdsl.images.streamed import DrawnImages, SearchedParameters, StreamedImages
from fdsl.schema.base import ConfigError, choose, validate
from fdsl.schema.catalogue import SyntheticDataset
from fdsl.schema.yaml_files import catalog, workflow_folder
from fdsl.seeding.tree import MAX_SEED

if TYPE_CHECKING:
    import pandas as pd

ENTRY = ("classes", "instances", *sorted(SyntheticDataset.OPTIONAL))  # overrides but settings


class Dataset:
    """A sequence of (image, label); index i is instance i % instances of category i // instances.

    Make one with `fdsl.load`. Safe to pickle and to share with worker processes: an image depends
    on seed, settings, category and instance alone.

    Attributes
    ----------
    classes, instances
        Number of categories, and of images of each.
    formula, seed, settings
        Name of the formula, root seed, and all settings of the formula, checked.
    """

    def __init__(self, name: str, images: DrawnImages, *, origin: dict[str, Any]) -> None:
        entry = images.dataset
        self.name, self.images, self._origin = name, images, origin
        self.classes, self.instances, self.formula = entry.classes, entry.instances, entry.formula
        self.seed, self.settings = images.seed, images.settings

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]:
        number = operator.index(index)
        return self.images[number + len(self) if -len(self) <= number < 0 else number]

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], int]]:
        return (self.images[index] for index in range(len(self)))

    def __repr__(self) -> str:
        return (
            f"<fdsl dataset {self.name}: {self.classes} classes × {self.instances} instances, "
            f"seed {self.seed}>"
        )

    @property
    def labels(self) -> NDArray[np.int64]:
        """Label of every image, int64 (n,); nothing is drawn."""
        return self.images.labels

    @property
    def parameters(self) -> pd.DataFrame:
        """Parameters of all categories, one row per map or category; searches what is missing."""
        import pandas as pd

        found = stack([self.images.parameters.of(category) for category in range(self.classes)])
        category = np.repeat(np.arange(self.classes), np.diff(found.offsets))
        return pd.DataFrame({"category": category, **found.columns})

    @property
    def origin(self) -> dict[str, Any]:
        """Everything that decides the images, as plain data."""
        return {
            "dataset": self.name,
            "formula": self.formula,
            "classes": self.classes,
            "instances": self.instances,
            "seed": self.seed,
            "settings": self.settings.model_dump(mode="json"),
            **self.images.dataset.model_dump(mode="json", include=SyntheticDataset.OPTIONAL),
            **self._origin,
        }

    def image(self, *, category: int, instance: int) -> NDArray[np.uint8]:
        """Return one image, uint8 (H, W), or (H, W, 3) where the settings ask for colour."""
        category, instance = operator.index(category), operator.index(instance)
        require_index("category", category, self.classes)
        require_index("instance", instance, self.instances)
        return self.images.image(category=category, instance=instance)

    def search(self, *, workers: int = 1) -> Iterator[int]:
        """Search the parameters of all categories and yield each category when it is found.

        The result is the same for any number of workers. An official mode, which searches in order,
        and imported parameters use none.
        """
        if isinstance(self.images.parameters, SearchedParameters):
            yield from self.images.parameters.search(workers=workers)
            return
        for category in range(self.classes):
            self.images.parameters.of(category)
            yield category


def load(
    name: str,
    *,
    seed: int = 0,
    official: bool = False,
    threads: int = 1,
    parameters: str | Path | None = None,
    **overrides: Any,
) -> Dataset:
    """Return a dataset of the catalogue; nothing is searched or drawn before an image is accessed.

    Parameters
    ----------
    name
        A name of the catalogue, such as "fractaldb1k"; `fdsl list` shows all.
    seed
        Root seed, 0 … 2**63 - 1.
    official
        Draw as the authors' released program does, from its own sequence of random numbers:
        FractalDB, RCDB and VisualAtom.
    threads
        With `official`: processes that the authors' program is started with; RCDB and VisualAtom
        differ with it.
    parameters
        A folder of the authors' CSV files, or a file of `fdsl import`, instead of a search.
    overrides
        `classes`, `instances`, every setting of the formula (`image_size_px`, `points`, …),
        `reduce` (a mapping of `zoom` and `to_px`: keep the central 1 / zoom, average to that side)
        and `spread_over` (take `instances` evenly from so many).

    Raises
    ------
    ConfigError
        If a name is unknown (with the allowed ones and the nearest) or a value is not possible.
    """
    entries = catalog(workflow_folder(), "synthetic", SyntheticDataset)
    entry = entries[choose("dataset", name, list(entries), where="fdsl.load")]
    if not (hasattr(seed, "__index__") and 0 <= seed <= MAX_SEED):
        raise ConfigError(f"fdsl.load: seed = {seed!r} must be an integer from 0 to {MAX_SEED}")
    seed = operator.index(seed)
    if official and parameters is not None:
        raise ConfigError("fdsl.load: official = True searches by itself: leave parameters out")
    if threads != 1 and not official:
        raise ConfigError(f"fdsl.load: threads = {threads} means nothing without official = True")
    imported = None
    if parameters is not None:
        from fdsl.images.export.imported import read_parameters

        imported = read_parameters(parameters, formula=entry.formula)
        overrides.setdefault("classes", imported.classes)
    changed = _changed(name, entry, overrides, official=official)
    processes = threads if official else None
    return build(name, changed, seed=seed, threads=processes, imported=imported)


def build(
    name: str,
    entry: SyntheticDataset,
    *,
    seed: int,
    threads: int | None,
    imported: Parameters | None = None,
) -> Dataset:
    """Return the dataset of a complete catalogue entry.

    Parameters
    ----------
    threads
        Processes of the authors' program in the official mode; None for our own.
    imported
        `Parameters` instead of a search, or None.

    Raises
    ------
    ConfigError
        If the settings are not possible or `imported` has another number of categories.
    """
    if threads is not None:
        from fdsl.images import official

        images = official.images(entry, threads=threads, seed=seed)
        return Dataset(name, images, origin={"official": {"threads": threads}})
    if imported is not None:
        if imported.classes != entry.classes:
            counts = f"classes = {entry.classes}, but {imported.classes} categories were imported"
            raise ConfigError(f"{name}: {counts}")
        images = StreamedImages(entry, imported, seed=seed)
        return Dataset(name, images, origin={"imported": content_digest(imported)})
    searched = SearchedParameters(entry, seed=seed)
    return Dataset(name, StreamedImages(entry, searched, seed=seed), origin={})


def _changed(
    name: str, entry: SyntheticDataset, overrides: dict[str, Any], *, official: bool
) -> SyntheticDataset:
    """Return a catalogue entry with the user's changes, checked."""
    if official:
        from fdsl.images.official import settings_names

        known = settings_names(entry.formula)
    else:
        known = list(formulas.get(entry.formula).Settings.model_fields)
    for key in overrides:
        choose("override", key, [*ENTRY, *known], where=f"fdsl.load({name!r})")
    own = {key: value for key, value in overrides.items() if key in ENTRY}
    settings = {key: value for key, value in overrides.items() if key not in ENTRY}
    values = entry.model_dump() | own | {"settings": {**entry.settings, **settings}}
    return validate(SyntheticDataset, values, where=f"fdsl.load({name!r})")
