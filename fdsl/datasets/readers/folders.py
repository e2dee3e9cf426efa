"""Images in folders: one per class (ImageNet, a user's own), unlabelled, or listed (Places)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from fdsl.datasets.readers.integrity import text_lines
from fdsl.datasets.readers.location import Found, Missing, folder_of, look_in
from fdsl.datasets.readers.sources import FileImages, file_images
from fdsl.io.storage import DamagedFile
from fdsl.schema.base import ConfigError
from fdsl.schema.catalogue import SHIPPED, DownstreamDataset, Part
from fdsl.schema.yaml_files import workflow_folder

PACKAGES = ("numpy", "pillow")
SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
FOLDERS: dict[Part, str] = {"train": "train", "test": "val"}  # unless the entry names others

PLACES_CATEGORIES = "categories_places365.txt"
PLACES_LISTS = {"train": "places365_train_standard.txt", "test": "places365_val.txt"}
PLACES_FOLDERS: dict[Part, str] = {"train": "data_256_standard", "test": "val_256"}


def find_folders(entry: DownstreamDataset, data_root: str | Path) -> Found | Missing:
    """Look for the folders of the parts, and for the class list where the user gives one."""
    folders = [f"{name}/" for name in _folders(entry).values()]
    return look_in(folder_of(entry, data_root), [*_own_list(entry), *folders])


def read_folders(entry: DownstreamDataset, found: Found, split: Part) -> FileImages:
    """List one split; a class's label is the rank of its name, whatever the order of a class list.

    Raises
    ------
    DamagedFile
        If a class has no folder or no image, or the splits have different classes.
    ConfigError
        If the class list is not usable.
    """
    root, part = found.where, _folders(entry)[split]
    chosen = class_list(entry, root) if entry.class_list else _same_folders(entry, root)
    names: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(chosen):
        below = PurePosixPath(part, name)
        images = _images(root / below)
        names += [f"{below}/{image}" for image in images]
        labels += [label] * len(images)
    return file_images(root, names, labels, classes=entry.classes, where=root / part)


def read_unlabelled(entry: DownstreamDataset, found: Found, split: Part) -> FileImages:
    """List every image below the split's folder at any depth, sorted by name; every label is 0.

    Linked images count; linked folders, hidden files and folders and other suffixes do not.

    Raises
    ------
    DamagedFile
        If there is no image.
    """
    folder = found.where / entry.parts[split]
    names: list[str] = []
    for where, inside, files in os.walk(folder):
        inside[:] = [name for name in inside if not name.startswith(".")]
        below = PurePosixPath(Path(where).relative_to(found.where).as_posix())
        names += [str(below / name) for name in files if _is_image(name)]
    if not names:
        raise DamagedFile(f"{folder} holds no image; allowed suffixes: {' '.join(SUFFIXES)}")
    zeros = np.zeros(len(names), np.int64)
    return file_images(found.where, sorted(names), zeros, classes=entry.classes, where=folder)


def find_places(entry: DownstreamDataset, data_root: str | Path) -> Found | Missing:
    """Look for Places365's lists, the two folders of images and the class list."""
    needed = [PLACES_CATEGORIES, *PLACES_LISTS.values(), *_own_list(entry)]
    folders = [f"{name}/" for name in PLACES_FOLDERS.values()]
    return look_in(folder_of(entry, data_root), needed + folders)


def read_places(entry: DownstreamDataset, found: Found, split: Part) -> FileImages:
    """List one split of all or the chosen categories of Places365; labels are ranks of their names.

    Raises
    ------
    DamagedFile
        If a list of Places365 is damaged.
    ConfigError
        If the class list is not usable.
    """
    numbers = dict(_pairs(entry, found.where, PLACES_CATEGORIES))
    chosen = class_list(entry, found.where) if entry.class_list else sorted(numbers)
    if len(chosen) != entry.classes:
        raise DamagedFile(
            f"{found.where / PLACES_CATEGORIES} has {len(chosen)} categories, {entry.title} has"
            f" {entry.classes}"
        )
    if unknown := [name for name in chosen if name not in numbers]:
        raise ConfigError(
            f"{found.where / str(entry.class_list)}: {unknown[0]!r} is not a category of"
            f" {PLACES_CATEGORIES}; copy the names from there, for example /a/airfield"
        )
    label_of = {numbers[name]: label for label, name in enumerate(chosen)}
    names: list[str] = []
    labels: list[int] = []
    for name, number in _pairs(entry, found.where, PLACES_LISTS[split]):
        if number in label_of:
            names.append(f"{PLACES_FOLDERS[split]}/{name.lstrip('/')}")
            labels.append(label_of[number])
    where = found.where / PLACES_LISTS[split]
    return file_images(found.where, names, labels, classes=entry.classes, where=where)


def class_list(entry: DownstreamDataset, folder: Path) -> list[str]:
    """Return the sorted class names of the entry's list: one per line, `#` starts a comment line.

    Raises
    ------
    ConfigError
        If the number of names is not the entry's number of classes, or a name is repeated.
    """
    given = str(entry.class_list)
    if given.startswith(SHIPPED):
        folder, given = workflow_folder() / "catalog", given.removeprefix(SHIPPED)
    path = folder / given
    names = [line for line in text_lines(entry, folder, given) if not line.startswith("#")]
    if len(names) != entry.classes or len(set(names)) != len(names):
        raise ConfigError(
            f"{path}: {len(names)} class names, {len(set(names))} different ones; "
            f"{entry.title} needs {entry.classes} different names, one per line"
        )
    return sorted(names)


def _folders(entry: DownstreamDataset) -> Mapping[Part, str]:
    """Return the folder of each part that the dataset has."""
    return entry.parts or FOLDERS


def _own_list(entry: DownstreamDataset) -> list[str]:
    """Return the class list that the user must give, as a list of one, or nothing."""
    given = entry.class_list
    return [] if given is None or given.startswith(SHIPPED) else [given]


def _pairs(entry: DownstreamDataset, folder: Path, name: str) -> Iterator[tuple[str, int]]:
    """Yield the (name, number) pairs of a list of Places365, which has up to 1.8 million."""
    try:
        for line in text_lines(entry, folder, name):
            first, second = line.split()
            yield first, int(second)
    except ValueError as error:
        raise DamagedFile(
            f"{folder / name} is not a list of names with numbers ({error}); get it again"
        ) from None


def _same_folders(entry: DownstreamDataset, folder: Path) -> list[str]:
    """Return the class folders, which both parts must have where there are two."""
    parts = {part: set(_subfolders(folder / part)) for part in _folders(entry).values()}
    first = next(iter(parts.values()))
    if odd := set[str]().union(*parts.values()) - first.intersection(*parts.values()):
        both = " and ".join(parts)
        raise DamagedFile(f"{folder}: only one of {both} has the class folder {min(odd)!r}")
    if len(first) != entry.classes:
        raise DamagedFile(
            f"{folder / next(iter(parts))} has {len(first)} class folders, {entry.title} has"
            f" {entry.classes}"
        )
    return sorted(first)


def _subfolders(folder: Path) -> list[str]:
    with os.scandir(folder) as items:
        return [item.name for item in items if not item.name.startswith(".") and item.is_dir()]


def _images(folder: Path) -> list[str]:
    """Return the sorted image names of a class folder, links too, no hidden files."""
    try:
        names = sorted(filter(_is_image, os.listdir(folder)))  # noqa: PTH208 - Paths are slow here
    except (FileNotFoundError, NotADirectoryError):
        raise DamagedFile(f"{folder} does not exist; unpack the dataset's archive again") from None
    if not names:
        allowed = " ".join(SUFFIXES)
        raise DamagedFile(f"{folder} has no image directly in it; allowed suffixes: {allowed}")
    return names


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")
