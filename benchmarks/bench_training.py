"""What the training engine costs beside a bare PyTorch loop, and which tiny networks a CPU core
trains fastest.

Run by hand, on an idle core:

    OMP_NUM_THREADS=1 python benchmarks/bench_training.py overhead
    OMP_NUM_THREADS=1 python benchmarks/bench_training.py muon
    OMP_NUM_THREADS=1 python benchmarks/bench_training.py networks

Network and recipe are the laptop scale's pre-training (workflow/recipes/pretrain_laptop.yaml,
vit_micro). Only ratios within one run mean anything on another machine. All figures are process
time on one thread in short blocks that take turns: speeds are those of the best block, overheads
the median over rounds, so that a busy neighbour distorts them least.
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
import yaml
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.nn import functional
from torch.optim import Optimizer

from fdsl.augment.crop import TrainTransform
from fdsl.augment.mixup_cutmix import BatchTransform
from fdsl.schema.catalogue import ModelEntry
from fdsl.schema.recipe import Recipe
from fdsl.train import loop, models, optim
from fdsl.train.classification import Classification
from fdsl.train.distributed import Processes, keep_freed_memory
from fdsl.train.input.loader import Batch, TrainingImages, training_batches
from fdsl.train.input.samplers import InfiniteSampler
from fdsl.train.loop import LoopConfig, TrainState
from fdsl.train.metrics import History, MetricsLog
from fdsl.train.schedule import Schedule, split
from fdsl.workflow import load as settings

STEPS, BLOCKS, IMAGES, CLASSES = 4, 25, 10_000, 100
CPU = torch.device("cpu")
ROOT = Path(__file__).parents[1]
LAPTOP = settings.load(yaml.safe_load((ROOT / "config.yaml").read_text()))
RECIPE = LAPTOP.recipe("laptop", LAPTOP.pretraining("laptop", "fractaldb1k", "vit_micro"))
ENTRY = LAPTOP.models[RECIPE.model]
BATCH, SIZE = RECIPE.global_batch, RECIPE.image_size_px

Work = Callable[[], None]


class Noise:
    """Gray images in memory."""

    classes = CLASSES
    labels = np.arange(IMAGES, dtype=np.int64) % CLASSES

    def __init__(self) -> None:
        generator = np.random.default_rng(0)
        self.images = generator.integers(0, 256, (IMAGES, SIZE, SIZE), dtype=np.uint8)

    def __len__(self) -> int:
        return IMAGES

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.images[index], int(self.labels[index])


def network(entry: ModelEntry = ENTRY, *, precision: str, chosen: bool = True) -> nn.Module:
    """Return a fresh network, with the kernels that the engine chooses or as timm makes it."""
    model = models.build(entry, image_size_px=SIZE, classes=CLASSES, drop_path=0, seed=0)
    if chosen:
        models.choose_attention(model, device=CPU, precision=precision)
        models.choose_patches(model, device=CPU, image_size_px=SIZE)
    return model


def ready() -> Iterator[tuple[Tensor, Tensor]]:
    """Yield always the same finished batch."""
    return itertools.repeat((torch.randn(BATCH, 1, SIZE, SIZE), torch.arange(BATCH) % CLASSES))


def loaded(*, whole: bool = True) -> Iterator[Batch]:
    """Yield uint8 batches of the engine's data pipeline, or of the same pipeline image by image."""
    transform = TrainTransform(RECIPE)
    images = TrainingImages(
        Noise(),
        transform if whole else transform.__call__,
        stream=InfiniteSampler(IMAGES, seed=0, repeated_aug=1),
        seed=0,
        kept_mb=256 if whole else 0,
    )
    parts = split(BATCH, world=1, micro_batch=None)
    yield from training_batches(
        images,
        lambda step: parts.slices(step, rank=0),
        steps=range(10**6),
        workers=0,
        pin_memory=False,
    )


def finished(batches: Iterator[Batch]) -> Iterator[tuple[Tensor, Tensor]]:
    """Normalise batches."""
    finish = BatchTransform(RECIPE, channels=1, classes=CLASSES, train=True)
    for batch in batches:
        yield finish(*batch[:3], seed=0, step=0, device=CPU)


def by_hand(model: nn.Module, recipe: Recipe) -> list[Optimizer]:
    """Return the recipe's optimisers as one writes them by hand: torch's own."""
    if recipe.optimizer != "muon":
        return [optim.optimizer(model, recipe=recipe)]
    matrices = optim.block_matrices(model)
    inside = set(map(id, matrices))
    decayed, exempt = optim.decay_groups(model)
    decay, momentum = recipe.weight_decay, recipe.momentum
    groups = [
        {"params": [p for p in decayed if id(p) not in inside], "weight_decay": decay},
        {"params": exempt, "weight_decay": 0.0},
    ]
    adjust = "match_rms_adamw"
    rate = recipe.lr * recipe.muon_lr_factor
    return [
        torch.optim.Muon(matrices, rate, decay, momentum, adjust_lr_fn=adjust),
        torch.optim.AdamW(groups, recipe.lr, fused=True),
    ]


def bare(
    batches: Iterator[tuple[Tensor, Tensor]],
    model: nn.Module,
    *,
    precision: str,
    optimizers: list[Optimizer] | None = None,
) -> Work:
    """Return some updates by a loop as one writes it by hand."""
    optimizers = optimizers or by_hand(model, RECIPE)

    def steps() -> None:
        for _ in range(STEPS):
            images, labels = next(batches)
            model.zero_grad(set_to_none=True)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
                logits = model(images)
            loss = functional.cross_entropy(
                logits.float(), labels, label_smoothing=RECIPE.label_smoothing
            )
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), RECIPE.clip_norm)
            for optimizer in optimizers:
                optimizer.step()

    return steps


def engine(
    batches: Iterator[Batch], model: nn.Module, finish: Callable, *, recipe: Recipe, folder: Path
) -> Work:
    """Return some updates by the engine."""
    processes = Processes(0, 1, CPU)
    schedule = Schedule(IMAGES, BATCH, 10_000, 0, 1e-3, 0.0, 0.0)
    train_state = TrainState(
        Classification(
            network=model, average=None, recipe=recipe, device=CPU, batch_transform=finish
        ),
        optim.optimizer(model, recipe=recipe),
        GradScaler("cpu", enabled=False),
    )
    parts = split(BATCH, world=1, micro_batch=None)
    loop_config = LoopConfig(recipe, schedule, parts, 0, processes, 0)
    metrics = MetricsLog(
        History(), schedule=schedule, path=folder / "metrics.jsonl", display=None, lag=0
    )

    def steps() -> None:
        goal = train_state.step + STEPS
        try:
            loop.train(
                train_state,
                loop_config,
                batches=batches,
                metrics=metrics,
                evaluate=lambda: None,
                save=lambda: None,
                wishes=lambda: (train_state.step == goal, False),
            )
        except loop.Interrupted:
            return

    return steps


def block_seconds(variants: dict[str, Work]) -> dict[str, np.ndarray]:
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
    """Compare the engine with bare loops."""
    for precision in ("bf16", "fp32"):
        recipe = RECIPE.model_copy(update={"precision": precision})
        finish = BatchTransform(RECIPE, channels=1, classes=CLASSES, train=True)

        def normalised(
            batch: Batch, step: int, finish: BatchTransform = finish
        ) -> tuple[Tensor, Tensor]:
            return finish(*batch[:3], seed=0, step=step, device=CPU)

        def made(precision: str = precision, *, chosen: bool = True) -> nn.Module:
            return network(precision=precision, chosen=chosen)

        with TemporaryDirectory() as folder:
            found = block_seconds(
                {
                    "bare loop, same data": bare(finished(loaded()), made(), precision=precision),
                    "engine": engine(
                        loaded(), made(), normalised, recipe=recipe, folder=Path(folder)
                    ),
                    "bare loop, ready tensors": bare(ready(), made(), precision=precision),
                    "bare loop, image by image": bare(
                        finished(loaded(whole=False)), made(), precision=precision
                    ),
                    "bare loop, timm's kernels": bare(
                        finished(loaded()), made(chosen=False), precision=precision
                    ),
                }
            )
        for name, seconds in found.items():
            more = 100 * (np.median(seconds / found["bare loop, same data"]) - 1)
            yield f"{precision}  {name:26} {speed(seconds):7.0f} images/s  {more:+5.1f} % time"


def muon() -> Iterator[str]:
    """Compare the engine with a bare loop where both train with Muon and per-image normalisation.

    The bare loop has the engine's batched Muon, or torch's own.
    """
    changes = {"optimizer": "muon", "muon_lr_factor": 5.0, "momentum": 0.95}
    recipe = RECIPE.model_copy(update={**changes, "normalisation": "per_image"})
    finish = BatchTransform(recipe, channels=1, classes=CLASSES, train=True)

    def normalised(batch: Batch, step: int) -> tuple[Tensor, Tensor]:
        return finish(*batch, seed=0, step=step, device=CPU)

    def plain(optimizers: Callable[[nn.Module], list[Optimizer]]) -> Work:
        model = network(precision=recipe.precision)
        batches = (finish(*batch, seed=0, step=0, device=CPU) for batch in loaded())
        return bare(batches, model, precision=recipe.precision, optimizers=optimizers(model))

    with TemporaryDirectory() as folder:
        model = network(precision=recipe.precision)
        found = block_seconds(
            {
                "bare loop, same Muon": plain(lambda m: [optim.optimizer(m, recipe=recipe)]),
                "engine": engine(loaded(), model, normalised, recipe=recipe, folder=Path(folder)),
                "bare loop, torch's Muon": plain(lambda m: by_hand(m, recipe)),
                "bare loop, AdamW": plain(lambda m: by_hand(m, RECIPE)),
            }
        )
    for name, seconds in found.items():
        more = 100 * (np.median(seconds / found["bare loop, same Muon"]) - 1)
        yield f"{recipe.precision}  {name:26} {speed(seconds):7.0f} images/s  {more:+5.1f} % time"


def networks() -> Iterator[str]:
    """Compare small networks."""
    for patch, dim, depth, channels in [
        (8, 64, 4, 1),
        (8, 96, 3, 1),
        (8, 96, 4, 1),
        (8, 128, 3, 1),
        (8, 128, 4, 1),
        (8, 128, 4, 3),
        (8, 128, 6, 1),
        (8, 192, 4, 1),
        (8, 192, 6, 1),
        (4, 64, 4, 1),
        (4, 96, 4, 1),
        (4, 128, 4, 1),
    ]:
        arguments = {
            "patch_size": patch,
            "embed_dim": dim,
            "depth": depth,
            "num_heads": dim // 32,
            "in_chans": channels,
        }
        entry = ENTRY.model_copy(update={"arguments": ENTRY.arguments | arguments})
        images = torch.randn(BATCH, channels, SIZE, SIZE), torch.arange(BATCH) % CLASSES
        found = block_seconds(
            {
                name: bare(itertools.repeat(images), network(entry, precision=name), precision=name)
                for name in ("fp32", "bf16")
            }
        )
        shape = f"patch {patch}  dim {dim:3}  depth {depth}  channels {channels}"
        yield (
            f"{shape}  fp32 {speed(found['fp32']):6.0f}  bf16 {speed(found['bf16']):6.0f} images/s"
        )


if __name__ == "__main__":
    torch.set_num_threads(1)
    keep_freed_memory()
    for line in {"overhead": overhead, "muon": muon, "networks": networks}[sys.argv[1]]():
        print(line, flush=True)
