"""What a fine-tuning sees of a downstream dataset: some labelled images to train on, and the test split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fdsl.catalog import BOTH, DownstreamDataset
from fdsl.data import downstream
from fdsl.data.real.sources import ImageSource, Subset
from fdsl.data.real.splits import few_labels
from fdsl.storage import DamagedFile


@dataclass(frozen=True)
class Parts:
    """Image sources; nothing of `test` is ever used to choose anything."""

    train: ImageSource | Subset
    test: ImageSource | Subset


def load_parts(
    entry: DownstreamDataset,
    data_root: str | Path,
    *,
    manifest: dict[str, Any],
    train_labels: int | None,
    test_images: int | None,
    seed: int,
) -> Parts:
    """Load a downstream dataset and cut it to a budget.

    Parameters
    ----------
    manifest
        Of `fdsl.data.downstream.check`, made when the workflow began.
    train_labels
        Labelled training images, the same number of each class, chosen by `seed`; None = all.
    test_images
        The first of the test split; None = all.

    Raises
    ------
    DamagedFile
        If the data are no longer those of the manifest.
    ValueError
        If the dataset has fewer images than asked for, or is not one to fine-tune on.
    """
    if entry.objective is None:
        raise ValueError(f"{entry.title} has no labelled test part: it is not for fine-tuning")
    sources = {}
    for split in BOTH:
        source = downstream.load(entry, data_root, split=split)
        if source.digest() != manifest["parts"][split]["sha256"]:
            raise DamagedFile(
                f"the {split} part of {entry.title} changed after it was checked; "
                "delete its manifest below results/ and run the same command again"
            )
        sources[split] = source
    train, test = sources["train"], sources["test"]
    if train_labels is not None:
        if entry.objective == "binary":
            raise ValueError(
                f"train_labels = {train_labels} of {entry.title}, whose images have several labels, so that none can be "
                "chosen by its class; use null for all"
            )
        train = Subset(train, few_labels(train.labels, count=train_labels, seed=seed))
    if test_images is not None:
        if test_images > len(test):
            raise ValueError(
                f"test_images = {test_images} of {entry.title}, which has {len(test)}; use null for all"
            )
        test = Subset(test, np.arange(test_images))
    return Parts(train, test)
