"""Measure the rates that a forecast needs: minutes, on one core, and on the GPU if there is one.

The work of one core is timed in processor time, so that foreign processes count little, while other
cores train: two hyperthreads of a core slow each other down, and a workflow keeps all of them busy.
"""

from __future__ import annotations

import io
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from fdsl.forecast import bench_training, rates
from fdsl.forecast.bench import apart, measure_drawing
from fdsl.schema.catalogue import SyntheticDataset
from fdsl.schema.probe import Probe
from fdsl.workflow.config import Config

BUSY = 8  # cores at most, together with the one that is measured
PICTURE_PX = (375, 500)  # of a JPEG, as in ImageNet
PROBED = {"train_images": 1000, "test_images": 2000, "features": 96, "classes": 10}
# What the commands of a kind import before their work begins; kernels are loaded too.
STARTS = {
    "images": (
        "import fdsl.images.shards, fdsl.images.dataset as d;"
        " d.load('rcdb1k').image(category=0, instance=0)"
    ),
    "training": "import fdsl.cli.jobs, fdsl.train.finetune, fdsl.datasets.splits, timm",
    "report": (
        "import fdsl.cli.jobs, fdsl.report.tables, fdsl.report.figures.inputs, matplotlib.pyplot"
    ),
}
PEAK = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"


def measure(config: Config, *, seconds: float, seed: int = 0) -> Iterator[str | rates.MachineRates]:
    """Yield the name of each measurement before it is made and, last, all rates.

    Parameters
    ----------
    config
        Scales, recipes and catalogues, whose datasets and networks are measured.
    seconds
        How long each is repeated.
    seed
        Root seed of the drawn images.
    """
    others = min(len(os.sched_getaffinity(0)), BUSY) - 1 if hasattr(os, "sched_getaffinity") else 0
    drawing, starts = [], []
    with _busy(config, others):
        for name, entry in _datasets(config):
            yield f"drawing {name}"
            drawing.append(measure_drawing(name, entry, seconds=seconds, seed=seed))
        for kind in STARTS:
            yield f"start of a process: {kind}"
            starts.append(_start(kind))
        yield "augmentation and evaluation of images of all kinds and sizes"
        loaded = apart(bench_training.measure_loading, config, seconds)
        yield "network: vit_micro on the CPU"
        training = list(apart(bench_training.measure_cpu, config, seconds))
        gpu = apart(bench_training.first_gpu)
        for network, precision in bench_training.ON_GPU if gpu else ():
            yield f"network: {network}, {precision}, on the {gpu}"
            training.append(
                apart(bench_training.measure_gpu, config, network, precision, str(gpu), seconds)
            )
        yield "k-NN and linear probe"
        judging = apart(_judging, config.probe)
        yield "decoding a JPEG"
        yield rates.MachineRates(
            format=rates.FORMAT,
            machine=_machine(others),
            drawing=tuple(drawing),
            training=tuple(training),
            loading=tuple(loaded),
            picture_s=_picture(seconds),
            starts=tuple(starts),
            judging=judging,
        )


def _machine(others: int) -> rates.MeasuredMachine:
    """Return where and how these rates were measured."""
    from fdsl.provenance import environment

    today = datetime.now(tz=UTC).date().isoformat()
    words = f"processor time of one core while {others} other{'s' * (others != 1)} trained"
    return rates.MeasuredMachine(date=today, words=words, environment=environment())


def _datasets(config: Config) -> list[tuple[str, SyntheticDataset]]:
    """Return the synthetic datasets as the scales have them, those with the same settings once."""
    found: dict[str, tuple[str, SyntheticDataset]] = {}
    for scale in config.scales:
        for name in config.synthetic:
            entry = config.dataset(scale, name)
            found.setdefault(f"{entry.formula} {entry.settings} {entry.reduce}", (name, entry))
    return list(found.values())


@contextmanager
def _busy(config: Config, count: int) -> Iterator[None]:
    """Keep `count` other cores at work with trainings of the laptop scale."""
    others = [
        get_context("spawn").Process(
            target=bench_training.measure_cpu, args=(config, math.inf), daemon=True
        )
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


def _start(kind: str) -> rates.Start:
    """Return the quickest of three starts of a process; the first may compile kernels."""
    command = [sys.executable, "-c", f"{STARTS[kind]}; {PEAK}"]
    spent, peak = [], 0
    for _ in range(3):
        before = _children_s()
        peak = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        spent.append(_children_s() - before)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return rates.Start(kind=kind, seconds=min(spent), memory_mb=peak / unit)


def _children_s() -> float:
    """Return the processor time of all finished child processes in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _judging(settings: Probe) -> rates.Judging:
    """Time k-NN and linear probe on clusters of points."""
    import sklearn.linear_model  # noqa: F401  imported before the clock starts
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
    return rates.Judging(**held, seconds=seconds)


def _picture(seconds: float) -> float:
    """Return the seconds to decode a JPEG of a smooth image of the usual size."""
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

    return bench_training.seconds_each(decode, seconds)
