"""Throughput of one core and of one GPU in training: augmentation, networks, evaluation."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fdsl.forecast import loading, rates
from fdsl.forecast.bench import peak_memory_mb
from fdsl.forecast.speeds import CPU
from fdsl.schema.recipe import Recipe
from fdsl.workflow.config import Config

BATCH = 64  # images at once on a GPU
SOURCE_IMAGES = 256
# recipe, side and channels of the decoded images: what the scales combine most
LOADED = (
    ("pretrain_laptop", 64, 1),
    ("pretrain_laptop", 28, 1),
    ("pretrain_dino_laptop", 28, 1),
    ("finetune_laptop", 28, 1),
    ("finetune_laptop", 8, 1),
    ("pretrain_vit_tiny_1k", 362, 1),
    ("pretrain_vit_tiny_1k", 512, 1),
    ("pretrain_vit_tiny_1k", 224, 1),
    ("finetune_small_sets", 32, 3),
    ("finetune_small_sets", loading.PHOTOGRAPH_PX, 3),
    ("pretrain_dino_vit_tiny_1k", loading.PHOTOGRAPH_PX, 3),
)
EVALUATED = (
    ("finetune_laptop", 28, 1),
    ("finetune_laptop", 8, 1),
    ("finetune_small_sets", 32, 3),
    ("finetune_small_sets", loading.PHOTOGRAPH_PX, 3),
)
ON_GPU = (("vit_tiny", "bf16"), ("vit_tiny", "fp32"), ("vit_base", "bf16"))


class _Noise:
    """Images in memory, of one size."""

    classes = 10

    def __init__(self, side: int, channels: int) -> None:
        shape = (SOURCE_IMAGES, side, side, *([3] if channels == 3 else []))
        self.images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        self.labels = np.arange(SOURCE_IMAGES, dtype=np.int64) % self.classes

    def __len__(self) -> int:
        return SOURCE_IMAGES

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]:
        return self.images[index], int(self.labels[index])


def _recipe(config: Config, name: str) -> Recipe:
    from fdsl.schema.recipe_files import plain

    return Recipe.model_validate(plain(config.recipes[name]))


def measure_loading(config: Config, seconds: float) -> list[rates.Loading]:
    """Return what a core needs for images of all kinds and sizes."""
    return [
        _loading(_recipe(config, name), side, channels, seconds, evaluated=evaluated)
        for evaluated, group in ((False, LOADED), (True, EVALUATED))
        for name, side, channels in group
    ]


def _loading(
    recipe: Recipe, side: int, channels: int, seconds: float, *, evaluated: bool
) -> rates.Loading:
    """Return what a core needs for an image on its way from memory to a batch."""
    import torch

    from fdsl.augment.crop import EvalTransform, TrainTransform
    from fdsl.augment.multi_crop import MultiCrop
    from fdsl.train.input.loader import EvaluationImages, TrainingImages
    from fdsl.train.input.samplers import InfiniteSampler

    torch.set_num_threads(1)
    source = _Noise(side, channels)
    images: EvaluationImages | TrainingImages
    if evaluated:
        images = EvaluationImages(source, EvalTransform(recipe))
    else:
        transform = TrainTransform(recipe) if recipe.dino is None else MultiCrop(recipe)
        stream = InfiniteSampler(len(source), seed=0, repeated_aug=1)
        images = TrainingImages(source, transform, stream=stream, seed=0, kept_mb=256)
    images.__getitems__(range(SOURCE_IMAGES))  # compiles, and keeps what is kept
    return rates.Loading(
        kind=loading.EVALUATION if evaluated else loading.kind(recipe),
        source_px=side,
        image_size_px=recipe.image_size_px,
        channels=channels,
        seconds=seconds_each(lambda: images.__getitems__(range(64)), seconds) / 64,
    )


def seconds_each(
    work: Callable[[], Any], seconds: float, clock: Callable[[], float] = time.process_time
) -> float:
    """Return the mean seconds of `work`, repeated for `seconds` and at least three times."""
    count, began = 0, clock()
    while count < 3 or clock() - began < seconds:
        work()
        count += 1
    return (clock() - began) / count


def first_gpu() -> str | None:
    """Return the name of the first GPU, or None."""
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def measure_cpu(config: Config, seconds: float) -> list[rates.TrainingSpeed]:
    """Return the speed of one thread with network, batch and optimizer of the laptop scale, in its
    precisions.
    """
    recipe = config.recipe("laptop", config.pretraining("laptop", "fractaldb1k", "vit_micro"))
    precisions = dict.fromkeys([recipe.precision, config.probe.precision])
    recipes = [recipe.model_copy(update={"precision": precision}) for precision in precisions]
    return [_training(config, each, CPU, recipe.global_batch, seconds) for each in recipes]


def measure_gpu(
    config: Config, network: str, precision: str, gpu: str, seconds: float
) -> rates.TrainingSpeed:
    """Return the speed of the first GPU with a network at the published size."""
    changes = {"model": network, "precision": precision}
    recipe = _recipe(config, "pretrain_vit_tiny_1k").model_copy(update=changes)
    return _training(config, recipe, gpu, BATCH, seconds)


def _training(
    config: Config, recipe: Recipe, name: str, batch: int, seconds: float
) -> rates.TrainingSpeed:
    """Time updates and evaluations of a fresh network on batches that are ready."""
    import torch

    from fdsl.train.distributed import keep_freed_memory

    torch.set_num_threads(1)
    keep_freed_memory()
    update, evaluate = _passes(config, recipe, "cpu" if name == CPU else "cuda", batch)
    for _ in range(3):
        update()
    clock = time.process_time if name == CPU else time.perf_counter
    trained = seconds_each(update, seconds, clock)
    evaluate()
    return rates.TrainingSpeed(
        network=recipe.model,
        device=name,
        image_size_px=recipe.image_size_px,
        precision=recipe.precision,
        training_images_per_s=batch / trained,
        inference_images_per_s=batch / seconds_each(evaluate, seconds, clock),
        memory_mb=peak_memory_mb(),
    )


def _passes(
    config: Config, recipe: Recipe, kind: str, batch: int
) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return an update and an evaluation of a fresh network, on one batch in memory."""
    import torch
    from torch.nn import functional

    from fdsl.augment.mixup_cutmix import BatchTransform
    from fdsl.train import models, optim
    from fdsl.train.evaluate import autocast

    device = torch.device(kind)
    entry, size, classes = config.models[recipe.model], recipe.image_size_px, 1000
    channels = models.channels(entry)
    drop_path = recipe.drop_path
    network = models.build(entry, image_size_px=size, classes=classes, drop_path=drop_path)
    models.choose_attention(network, device=device, precision=recipe.precision)
    models.choose_patches(network, device=device, image_size_px=size)
    network.to(device)
    optimizer = optim.optimizer(network, recipe=recipe)
    finish = BatchTransform(recipe, channels=channels, classes=classes, train=True)
    pixels = torch.randint(0, 256, (batch, channels, size, size), dtype=torch.uint8)
    labels = torch.arange(batch) % classes
    keys = torch.stack([torch.zeros_like(labels), torch.arange(batch), torch.zeros_like(labels)], 1)

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()

    def update() -> None:
        images, targets = finish(pixels, labels, keys, seed=0, step=0, device=device)
        optimizer.zero_grad(set_to_none=True)
        with autocast(device, recipe.precision):
            logits = network(images)
        functional.cross_entropy(logits.float(), targets).backward()
        optimizer.step()
        wait()

    def evaluate() -> None:
        network.eval()
        images, _ = finish(pixels, labels, keys, seed=0, step=0, device=device)
        with torch.no_grad(), autocast(device, recipe.precision):
            network(images)
        wait()

    return update, evaluate
