"""Small images of every synthetic dataset, with the parameters that drew them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import yaml
from PIL import Image

from fdsl.images.parameters import formula_settings, sample, stack
from fdsl.images.streamed import StreamedImages
from fdsl.report.html import Picture, data_url
from fdsl.schema.catalogue import SyntheticDataset

CATEGORIES = 3
SIDE_PX = 112
MOST_NUMBERS = 8  # of a parameter, as text


@dataclass(frozen=True)
class Exhibit:
    """A synthetic dataset with its first categories as small images."""

    name: str
    entry: SyntheticDataset
    pictures: tuple[Picture, ...]

    @property
    def size(self) -> str:
        """Numbers of categories and images."""
        return f"{self.entry.classes:,} categories × {self.entry.instances:,} images"

    @cached_property
    def settings(self) -> str:
        """All settings of the formula as YAML."""
        values = formula_settings(self.entry).model_dump(mode="json")
        return str(yaml.safe_dump(values, sort_keys=False, default_flow_style=None)).strip()


def exhibits(entries: Mapping[str, SyntheticDataset], *, seed: int) -> list[Exhibit]:
    """Draw the first categories of each dataset at its own settings.

    Parameters
    ----------
    entries
        Datasets by name; of those with equal formula and settings only the first is shown.
    seed
        Root seed of the datasets.
    """
    first: dict[str, str] = {}
    for name, entry in entries.items():
        first.setdefault(f"{entry.formula} {sorted(entry.settings.items())}", name)
    shown = {name: entries[name] for name in first.values()}
    return [Exhibit(name, shown[name], found) for name, found in strips(shown, seed=seed).items()]


def strips(entries: Mapping[str, SyntheticDataset], *, seed: int) -> dict[str, tuple[Picture, ...]]:
    """Return small images of the first categories of each dataset, by the dataset's name."""
    return {name: _pictures(entry, seed) for name, entry in entries.items()}


def _pictures(entry: SyntheticDataset, seed: int) -> tuple[Picture, ...]:
    few = entry.model_copy(update={"classes": CATEGORIES, "instances": 1})
    found = list(sample(few, seed=seed))
    images = StreamedImages(few, stack(found), seed=seed)
    pictures = []
    for category, rows in enumerate(found):
        image = Image.fromarray(images.image(category=category, instance=0))
        image.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
        lines = [f"category {category}"]
        lines += [f"{key}: {_numbers(values.tolist())}" for key, values in rows.items()]
        pictures.append(Picture(data_url(image), "\n".join(lines)))
    return tuple(pictures)


def _numbers(values: list[float]) -> str:
    """Return numbers as text, the first ones of a long list."""
    shown = ", ".join(f"{value:.4g}" for value in values[:MOST_NUMBERS])
    return f"{shown}, … ({len(values)})" if len(values) > MOST_NUMBERS else shown
