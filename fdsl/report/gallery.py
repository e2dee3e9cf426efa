"""Small pictures of every synthetic dataset, with its parameters as text."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass

import yaml
from PIL import Image

from fdsl.images.parameters import formula_settings, sample, stack
from fdsl.images.streamed import StreamedImages
from fdsl.report.picture import Picture
from fdsl.schema.catalogue import SyntheticDataset

CATEGORIES = 3
SIDE_PX = 112


@dataclass(frozen=True)
class Exhibit:
    """A synthetic dataset with some pictures."""

    name: str
    title: str
    formula: str
    size: str
    settings: str
    source: str
    pictures: tuple[Picture, ...]


def exhibits(entries: Mapping[str, SyntheticDataset], *, seed: int) -> list[Exhibit]:
    """Draw the first categories of each dataset at its own settings, and make them small.

    Parameters
    ----------
    entries
        Datasets by name; of those that draw the same, only the first is shown.
    seed
        Root seed of the datasets.
    """
    shown: dict[str, Exhibit] = {}
    for name, entry in entries.items():
        drawn = f"{entry.formula} {sorted(entry.settings.items())}"
        if drawn not in shown:
            shown[drawn] = _exhibit(name, entry, seed)
    return list(shown.values())


def strips(entries: Mapping[str, SyntheticDataset], *, seed: int) -> dict[str, tuple[Picture, ...]]:
    """Draw the first categories of each dataset at its own settings, small, by the dataset's name."""
    return {name: _pictures(entry, seed) for name, entry in entries.items()}


def _exhibit(name: str, entry: SyntheticDataset, seed: int) -> Exhibit:
    settings = yaml.safe_dump(
        formula_settings(entry).model_dump(mode="json"), sort_keys=False, default_flow_style=None
    )
    size = f"{entry.classes:,} categories × {entry.instances:,} images"
    return Exhibit(
        name,
        entry.title,
        entry.formula,
        size,
        settings.strip(),
        entry.source,
        _pictures(entry, seed),
    )


def _pictures(entry: SyntheticDataset, seed: int) -> tuple[Picture, ...]:
    few = entry.model_copy(update={"classes": CATEGORIES, "instances": 1})
    found = list(sample(few, seed=seed))
    images = StreamedImages(few, stack(found), seed=seed)
    pictures = []
    for category, rows in enumerate(found):
        image = Image.fromarray(images.image(category=category, instance=0))
        image.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
        text = "\n".join(f"{key}: {_few(values.tolist())}" for key, values in rows.items())
        pictures.append(Picture(png_address(image), f"category {category}\n{text}"))
    return tuple(pictures)


def png_address(image: Image.Image) -> str:
    """Return an image as a `data:` address."""
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _few(values: list[float], most: int = 8) -> str:
    """Return numbers as text, the first ones of a long list."""
    shown = ", ".join(f"{value:.4g}" for value in values[:most])
    return f"{shown}, … ({len(values)})" if len(values) > most else shown
