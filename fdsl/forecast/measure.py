"""Measure what a forecast needs to know of a machine: minutes, on one core, and on its GPU if it
has one.

Everything that one core does is timed in processor time, so that other people's processes count
little, while other cores train: two hyperthreads of a core slow each other down, and a workflow
keeps all of them at work.
"""

from __future__ import annotations

import io
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fdsl.forecast import loading
from fdsl.forecast.bench import measure_entries
from fdsl.forecast.rates import (
    FORMAT,
    Drawing,
    Judging,
    Loading,
    Machine,
    MachineRates,
    Start,
    Training,
)
from fdsl.forecast.speeds import CPU
from fdsl.schema.catalogue import ModelEntry, SyntheticDataset
from fdsl.schema.probe import Probe
from fdsl.schema.recipe import Recipe
from fdsl.workflow.config import Config

Result = TypeVar("Result")

BUSY = 8  # cores at most, together with the one that is measured
BATCH = 128  # images at once; 64 of 224 px on a GPU
SOURCE_IMAGES = 256
PICTURE_PX = (375, 500)  # of a JPEG, as in ImageNet
PROBED = {"train_images": 1000, "test_images": 2000, "features": 96, "classes": 10}
# What the verbs of a kind import before their work begins; kernels are loaded too.
STARTS = {
    "images": (
        "import fdsl.images.shards, fdsl.images.synthetic, fdsl.images.dataset as d;"
        " d.load('rcdb1k').image(category=0, instance=0)"
    ),
    "training": "import fdsl.cli.jobs, fdsl.train.finetune, fdsl.datasets.splits, timm",
    "report": (
        "import fdsl.cli.jobs, fdsl.report.tables, fdsl.report.figures.inputs, matplotlib.pyplot"
    ),
}
PEAK = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
# recipe, side and channels of the images before: what the scales combine most
LOADED = (
    ("pretrain_laptop", 32, 1),
    ("pretrain_dino_laptop", 28, 1),
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


def measure(config: Config, *, seconds: float, seed: int = 0) -> Iterator[str | MachineRates]:
    """Yield the name of each measurement before it is made and, last, all rates.

    Parameters
    ----------
    config
        Scales, recipes and catalogues, whose datasets and networks are measured.
    seconds
        How long each is repeated.
    seed
        Root seed of what is drawn.
    """
    others = min(len(os.sched_getaffinity(0)), BUSY) - 1 if hasattr(os, "sched_getaffinity") else 0
    with _busy(config, others):
        yield from _measured(config, seconds=seconds, seed=seed, others=others)


def _measured(
    config: Config, *, seconds: float, seed: int, others: int
) -> Iterator[str | MachineRates]:
    """Yield what `measure` yields, while so many other cores are at work."""
    drawing = []
    for name, entry in _datasets(config):
        yield f"drawing {name}"
        (row,) = measure_entries([(name, entry)], seconds=seconds, seed=seed)
        drawing.append(_drawing(name, entry, row))
    starts = []
    for kind in STARTS:
        yield f"start of a process: {kind}"
        starts.append(_start(kind))
    yield f"augmentation and evaluation of images: {len(LOADED) + len(EVALUATED)} kinds and sizes"
    loaded = _apart(_all_loading, config, seconds)
    yield "network: vit_micro on the CPU"
    training = list(_apart(_on_cpu, config, seconds))
    gpu = _apart(_gpu)
    for network, precision in ON_GPU if gpu else ():
        yield f"network: {network}, {precision}, on the {gpu}"
        training.append(_apart(_on_gpu, config, network, precision, str(gpu), seconds))
    yield "k-NN and linear probe"
    judging = _apart(_judging, config.probe)
    yield "decoding a JPEG"
    yield MachineRates(
        format=FORMAT,
        machine=_machine(others),
        drawing=tuple(drawing),
        training=tuple(training),
        loading=tuple(loaded),
        picture_s=_picture(seconds),
        starts=tuple(starts),
        judging=judging,
    )


def _machine(others: int) -> Machine:
    """Return where and how these rates were measured."""
    from fdsl.provenance import environment

    today = datetime.now(tz=UTC).date().isoformat()
    words = f"processor time of one core while {others} other{'s' * (others != 1)} trained"
    return Machine(date=today, words=words, environment=environment())


def _datasets(config: Config) -> list[tuple[str, SyntheticDataset]]:
    """Return the synthetic datasets as the scales have them, those with the same settings once."""
    found: dict[str, tuple[str, SyntheticDataset]] = {}
    for scale in config.scales:
        for name in config.synthetic:
            entry = config.dataset(scale, name)
            found.setdefault(f"{entry.formula} {entry.settings}", (name, entry))
    return list(found.values())


def _drawing(name: str, entry: SyntheticDataset, row: dict[str, Any]) -> Drawing:
    """Return what `fdsl bench` measured of a dataset."""
    same = (
        "draw_s",
        "encode_s",
        "decode_s",
        "shard_bytes",
        "png_bytes",
        "parameter_bytes",
        "memory_mb",
    )
    return Drawing(
        dataset=name,
        formula=entry.formula,
        settings=entry.settings,
        image_size_px=row["image_size_px"],
        channels=row["channels"],
        search_s=row["search_s_per_category"],
        png_s=row["png_ms"] / 1e3,
        **{key: row[key] for key in same},
    )


@contextmanager
def _busy(config: Config, count: int) -> Iterator[None]:
    """Keep `count` other cores at work with trainings of the laptop scale."""
    others = [
        get_context("spawn").Process(target=_on_cpu, args=(config, math.inf), daemon=True)
        for _ in range(count)
    ]
    for process in others:
        process.start()
    try:
        yield
    finally:
        for process in others:
            process.terminate()
            process.join()


def _apart(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function in a process of its own, so that memory and threads are its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _start(kind: str) -> Start:
    """Return the quickest of three starts of a process; the first one of all compiles what is not
    compiled yet.
    """
    spent, peak = [], 0
    for _ in range(3):
        before = _children_s()
        done = subprocess.run(
            [sys.executable, "-c", f"{STARTS[kind]}; {PEAK}"],
            check=True,
            capture_output=True,
            text=True,
        )
        spent.append(_children_s() - before)
        peak = int(done.stdout)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Start(kind=kind, seconds=min(spent), memory_mb=peak / unit)


def _children_s() -> float:
    """Return the processor time of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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


def _all_loading(config: Config, seconds: float) -> list[Loading]:
    """Return what a core needs for images of all kinds and sizes."""
    return [
        *(_loading(config, *each, seconds, evaluated=False) for each in LOADED),
        *(_loading(config, *each, seconds, evaluated=True) for each in EVALUATED),
    ]


def _loading(
    config: Config, name: str, side: int, channels: int, seconds: float, *, evaluated: bool
) -> Loading:
    """Return what a core needs for an image on its way from memory to a batch."""
    import torch

    from fdsl.augment.crop import EvalTransform, TrainTransform
    from fdsl.augment.multi_crop import MultiCrop
    from fdsl.train.input.loader import EvaluationImages, TrainingImages
    from fdsl.train.input.samplers import InfiniteSampler

    torch.set_num_threads(1)
    recipe, source = _recipe(config, name), _Noise(side, channels)
    images: EvaluationImages | TrainingImages
    if evaluated:
        images = EvaluationImages(source, EvalTransform(recipe))
        kind = loading.EVALUATION
    else:
        transform = TrainTransform(recipe) if recipe.dino is None else MultiCrop(recipe)
        stream = InfiniteSampler(len(source), seed=0, repeated_aug=1)
        images = TrainingImages(source, transform, stream=stream, seed=0, kept_mb=256)
        kind = loading.kind(recipe)
    images.__getitems__(range(SOURCE_IMAGES))  # compiles, and keeps what is kept
    each = _seconds_each(lambda: images.__getitems__(range(64)), seconds) / 64
    return Loading(
        kind=kind,
        source_px=side,
        image_size_px=recipe.image_size_px,
        channels=channels,
        seconds=each,
    )


def _seconds_each(
    work: Callable[[], Any], seconds: float, clock: Callable[[], float] = time.process_time
) -> float:
    """Return the mean seconds of a piece of work that is repeated for so long, at least three
    times.
    """
    count, began = 0, clock()
    while count < 3 or clock() - began < seconds:
        work()
        count += 1
    return (clock() - began) / count


def _gpu() -> str | None:
    """Return the name of the first GPU, or None."""
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def _on_cpu(config: Config, seconds: float) -> list[Training]:
    """Return how fast one thread is with the laptop scale's network: as it is trained, and as it is
    probed.
    """
    pretraining = config.pretraining("laptop", "fractaldb1k", "vit_micro")
    recipe = config.recipe("laptop", pretraining)
    precisions = dict.fromkeys([recipe.precision, config.probe.precision])
    return [
        _training(config, recipe.model_copy(update={"precision": precision}), CPU, BATCH, seconds)
        for precision in precisions
    ]


def _on_gpu(config: Config, network: str, precision: str, gpu: str, seconds: float) -> Training:
    """Return how fast the first GPU is with a network at the published size."""
    changes = {"model": network, "precision": precision}
    recipe = _recipe(config, "pretrain_vit_tiny_1k").model_copy(update=changes)
    return _training(config, recipe, gpu, BATCH // 2, seconds)


def _training(config: Config, recipe: Recipe, name: str, batch: int, seconds: float) -> Training:
    """Time updates and evaluations of a fresh network on batches that are ready."""
    import torch
    from torch.nn import functional

    from fdsl.augment.mixup_cutmix import BatchTransform
    from fdsl.forecast.bench import peak_memory_mb
    from fdsl.train import models, optim
    from fdsl.train.distributed import keep_freed_memory
    from fdsl.train.evaluate import autocast

    device = torch.device("cpu" if name == CPU else "cuda")
    torch.set_num_threads(1)
    keep_freed_memory()
    entry: ModelEntry = config.models[recipe.model]
    size, channels, classes = recipe.image_size_px, models.channels(entry), 1000
    network = models.build(
        entry, image_size_px=size, classes=classes, drop_path=recipe.drop_path, seed=0
    )
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
        images, _ = finish(pixels, labels, keys, seed=0, step=0, device=device)
        with torch.no_grad(), autocast(device, recipe.precision):
            network(images)
        wait()

    for _ in range(3):
        update()
    clock = time.process_time if name == CPU else time.perf_counter
    trained = _seconds_each(update, seconds, clock)
    network.eval()
    evaluate()
    return Training(
        network=recipe.model,
        device=name,
        image_size_px=size,
        precision=recipe.precision,
        training_images_per_s=batch / trained,
        inference_images_per_s=batch / _seconds_each(evaluate, seconds, clock),
        memory_mb=peak_memory_mb(),
    )


def _judging(settings: Probe) -> Judging:
    """Time k-NN and linear probe on clusters of points."""
    import sklearn.linear_model
    from threadpoolctl import threadpool_limits

    from fdsl.train.probe import score

    generator = np.random.default_rng(0)
    centres = generator.normal(size=(PROBED["classes"], PROBED["features"]))

    def clusters(count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        labels = np.arange(count, dtype=np.int64) % PROBED["classes"]
        spread = generator.normal(scale=3.0, size=(count, PROBED["features"]))
        return (centres[labels] + spread).astype(np.float32), labels

    known, unknown = clusters(PROBED["train_images"]), clusters(PROBED["test_images"])
    with threadpool_limits(1):
        began = time.process_time()
        score(known, unknown, settings=settings, seed=0)
        seconds = time.process_time() - began
    held = {key: PROBED[key] for key in ("train_images", "features", "classes")}
    return Judging(**held, seconds=seconds)


def _picture(seconds: float) -> float:
    """Return the time to decode a JPEG of a smooth picture of the usual size."""
    from PIL import Image

    rows, columns = PICTURE_PX
    small = np.random.default_rng(0).integers(0, 256, (rows // 8, columns // 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize((columns, rows), Image.Resampling.BICUBIC).save(
        file, "JPEG", quality=90
    )

    def decode() -> None:
        file.seek(0)
        np.asarray(Image.open(file).convert("RGB"))

    return _seconds_each(decode, seconds)
