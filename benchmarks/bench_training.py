"""What the training engine costs beside a bare PyTorch loop, and which tiny networks a CPU core trains fastest.

Run by hand, on an idle core:

    OMP_NUM_THREADS=1 python benchmarks/bench_training.py overhead
    OMP_NUM_THREADS=1 python benchmarks/bench_training.py networks

Only ratios within one run mean anything on another machine. All figures are process time on one thread in short alternating
blocks: speeds are those of the best block, overheads the median over rounds, so that a busy neighbour distorts them least.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn
from torch.amp import GradScaler
from torch.nn import functional

from fdsl.catalog import ModelEntry
from fdsl.data.augment import TrainTransform
from fdsl.data.loader import Batch, TrainingImages, training_batches
from fdsl.data.mixing import Finish
from fdsl.data.samplers import Stream
from fdsl.recipe import Augmentation, Recipe
from fdsl.train import loop, models, optim
from fdsl.train.distributed import Processes
from fdsl.train.interrupt import StopRequest
from fdsl.train.journal import History, Journal
from fdsl.train.loop import Course, Trainee
from fdsl.train.schedule import Schedule, split

BATCH, SIZE, CLASSES, STEPS, BLOCKS = 128, 32, 100, 2, 25
CPU = torch.device("cpu")


class Noise:
    """Gray images in memory."""

    classes = CLASSES
    labels = np.arange(10 * BATCH, dtype=np.int64) % CLASSES

    def __init__(self) -> None:
        generator = np.random.default_rng(0)
        self.images = generator.integers(0, 256, (len(self.labels), SIZE, SIZE), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.images[index], int(self.labels[index])


def entry(**arguments: int) -> ModelEntry:
    """Return a small ViT."""
    usual = {"patch_size": 8, "embed_dim": 128, "depth": 4, "num_heads": 4, "in_chans": 1}
    return ModelEntry(
        title="bench", timm="vit_tiny_patch16_224", arguments=usual | arguments, source="ours"
    )


def recipe(precision: str) -> Recipe:
    """Return a plain recipe with shifts and flips."""
    augmentation = Augmentation(
        crop="pad_and_shift", crop_scale=(0.5, 1), crop_ratio=(0.75, 1.33), shift_px=4,
        horizontal_flip=0.5, vertical_flip=0.5, rand_augment=None, random_erasing=0, mixup=0,
        cutmix=0, repeats=1, one_per_category=False, ofdb=(),
    )  # fmt: skip
    return Recipe(
        model="bench", image_size_px=SIZE, epochs=1000, cooldown_epochs=0, global_batch=BATCH,
        optimizer="adamw", lr=1e-3, weight_decay=0.05, momentum=0.9, layer_decay=None,
        schedule="cosine", milestones=(), gamma=None, warmup_epochs=0, warmup_lr=0, min_lr=0,
        clip_norm=None, label_smoothing=0.1, drop_path=0, ema_decay=None, mean=0.5, std=0.5,
        precision=precision, augmentation=augmentation,
    )  # fmt: skip


def network(precision: str, **arguments: int) -> nn.Module:
    """Return a fresh network as the engine makes it."""
    model = models.build(
        entry(**arguments), image_size_px=SIZE, classes=CLASSES, drop_path=0, seed=0
    )
    models.choose_attention(model, device=CPU, precision=precision)
    return model


def bare(precision: str, **arguments: int) -> Callable[[], None]:
    """Return some updates by a loop as one writes it by hand, always on the same batch."""
    model = network(precision, **arguments)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05, fused=True)
    images = torch.randn(BATCH, entry(**arguments).arguments["in_chans"], SIZE, SIZE)
    labels = torch.arange(BATCH) % CLASSES

    def steps() -> None:
        for _ in range(STEPS):
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
                logits = model(images)
            loss = functional.cross_entropy(logits.float(), labels, label_smoothing=0.1)
            loss.backward()
            optimizer.step()

    return steps


def engine(precision: str, folder: Path, *, loading: bool) -> Callable[[], None]:
    """Return some updates by the engine: of one prepared batch, or with loading, augmentation and normalisation."""
    plan, processes, model = recipe(precision), Processes(0, 1, CPU), network(precision)
    schedule = Schedule(10 * BATCH, BATCH, 10_000, 0, 1e-3, 0.0, 0.0)
    trainee = Trainee(
        model, None, optim.optimizer(model, recipe=plan), GradScaler("cpu", enabled=False)
    )
    finish = Finish(plan, channels=1, classes=CLASSES, train=True)
    images, labels = torch.randn(BATCH, 1, SIZE, SIZE), torch.arange(BATCH) % CLASSES

    def finished(batch: Batch, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        if not loading:
            return images, labels
        return finish(batch.images, batch.labels, batch.keys, seed=0, step=step, device=CPU)

    parts = split(BATCH, world=1, micro_batch=None)
    course = Course(plan, schedule, parts, 0, processes, finished, 0)
    journal = Journal(
        History(), schedule=schedule, path=folder / "metrics.jsonl", display=None, lag=0
    )
    batches: Iterator[Batch] = itertools.repeat(Batch(images, labels, labels))
    if loading:
        stream = Stream(10 * BATCH, seed=0, repeats=1)
        source = TrainingImages(Noise(), TrainTransform(plan), stream=stream, seed=0)
        batches = training_batches(
            source,
            lambda step: parts.slices(step, rank=0),
            steps=range(10_000),
            workers=0,
            pin_memory=False,
        )

    def steps() -> None:
        goal = trainee.step + STEPS
        stop = StopRequest()
        stop.reason = lambda: "enough" if trainee.step == goal else None  # type: ignore[method-assign]
        try:
            loop.train(
                trainee, course, batches=batches, journal=journal,
                evaluate=lambda: None, save=lambda: None, save_due=lambda: False, stop=stop,
            )  # fmt: skip
        except loop.Interrupted:
            return

    return steps


def block_seconds(variants: dict[str, Callable[[], None]]) -> dict[str, np.ndarray]:
    """Return the seconds of every block of each variant, which take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(BLOCKS + 1):
        for name, steps in variants.items():
            began = time.process_time()
            steps()
            seconds[name].append(time.process_time() - began)
    return {name: np.array(values[1:]) for name, values in seconds.items()}


def speed(seconds: np.ndarray) -> float:
    """Return the images per second of the best block."""
    return STEPS * BATCH / seconds.min()


def overhead() -> Iterator[str]:
    """Compare the engine with the bare loop."""
    for precision in ("fp32", "bf16"):
        with TemporaryDirectory() as folder:
            found = block_seconds(
                {
                    "bare loop": bare(precision),
                    "engine, prepared batch": engine(precision, Path(folder), loading=False),
                    "engine with loading": engine(precision, Path(folder), loading=True),
                }
            )
        for name, seconds in found.items():
            more = 100 * (np.median(seconds / found["bare loop"]) - 1)
            yield f"{precision}  {name:24} {speed(seconds):7.0f} images/s  {more:+5.1f} % time"


def networks() -> Iterator[str]:
    """Compare small networks."""
    for patch, dim, depth, channels in [
        (8, 64, 4, 1), (8, 96, 3, 1), (8, 96, 4, 1), (8, 128, 3, 1), (8, 128, 4, 1), (8, 128, 4, 3),
        (8, 128, 6, 1), (8, 192, 4, 1), (8, 192, 6, 1), (4, 64, 4, 1), (4, 96, 4, 1), (4, 128, 4, 1),
    ]:  # fmt: skip
        arguments = {
            "patch_size": patch, "embed_dim": dim, "depth": depth, "num_heads": dim // 32,
            "in_chans": channels,
        }  # fmt: skip
        found = block_seconds({name: bare(name, **arguments) for name in ("fp32", "bf16")})
        shape = f"patch {patch}  dim {dim:3}  depth {depth}  channels {channels}"
        yield f"{shape}  fp32 {speed(found['fp32']):6.0f}  bf16 {speed(found['bf16']):6.0f} images/s"


if __name__ == "__main__":
    torch.set_num_threads(1)
    for line in {"overhead": overhead, "networks": networks}[sys.argv[1]]():
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
