"""The images of a downstream dataset that a fine-tuning or a pre-training uses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from fdsl.datasets import downstream
from fdsl.datasets.readers.coco import CocoImages
from fdsl.datasets.readers.sources import ImageSource, Joined, LabelledImages, Relabelled, Subset
from fdsl.datasets.subsets import few_labels, shuffled_labels
from fdsl.io.storage import DamagedFile
from fdsl.schema.catalogue import BOTH, DownstreamDataset, Part


@dataclass(frozen=True)
class DownstreamSplits:
    """Training and test images; nothing of `test` is ever used to choose anything."""

    train: ImageSource
    test: ImageSource


def load_splits(
    entry: DownstreamDataset,
    data_root: str | Path,
    *,
    manifest: dict[str, Any],
    train_labels: int | None,
    test_images: int | None,
    resplit: bool = False,
    seed: int,
) -> DownstreamSplits:
    """Load a downstream dataset and cut it to a budget.

    Parameters
    ----------
    manifest
        Of `fdsl.datasets.downstream.check`, made when the workflow began.
    train_labels
        Labelled training images, the same number of each class, chosen by `seed`; None = all.
    test_images
        The first of the test split; None = all.
    resplit
        Choose the labelled images among both parts, and test on all the others: for a dataset whose
        own test part is too small to tell networks apart. Needs `train_labels`.

    Raises
    ------
    DamagedFile
        If the data are no longer those of the manifest.
    ValueError
        If the dataset has fewer images than asked for, or is not one to fine-tune on.
    """
    if entry.objective is None:
        raise ValueError(f"{entry.title} has no labelled test part: it is not for fine-tuning")
    train, test = (
        cast("ImageSource", load_verified(entry, data_root, manifest=manifest, split=split))
        for split in BOTH
    )
    if resplit:
        train = Joined((train, test))
    if train_labels is not None:
        if entry.objective == "binary":
            raise ValueError(
                f"train_labels = {train_labels} of {entry.title}, whose images have several labels,"
                " so that none can be chosen by its class; use null for all"
            )
        chosen = few_labels(train.labels, count=train_labels, seed=seed)
        if resplit:
            test = Subset(train, np.setdiff1d(np.arange(len(train)), chosen))
        train = Subset(train, chosen)
    if test_images is not None:
        if test_images > len(test):
            counts = f"test_images = {test_images} of {entry.title}, which has {len(test)}"
            raise ValueError(f"{counts}; use null for all")
        test = Subset(test, np.arange(test_images))
    return DownstreamSplits(train, test)


def pretraining_images(
    entry: DownstreamDataset,
    data_root: str | Path,
    *,
    manifest: dict[str, Any],
    exclude: Iterable[tuple[int, int]],
    images: int | None,
    seed: int,
    shuffle_labels: bool = False,
) -> ImageSource:
    """Return training images of a downstream dataset to pre-train on, never test images.

    Parameters
    ----------
    manifest
        Of `fdsl.datasets.downstream.check`, made when the workflow began.
    exclude
        (train_labels, seed) of every fine-tuning on this dataset whose few labelled images
        `load_splits` chooses: none of them is returned, so that no network is pre-trained on what
        it is then fine-tuned on.
    images
        How many of the others, the same number of each class, chosen by `seed`; None = all.
    shuffle_labels
        Permute the labels over the returned images, by `seed`, so that they say nothing of them.

    Raises
    ------
    DamagedFile
        If the data are no longer those of the manifest.
    ValueError
        If fewer images are left than asked for.
    """
    source = load_verified(entry, data_root, manifest=manifest, split="train")
    train = cast("ImageSource", source)  # an entry to pre-train on has no loader coco
    taken = [few_labels(train.labels, count=count, seed=other) for count, other in exclude]
    left = np.setdiff1d(np.arange(len(train)), np.concatenate([[], *taken])).astype(np.int64)
    if len(left) < max(images or 1, 1):
        raise ValueError(
            f"{images or 'some'} images of {entry.title} to pre-train on: {len(left)} of its"
            f" {len(train)} training images are not fine-tuned on; use fewer images, fewer"
            " train_labels or fewer seeds"
        )
    if images is not None:
        left = left[few_labels(train.labels[left], count=images, seed=seed)]
    chosen = train if len(left) == len(train) else Subset(train, left)
    if not shuffle_labels:
        return chosen
    return Relabelled(chosen, shuffled_labels(chosen.labels, seed=seed))


def load_verified(
    entry: DownstreamDataset, data_root: str | Path, *, manifest: dict[str, Any], split: Part
) -> LabelledImages | CocoImages:
    """Load one split, or raise DamagedFile if it no longer matches the manifest."""
    source = downstream.load(entry, data_root, split=split)
    if source.digest() != manifest["parts"][split]["sha256"]:
        raise DamagedFile(
            f"the {split} part of {entry.title} changed after it was checked; "
            "delete its manifest below results/ and run the same command again"
        )
    return source
