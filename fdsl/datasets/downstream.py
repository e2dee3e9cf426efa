"""Downstream datasets: real images that pre-trained networks are fine-tuned on.

`locate` and `require` look at names only, so that a plan can refuse before any work; `load` reads
one split; `check` describes a copy. `fdsl.datasets.fetch` downloads. Nothing here needs torch or
torchvision: the layouts are torchvision's, the readers are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fdsl.datasets.readers.coco import CocoImages
from fdsl.datasets.readers.integrity import content_md5
from fdsl.datasets.readers.location import Found, Missing
from fdsl.datasets.readers.registry import READERS
from fdsl.datasets.readers.sources import LabelledImages
from fdsl.io.storage import DamagedFile, require_intact
from fdsl.schema.catalogue import Archive, DownstreamDataset, Part


class MissingData(ValueError):
    """Datasets that are missing; the message says where each was looked for and how to get it."""


def locate(entry: DownstreamDataset, data_root: str | Path) -> Found | Missing:
    """Return where a dataset is, or why it cannot be used; looks at names only."""
    return READERS[entry.loader].find(entry, data_root)


def require(entries: Mapping[str, DownstreamDataset], data_root: str | Path) -> None:
    """Pass if all datasets are there.

    Raises
    ------
    MissingData
        Once, for all that are missing: name, folder, archives with digests, how to get them.
    """
    gaps = [
        explain(entry, gap, name=name)
        for name, entry in entries.items()
        if isinstance(gap := locate(entry, data_root), Missing)
    ]
    if gaps:
        raise MissingData("\n\n".join(gaps))


def explain(entry: DownstreamDataset, gap: Missing, *, name: str | None = None) -> str:
    """Return what a user needs to get a missing dataset; `name` is its key in the catalogue."""
    head = f"{name} ({entry.title})" if name else entry.title
    fetch = f"  fetch:     fdsl data fetch {name}\n" if entry.fetchable and name else ""
    archives = "\n             ".join(map(_archive, entry.archives)) or "none"
    return (
        f"{head} is missing.\n"
        f"  looked in: {gap.where}: {gap.reason}\n"
        f"  needs:     {entry.layout}\n"
        f"  archives:  {archives}\n"
        f"{fetch}"
        f"  get it:    {entry.how_to_get}"
    )


def load(
    entry: DownstreamDataset, data_root: str | Path, *, split: Part
) -> LabelledImages | CocoImages:
    """Read one split of a dataset; image files are decoded on access.

    Parameters
    ----------
    entry
        Of workflow/catalog/downstream.yaml.
    data_root
        Folder that holds the entry's folder.
    split
        "train" or "test", which is evaluated on.

    Returns
    -------
    LabelledImages or CocoImages
        The latter with the loader coco. It pickles and holds no file open.

    Raises
    ------
    MissingData
        If the files are not there.
    DamagedFile
        If a digest, a count, a label or the structure of a file is not what the catalogue says, or
        if a folder that the workflow composed is no longer what it left.
    """
    if split not in entry.splits:
        raise ValueError(
            f"split = {split!r} is unknown. {entry.title} has: {', '.join(entry.splits)}."
        )
    found = locate(entry, data_root)
    if isinstance(found, Missing):
        raise MissingData(explain(entry, found))
    if entry.composed is not None:
        require_intact(found.where)
    source = READERS[entry.loader].read(entry, found, split)
    expected = entry.train_images if split == "train" else entry.test_images
    if expected is not None and len(source) != expected:
        raise DamagedFile(
            f"{found.where}: {len(source)} {split} images, expected {expected}; the copy is not"
            f" whole or not the published one. {entry.how_to_get}"
        )
    if 0 in (counts := source.per_class()):
        raise DamagedFile(
            f"{found.where}: no {split} image of class {counts.index(0)}; get {entry.title} again"
        )
    return source


def check(
    entry: DownstreamDataset, data_root: str | Path, *, decode: bool = False
) -> dict[str, Any]:
    """Read all splits, check that every listed file exists, and describe the copy.

    Parameters
    ----------
    entry, data_root
        As for `load`.
    decode
        Also decode every image: a minute for the small datasets, hours for ImageNet.

    Returns
    -------
    Plain data for JSON: title, folder, md5 of the (gunzipped) content of each list or batch,
    package versions, and per part the number of images, the images of each class and the SHA-256 of
    its content (pixels in memory; names, labels and boxes of files).

    Raises
    ------
    MissingData, DamagedFile
        As `load`, and DamagedFile for listed files that do not exist or cannot be decoded.
    """
    parts = {}
    for split in entry.splits:
        source = load(entry, data_root, split=split)
        if absent := source.absent():
            raise DamagedFile(
                f"{len(absent)} listed files do not exist, the first is {absent[0]};"
                f" {entry.how_to_get}"
            )
        if decode:
            for index in range(len(source)):
                source[index]
        counts = {"images": len(source), "per_class": source.per_class()}
        parts[split] = {**counts, "sha256": source.digest()}
    found = locate(entry, data_root)
    files = found.files if isinstance(found, Found) else ()
    return {
        "title": entry.title,
        "folder": str(found.where),
        "decoded": decode,
        "parts": parts,
        "md5": {name.removesuffix(".gz"): content_md5(found.where / name) for name in files},
        "versions": {package: version(package) for package in READERS[entry.loader].packages},
    }


def _archive(archive: Archive) -> str:
    size = f", about {archive.megabytes} MB" if archive.megabytes else ""
    return f"{archive.name} (md5 {archive.md5 or 'not published'}{size})"
