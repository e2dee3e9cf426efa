"""The cost of an image on its way from file or formula to the network."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fdsl.forecast.amount import Origin
from fdsl.forecast.rates import Loading, Rates
from fdsl.schema.recipe import Recipe

EVALUATION = "evaluation"
PLAIN = "plain"
DINO = "views of DINO"
LARGE_VIEWS = 2  # of DINO, beside the small ones
KEPT_BYTES = 256 * 10**6  # `kept_mb` of fdsl.train.Devices
# Sides of images stored in arrays, and of photographs in JPEG files.
ARRAYS_PX = {"cifar10": 32, "cifar100": 32, "fashion_mnist": 28, "digits": 8}
PHOTOGRAPH_PX = 400
GRAY = ("fashion_mnist", "digits")  # loaders


def kind(recipe: Recipe) -> str:
    """Return the kind of a recipe's augmentation, by which its cost is known."""
    if recipe.dino is not None:
        return DINO
    augmentation = recipe.augmentation
    if augmentation.rand_augment is not None:
        return f"{augmentation.crop}, RandAugment"
    return PLAIN if augmentation.crop in {"pad_and_shift", "none"} else augmentation.crop


@dataclass(frozen=True)
class SourceImages:
    """Where the images of a training come from.

    Attributes
    ----------
    source_s
        Seconds of one core to read, decode or draw one.
    origin
        Of `source_s`.
    side_px, channels
        Of an image.
    """

    source_s: float
    origin: Origin
    side_px: int
    channels: int


def seconds(
    rates: Rates, how: str, source: SourceImages, *, image_size_px: int
) -> tuple[float, Origin, str]:
    """Return the time of one core for one decoded image, the origin, and the assumption in words.

    Without a measurement of the same sizes, the nearest is scaled by the area of the result.
    """
    entries = [(entry, origin) for entry, origin in rates.each("loading") if entry.kind == how]
    words = ""
    if not entries:
        entries = rates.each("loading")
        words = f"augmentation of the kind {how!r} was not measured: as the nearest that was"

    def distance(entry: Loading) -> float:
        sides = ((entry.image_size_px, image_size_px), (entry.source_px, source.side_px))
        apart = [abs(math.log(a / b)) for a, b in sides]
        return 4 * apart[0] + apart[1] + (entry.channels != source.channels)

    near, origin = min(entries, key=lambda pair: distance(pair[0]))
    if distance(near) == 0:
        return near.seconds, (Origin.ASSUMED if words else origin), words
    words = words or (
        f"{how} of {source.channels}-channel images from {source.side_px} to {image_size_px}"
        f" px: as from {near.source_px} to {near.image_size_px} px with {near.channels}"
    )
    return near.seconds * (image_size_px / near.image_size_px) ** 2, Origin.ASSUMED, words
