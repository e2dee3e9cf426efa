"""Augmentation of one core: images per second against timm's Pillow pipeline on the same images.

Run with `pytest benchmarks/bench_augment.py --benchmark-enable --benchmark-group-by=group`.
"""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from PIL import Image
from timm.data import create_transform

from fdsl.augment.crop import TrainTransform
from fdsl.augment.mixup_cutmix import BatchTransform
from fdsl.schema.recipe import Augmentation, Recipe
from fdsl.seeding.batch import uniforms

IMAGES = 64


@pytest.fixture(autouse=True)
def _one_core():
    """Measure one core: loader processes have one thread each."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def recipe(**changes):
    """The augmentation of the released pre-training at 224 px."""
    values = {
        "crop": "random_resized",
        "crop_scale": (0.08, 1.0),
        "crop_ratio": (3 / 4, 4 / 3),
        "shift_px": 4,
        "horizontal_flip": 0.5,
        "vertical_flip": 0.0,
        "rand_augment": "rand-m9-mstd0.5-inc1",
        "random_erasing": 0.25,
        "mixup": 0.8,
        "cutmix": 1.0,
        "repeated_aug": 1,
        "one_per_category": False,
        "ofdb": (),
    }
    return Recipe(
        model="any",
        image_size_px=changes.pop("size", 224),
        epochs=1,
        cooldown_epochs=0,
        global_batch=IMAGES,
        optimizer="adamw",
        lr=1e-3,
        weight_decay=0.05,
        momentum=0.9,
        layer_decay=None,
        schedule="cosine",
        milestones=(),
        gamma=None,
        warmup_epochs=0,
        warmup_lr=0,
        min_lr=0,
        clip_norm=None,
        label_smoothing=0.1,
        drop_path=0.1,
        ema_decay=None,
        mean=0.5,
        std=0.5,
        precision="fp32",
        augmentation=Augmentation(**values | changes),
    )


def fractal_like(*shape, seed):
    """Sparse structure on black, as formula images have."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    waves = sum(np.sin(rng.normal(0, 0.1) * x + rng.normal(0, 0.1) * y) for _ in range(5))
    image = np.where(np.abs(waves) < 0.3, rng.integers(60, 255, shape[:2]), 0).astype(np.uint8)
    return image if len(shape) == 2 else np.repeat(image[:, :, None], 3, 2)


SHAPES = {"gray 362": (362, 362), "gray 512": (512, 512), "colour 362": (362, 362, 3)}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("who", ["timm", "ours"])
def test_published_augmentation_at_224(benchmark, shape, who):
    """Random resized crop, flip, RandAugment; timm gets RGB, as its image folder gives it."""
    images = [fractal_like(*shape, seed=seed) for seed in range(IMAGES)]
    benchmark.group = f"224 px, {shape}"
    if who == "ours":
        transform = TrainTransform(recipe())
        generators = [np.random.default_rng(seed) for seed in range(IMAGES)]
        benchmark(
            lambda: [transform(image, rng) for image, rng in zip(images, generators, strict=True)]
        )
    else:
        pillow = [Image.fromarray(image).convert("RGB") for image in images]
        transform = create_transform(
            224,
            is_training=True,
            auto_augment="rand-m9-mstd0.5-inc1",
            interpolation="random",
            mean=(0.5,) * 3,
            std=(0.5,) * 3,
            use_prefetcher=True,
        )
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002 - timm draws from the global generators
        benchmark(lambda: [_never_empty(transform, image) for image in pillow])


def _never_empty(transform, image):
    """Newer Pillow releases raise where timm posterizes to no bits: draw again."""
    while True:
        try:
            return transform(image)
        except ValueError:
            continue


def test_shift_and_flip_at_32(benchmark):
    """The reduced scales, whose batches are augmented at once; drawing the numbers included."""
    planes = np.stack([fractal_like(32, 32, seed=seed)[None] for seed in range(IMAGES)])
    transform = TrainTransform(recipe(size=32, crop="pad_and_shift", rand_augment=None))
    branches = np.column_stack([np.arange(IMAGES)] * 4)
    benchmark.group = "32 px"
    benchmark(lambda: transform.placed(planes, uniforms(0, branches, draws=transform.draws)))


@pytest.mark.parametrize("size", [32, 224])
def test_finish(benchmark, size):
    """Normalise, erase, mix on the CPU."""
    images = torch.randint(0, 256, (IMAGES, 1, size, size), dtype=torch.uint8)
    labels, keys = torch.zeros(IMAGES, dtype=torch.int64), torch.arange(3 * IMAGES).view(-1, 3)
    finish = BatchTransform(recipe(size=size), channels=3, classes=1000, train=True)
    benchmark.group = f"finish {size} px"
    benchmark(lambda: finish(images, labels, keys, seed=0, step=0, device="cpu"))
