"""Trace an image of a rendered folder or of a dataset to category, instance and parameters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from fdsl.images.dataset import Dataset, build
from fdsl.images.export import layouts, manifest as manifest_file
from fdsl.images.parameters import read_table, require_index
from fdsl.io.checksums import digest
from fdsl.io.storage import DamagedFile
from fdsl.schema.catalogue import SyntheticDataset

KEY_IN_TAR = re.compile(r"(\d{6,})_(\d{6,})(?:\.(?:png|cls|json))?")


def folder_of(path: Path) -> Path:
    """Return the rendered folder that a file or folder lies in.

    Raises
    ------
    DamagedFile
        If no folder above it holds spec.json.
    """
    for folder in [path, *path.absolute().parents]:
        if (folder / manifest_file.SPEC).is_file():
            return folder
    raise DamagedFile(
        f"{path} does not lie in a folder of fdsl render: there is no {manifest_file.SPEC} above it"
    )


def dataset_of(folder: Path) -> Dataset:
    """Return the dataset that a folder was rendered from, with the parameters that lie there."""
    origin = manifest_file.read_spec(folder)["origin"]
    name, seed = origin["dataset"], origin["seed"]
    keys = {"formula", "classes", "instances", "settings", *SyntheticDataset.OPTIONAL}
    entry = SyntheticDataset(title=name, **{key: origin[key] for key in keys & origin.keys()})
    known, about = read_table(folder / manifest_file.PARAMETERS)
    if about.get("origin") != origin:
        raise DamagedFile(f"{folder / manifest_file.PARAMETERS} is of another dataset")
    if "official" not in origin:
        return build(name, entry, seed=seed, threads=None, imported=known)
    dataset = build(name, entry, seed=seed, threads=origin["official"]["threads"])
    dataset.images.parameters = known
    return dataset


def of_index(dataset: Dataset, index: int) -> dict[str, Any]:
    """Return category, instance, parameters and settings of image `index`, as plain data."""
    require_index("image", index, len(dataset))
    category, instance = divmod(index, dataset.instances)
    rows = dataset.images.parameters.of(category)
    return {
        **{key: dataset.origin[key] for key in ("dataset", "formula", "seed")},
        "index": index,
        "category": category,
        "instance": instance,
        "parameters": {name: np.asarray(values).tolist() for name, values in rows.items()},
        "settings": dataset.origin["settings"],
    }


def index_of_file(path: Path, *, member: str | None) -> tuple[Path, int]:
    """Return the rendered folder and the index of an image file, or of one member of a tar or one
    row of a table.

    Raises
    ------
    DamagedFile
        If the file is not one of the folder's, is not what was written, or the member is not one of
        the file's.
    """
    folder = folder_of(path)
    spec = manifest_file.read_spec(folder)
    origin = spec["origin"]
    inside = path.absolute().relative_to(folder.absolute()).as_posix()
    if spec["files"] == "png":
        layout = layouts.get(spec["layout"], settings=origin["settings"])
        place = layout.find(inside)
    else:
        place = _place_in_archive(path, member, spec, _part_of(inside, path))
    if place is None or not (
        0 <= place[0] < origin["classes"] and 0 <= place[1] < origin["instances"]
    ):
        raise DamagedFile(f"{path} is not an image of {origin['dataset']} as {folder} holds it")
    index = place[0] * origin["instances"] + place[1]
    _check_content(path, folder, index, spec["images_per_file"])
    return folder, index


def _check_content(path: Path, folder: Path, index: int, images_per_file: int) -> None:
    """Compare a file with its recorded digest; an unfinished part has none."""
    part = index // images_per_file
    if not (folder / manifest_file.provenance_name(part)).exists():
        return
    rows, about = manifest_file.read_provenance(folder, part)
    wanted = about["sha256"] or rows[index - part * images_per_file].png.hex()
    if digest(path) != wanted:
        raise DamagedFile(
            f"{path} is damaged or another picture: its digest is not image {index}'s of {folder}"
        )


def _part_of(inside: str, path: Path) -> int:
    found = re.search(r"data/train-(\d{5,})", inside)
    if not found:
        raise DamagedFile(f"{path} is not one of the files that hold images")
    return int(found.group(1))


def _place_in_archive(
    path: Path, member: str | None, spec: dict[str, Any], part: int
) -> tuple[int, int]:
    """Return (category, instance) in an archive; `member` is a row number or a tar's key."""
    size, instances = spec["images_per_file"], spec["origin"]["instances"]
    images = instances * spec["origin"]["classes"]
    indices = range(part * size, min((part + 1) * size, images))
    if member is None:
        raise DamagedFile(
            f"{path} holds the images {indices.start} to {indices.stop - 1}: say which with"
            " --member ROW"
        )
    if found := KEY_IN_TAR.fullmatch(member):
        place = int(found.group(1)), int(found.group(2))
        if place[0] * instances + place[1] in indices:
            return place
    elif member.isdigit() and int(member) < len(indices):
        category, instance = divmod(indices[int(member)], instances)
        return category, instance
    raise DamagedFile(f"{path} has no member {member}: rows go from 0 to {len(indices) - 1}")
