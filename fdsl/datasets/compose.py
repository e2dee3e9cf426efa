"""Compose a small dataset in COCO's format from real images: overlapping objects, exact masks.

A canvas is a function of (seed, part, number) and of the source images, whatever else is drawn.
No image is on both training and test canvases. Ours: a stand-in where COCO cannot be had; accuracy
on it is a sanity check.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fdsl.datasets.readers.sources import ImageSource
from fdsl.io import storage
from fdsl.raster.resample import resize
from fdsl.schema.catalogue import BOTH, Composition, Part
from fdsl.seeding.tree import Stage, generator

log = logging.getLogger(__name__)

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

TRIES = 20  # positions of one object before it is left out
NOISE = 8  # largest deviation of a background pixel, in gray levels
PART_NUMBER: dict[Part, int] = {"train": 0, "test": 1}  # branches of the seed tree; permanent


@dataclass(frozen=True, eq=False)
class Category:
    """One class of a source, with the images of each part, uint8 (H, W) or (H, W, 3)."""

    name: str
    source: str
    images: Mapping[Part, Sequence[Pixels]]


@dataclass(frozen=True, eq=False)
class Canvas:
    """An image uint8 (H, W) with its objects: categories (0 to n - 1) and visible masks (H, W)."""

    image: Pixels
    categories: list[int]
    masks: list[Mask]


def categories(
    composition: Composition, sources: Mapping[str, Sequence[ImageSource]]
) -> list[Category]:
    """Divide the images of the sources between training and test canvases.

    Parameters
    ----------
    composition
        What to make.
    sources
        Name -> the splits that `composition.sources` lists.

    Returns
    -------
    list of Category
        Each class of each source, in the order of `composition.sources` and of labels.

    Raises
    ------
    ValueError
        If a class has too few images to give each part one.
    """
    found: list[Category] = []
    for number, name in enumerate(composition.sources):
        splits = sources[name]
        positions = [(split, index) for split in splits for index in range(len(split))]
        labels = np.concatenate([split.labels for split in splits])
        for label in range(splits[0].classes):
            mine = np.flatnonzero(labels == label)
            order = generator(composition.seed, number, label, Stage.SPLIT).permutation(mine)
            cut = round(composition.train_share * len(mine))
            if not 0 < cut < len(mine):
                raise ValueError(
                    f"class {label} of {name} has {len(mine)} pictures, of which train_share ="
                    f" {composition.train_share} leaves none for one part"
                )
            drawn = [split[index][0] for split, index in (positions[k] for k in order)]
            shares: dict[Part, list[Pixels]] = {"train": drawn[:cut], "test": drawn[cut:]}
            found.append(Category(f"{name} {label}", name, shares))
    return found


def draw(composition: Composition, known: Sequence[Category], *, part: Part, number: int) -> Canvas:
    """Compose one canvas.

    The background is a gray gradient with noise. Objects of random category, image, size and
    position are pasted one after the other and hide what is under them. A position where an earlier
    object would keep less than `min_visible` of its area is drawn again; after `TRIES` of them the
    object is left out, so that a canvas may hold fewer objects than drawn, but never none.
    """
    rng = generator(composition.seed, PART_NUMBER[part], number, Stage.COMPOSE)
    low, high = composition.size_px
    height, width = (int(side) for side in rng.integers(low, high + 1, 2))
    image = _background(rng, height, width, composition.background_level)
    wanted = int(rng.integers(composition.objects[0], composition.objects[1] + 1))
    chosen: list[int] = []
    visible: list[Mask] = []
    whole: list[int] = []
    for _ in range(wanted):
        category = int(rng.integers(len(known)))
        images = known[category].images[part]
        source = images[int(rng.integers(len(images)))]
        side = int(rng.integers(composition.object_px[0], composition.object_px[1] + 1))
        pixels = _gray_square(source, side)
        ink = pixels >= composition.foreground_level
        if not ink.any():
            continue
        for _ in range(TRIES):
            top, left = (int(rng.integers(free - side + 1)) for free in (height, width))
            mask = np.zeros((height, width), np.bool_)
            mask[top : top + side, left : left + side] = ink
            uncovered = [earlier & ~mask for earlier in visible]
            kept = np.array([rest.sum() for rest in uncovered])
            if (kept >= composition.min_visible * np.array(whole)).all():
                visible = [*uncovered, mask]
                whole.append(int(ink.sum()))
                chosen.append(category)
                image[mask] = pixels[ink]
                break
    return Canvas(image, chosen, visible)


def write(
    folder: str | Path,
    composition: Composition,
    known: Sequence[Category],
    *,
    names: Mapping[Part, str],
) -> None:
    """Write each part in COCO's layout: `NAME/*.png` and `annotations/instances_NAME.json`.

    File names hold a digest of the pixels, so that the annotations' digest covers the pixels too.

    Parameters
    ----------
    folder
        Replaced atomically, with checksums that `fdsl.datasets.downstream.load` verifies.
    composition, known
        What to make, of what.
    names
        Of the parts, as in the catalogue entry.

    Raises
    ------
    ValueError
        If a category is on no canvas of a part: more canvases are needed.
    """
    with storage.atomic_folder(folder) as temporary:
        for part in BOTH:
            name = names[part]
            (temporary / name).mkdir(parents=True, exist_ok=True)
            count = composition.train_images if part == "train" else composition.test_images
            images: list[dict[str, Any]] = []
            objects: list[dict[str, Any]] = []
            for number in range(count):
                canvas = draw(composition, known, part=part, number=number)
                images.append(_store(temporary / name, canvas.image, number=number))
                for category, mask in zip(canvas.categories, canvas.masks, strict=True):
                    annotation = {"id": len(objects) + 1, "image_id": number + 1}
                    objects.append(annotation | {"category_id": category + 1} | described(mask))
            if absent := set(range(1, len(known) + 1)) - {each["category_id"] for each in objects}:
                raise ValueError(
                    f"{count} {part} canvases show no {known[min(absent) - 1].name}: compose more"
                    " of them"
                )
            content = {
                "images": images,
                "annotations": objects,
                "categories": [
                    {"id": k, "name": each.name, "supercategory": each.source}
                    for k, each in enumerate(known, start=1)
                ],
            }
            path = temporary / "annotations" / f"instances_{name}.json"
            storage.write_text(path, json.dumps(content, separators=(",", ":")) + "\n")
            log.info("%s: %d images with %d objects", name, count, len(objects))


def described(mask: Mask) -> dict[str, Any]:
    """Return an object's bbox [left, top, width, height], area and uncompressed run lengths."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    left, top = int(columns[0]), int(rows[0])
    box = [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top]
    flat = mask.reshape(-1, order="F")
    borders = np.flatnonzero(np.diff(flat, prepend=False, append=not flat[-1]))
    runs = np.diff(borders, prepend=0).tolist()
    segmentation = {"size": list(mask.shape), "counts": runs}
    return {"bbox": box, "area": int(mask.sum()), "iscrowd": 0, "segmentation": segmentation}


def _background(rng: np.random.Generator, height: int, width: int, level: int) -> Pixels:
    """Return a gray gradient with noise, uint8 (height, width)."""
    corner, down, across = rng.integers(0, level + 1, 3)
    rows, columns = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None]
    slope = corner + (down - corner) / 2 * rows + (across - corner) / 2 * columns
    noise = rng.integers(-NOISE, NOISE + 1, (height, width))
    pixels: Pixels = np.clip(np.rint(slope) + noise, 0, 255).astype(np.uint8)
    return pixels


def _gray_square(image: Pixels, side: int) -> Pixels:
    """Resize to uint8 (side, side), bilinear; colour becomes the mean of its channels."""
    gray = image if image.ndim == 2 else image.mean(2).round().astype(np.uint8)
    square: Pixels = resize(gray[:, :, None], side, side, cubic=False)[0]
    return square


def _store(folder: Path, image: Pixels, *, number: int) -> dict[str, Any]:
    """Write a canvas as PNG and return its entry."""
    digest = hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()
    name = f"{number + 1:06d}-{digest[:12]}.png"
    Image.fromarray(image).save(folder / name)
    height, width = image.shape
    return {"id": number + 1, "file_name": name, "height": height, "width": width}
