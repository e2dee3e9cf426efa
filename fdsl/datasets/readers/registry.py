"""The readers by the catalogue's loader names: one function finds the files, one reads a split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fdsl.datasets.readers import (
    cifar,
    coco_json,
    digits,
    fashion_mnist,
    folders,
    matlab,
    tables,
    voc,
    voc_multilabel,
)
from fdsl.datasets.readers.coco import CocoImages
from fdsl.datasets.readers.location import Found, Missing
from fdsl.datasets.readers.sources import LabelledImages
from fdsl.schema.catalogue import DownstreamDataset, Part


@dataclass(frozen=True)
class Reader:
    """How one kind of dataset is found and read; versions of `packages` can change its pixels."""

    find: Callable[[DownstreamDataset, str | Path], Found | Missing]
    read: Callable[[DownstreamDataset, Found, Part], LabelledImages | CocoImages]
    packages: tuple[str, ...]


READERS = {
    "cifar10": Reader(cifar.find, cifar.read, cifar.PACKAGES),
    "cifar100": Reader(cifar.find, cifar.read, cifar.PACKAGES),
    "stanford_cars": Reader(matlab.find_cars, matlab.read_cars, matlab.PACKAGES),
    "flowers102": Reader(matlab.find_flowers, matlab.read_flowers, matlab.PACKAGES),
    "voc2012": Reader(voc.find, voc.read, voc.PACKAGES),
    "voc2012_multilabel": Reader(voc_multilabel.find, voc_multilabel.read, voc_multilabel.PACKAGES),
    "places": Reader(folders.find_places, folders.read_places, folders.PACKAGES),
    "image_folder": Reader(folders.find_folders, folders.read_folders, folders.PACKAGES),
    "unlabelled_folder": Reader(folders.find_folders, folders.read_unlabelled, folders.PACKAGES),
    "arrow": Reader(tables.find, tables.read, tables.PACKAGES),
    "parquet": Reader(tables.find, tables.read, tables.PACKAGES),
    "coco": Reader(coco_json.find, coco_json.read, coco_json.PACKAGES),
    "fashion_mnist": Reader(fashion_mnist.find, fashion_mnist.read, fashion_mnist.PACKAGES),
    "digits": Reader(digits.find, digits.read, digits.PACKAGES),
}
