"""Digests of all that must be equal however the work is shared; run as a script, it prints them as
JSON.

python same_bits.py WORKERS SHARDS PROCESSES START
"""

import hashlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from train.tiny_training import recipe

from fdsl.augment.crop import TrainTransform
from fdsl.augment.mixup_cutmix import BatchTransform
from fdsl.datasets.subsets import few_labels, holdout, stratified_folds
from fdsl.images import parameters
from fdsl.images.shards import ShardedImages, render_shard, shard_range
from fdsl.images.streamed import StreamedImages
from fdsl.schema.catalogue import SyntheticDataset
from fdsl.train.input.loader import TrainingImages, training_batches
from fdsl.train.input.samplers import InfiniteSampler
from fdsl.train.schedule import split

SEED = 7
STEPS, BATCH, MICRO = 6, 16, 4
DATASETS = [
    SyntheticDataset(
        formula=formula, classes=5, instances=4, settings=settings | {"image_size_px": 32}
    )
    for formula, settings in [
        ("fractaldb", {"points": 400}),
        ("exfractaldb", {"points": 400}),
        ("rcdb", {"vertices": [3, 40], "polygons": [1, 40]}),
    ]
]
# every operation that moves, resamples or recolours pixels, and then erasing and mixing
RECIPES = {
    "windows": recipe(
        crop="random_resized",
        rand_augment="rand-m9-mstd0.5-inc1",
        horizontal_flip=0.5,
        image_size_px=24,
        random_erasing=0.5,
        mixup=0.8,
        cutmix=1.0,
        repeated_aug=3,
    ),
    "shifts": recipe(
        crop="pad_and_shift", shift_px=4, horizontal_flip=0.5, vertical_flip=0.3, image_size_px=32
    ),
}


def digest(*arrays):
    """Return the SHA-256 of types, shapes and values, 16 hexadecimal digits."""
    found = hashlib.sha256()
    for array in map(np.asarray, arrays):
        found.update(
            f"{array.dtype.str} {array.shape}".encode() + np.ascontiguousarray(array).tobytes()
        )
    return found.hexdigest()[:16]


def searched(dataset, *, workers, start):
    """Return the parameters of a dataset; from category `start` on they are searched by a second
    run.
    """
    later = range(start % dataset.classes, dataset.classes)
    first = list(parameters.sample(dataset, seed=SEED, categories=range(later.start)))
    return parameters.stack(
        [*first, *parameters.sample(dataset, seed=SEED, workers=max(workers, 1), categories=later)]
    )


def stored(images, *, shards, folder):
    """Return a dataset drawn into shards and read back; as it is drawn while it is read where
    shards = 0.
    """
    if shards == 0:
        return images
    paths = [folder / f"{images.dataset.formula}-{number}.arrow" for number in range(shards)]
    for number, path in enumerate(paths):
        render_shard(path, images, part=shard_range(number, shards=shards, images=len(images)))
    return ShardedImages(images.dataset, paths, seed=SEED)


def shuffled(images, plan, *, workers, processes, start):
    """Return keys, pixels and what a network sees, of all updates in the order of the stream.

    The updates before `start` are done by one run, the others by a second; each by `processes`, one
    after the other.
    """
    shares = split(BATCH, world=processes, micro_batch=MICRO)
    source = TrainingImages(
        images,
        TrainTransform(plan),
        stream=InfiniteSampler(len(images), seed=SEED, repeated_aug=plan.augmentation.repeated_aug),
        seed=SEED,
        kept_mb=1,
    )
    finish = BatchTransform(plan, channels=1, classes=images.classes, train=True)
    found = {}
    for steps in (range(start), range(start, STEPS)):
        for rank in range(processes if len(steps) else 0):
            batches = training_batches(
                source,
                lambda step, rank=rank: shares.slices(step, rank=rank),
                steps=steps,
                workers=workers,
                pin_memory=False,
            )
            places = [(step, part) for step in steps for part in shares.slices(step, rank=rank)]
            for (step, part), batch in zip(places, batches, strict=True):
                where = {"device": "cpu", "places": batch.positions.numpy() % BATCH}
                seen = finish(*batch[:3], seed=SEED, step=step, **where)
                found[part.start] = (batch.keys, batch.images, *seen)
    assert len(found) == STEPS * BATCH // shares.micro_batch
    return [
        torch.cat(parts).numpy() for parts in zip(*(found[k] for k in sorted(found)), strict=True)
    ]


def digests(*, workers, shards, processes, start):
    """Return the digests of parameters, images, splits, order, augmented pixels, and what a network
    sees of them.
    """
    known = [searched(dataset, workers=workers, start=start) for dataset in DATASETS]
    labels = np.arange(200) * 7 % 10
    seen = {"order": [], "augmentation": [], "network": []}
    with tempfile.TemporaryDirectory() as folder:
        sources = [
            stored(StreamedImages(dataset, found, seed=SEED), shards=shards, folder=Path(folder))
            for dataset, found in zip(DATASETS, known, strict=True)
        ]
        images = [np.stack([source[k][0] for k in range(len(source))]) for source in sources]
        for plan in RECIPES.values():
            keys, pixels, *inputs = shuffled(
                sources[2], plan, workers=workers, processes=processes, start=start
            )
            seen["order"].append(keys)
            seen["augmentation"].append(pixels)
            seen["network"] += inputs
    return {
        "parameters": digest(
            *(found.columns[name] for found in known for name in sorted(found.columns))
        ),
        "images": digest(*images),
        "splits": digest(
            few_labels(labels, count=57, seed=SEED),
            *holdout(labels, fraction=0.2, seed=SEED),
            stratified_folds(labels, folds=5, seed=SEED),
        ),
        **{name: digest(*arrays) for name, arrays in seen.items()},
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    names = ("workers", "shards", "processes", "start")
    print(json.dumps(digests(**dict(zip(names, map(int, sys.argv[1:]), strict=True)))))  # noqa: T201
