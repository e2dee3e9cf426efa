r"""Against what others do: one paste per point, one serial orbit, one PNG file per image.

pytest benchmarks/bench_baselines.py --benchmark-enable -o python_files='bench_*.py' \
    --benchmark-timer=time.process_time

Each case times ours with pytest-benchmark and the other way in the same run; the ratio stands in
the name of the row.
"""

from __future__ import annotations

import io
import itertools
import random
import time

import numba
import numpy as np
import pytest
from PIL import Image

from fdsl.formulas import exfractaldb, fractaldb, rcdb
from fdsl.images import parameters
from fdsl.images.shards import Shard, render_shard, shard_origin, shard_range
from fdsl.images.streamed import StreamedImages
from fdsl.schema.catalogue import SyntheticDataset

SIZE, PAD, POINTS = 512, 6, 100_000


@pytest.fixture(scope="module")
def fern():
    """One category of FractalDB: its maps (n, 6) and the shares of its maps."""
    rows = fractaldb.sample_category(fractaldb.Settings(), seed=0, category=0)
    return rows, np.stack([rows[name] for name in "abcdef"], axis=1), rows["p"]


def test_patches_against_one_paste_per_point(benchmark, fern):
    rows, system, shares = fern
    other = seconds(lambda: paste_per_point(system, shares), repeated_aug=1)
    settings = fractaldb.Settings(image_size_px=SIZE, points=POINTS, weighted=False)
    compare(benchmark, "patches", other, lambda: ours(fractaldb, settings, rows))


def test_points_against_one_serial_orbit(benchmark, fern):
    rows, system, shares = fern
    canvas, thresholds = np.zeros((SIZE, SIZE), np.uint8), np.cumsum(shares)
    serial_orbit(system, thresholds, canvas)
    other = seconds(lambda: serial_orbit(system, thresholds, canvas), repeated_aug=20)
    settings = fractaldb.Settings(image_size_px=SIZE, points=POINTS, draw="point", weighted=False)
    compare(benchmark, "points", other, lambda: ours(fractaldb, settings, rows))


@pytest.mark.parametrize(
    ("formula", "settings"),
    [
        (fractaldb, fractaldb.Settings()),
        (fractaldb, fractaldb.Settings(image_size_px=SIZE, points=POINTS)),
        (exfractaldb, exfractaldb.Settings()),
        (rcdb, rcdb.Settings()),
    ],
    ids=["fractaldb", "fractaldb, 512 px", "exfractaldb", "rcdb"],
)
def test_streaming_against_decoding_png(benchmark, formula, settings):
    """Drawing images of 20 categories in turn, and reading the same images back from PNG files in
    memory.
    """
    rows = [formula.sample_category(settings, seed=0, category=category) for category in range(20)]
    places = itertools.cycle(range(len(rows)))

    def draw():
        place = next(places)
        return formula.render(settings, rows[place], seed=0, category=place, instance=0)

    files = itertools.cycle([png(draw()) for _ in rows])
    other = seconds(
        lambda: [np.asarray(Image.open(io.BytesIO(next(files)))) for _ in rows], repeated_aug=10
    ) / len(rows)
    name = f"{formula.TITLE}, {settings.image_size_px} px, streamed"
    compare(benchmark, name, other, draw, iterations=len(rows))


@pytest.mark.parametrize("formula", ["fractaldb", "exfractaldb", "rcdb"])
def test_reading_a_shard_against_decoding_png(benchmark, tmp_path, formula):
    dataset = SyntheticDataset(
        formula=formula, classes=20, instances=10, settings={"image_size_px": SIZE}
    )
    found = parameters.stack(list(parameters.sample(dataset, seed=0)))
    images = StreamedImages(dataset, found, seed=0)
    part = shard_range(0, shards=1, images=len(images))
    render_shard(tmp_path / "shard.arrow", images, part=part)
    shard = Shard(tmp_path / "shard.arrow", shard_origin(dataset, 0, part))
    files = [png(images[index][0]) for index in range(0, len(images), 10)]
    other = seconds(
        lambda: [np.asarray(Image.open(io.BytesIO(file))) for file in files], repeated_aug=5
    ) / len(files)
    order = iter(random.Random(0).choices(part, k=10**6))
    compare(benchmark, f"{formula} read from a shard", other, lambda: shard.image(next(order)))


def ours(formula, settings, rows):
    return formula.render(settings, rows, seed=0, category=0, instance=0)


def compare(benchmark, name, other, ours_once, iterations=50):
    """Time ours, and name the row with both times and their ratio."""
    benchmark.pedantic(ours_once, rounds=20, iterations=iterations, warmup_rounds=1)
    if benchmark.enabled:
        best = benchmark.stats.stats.min
        benchmark.extra_info |= {"other_ms": 1e3 * other, "ratio": other / best}
        benchmark.stats.name = (
            f"{name}: {1e3 * best:.3f} ms, the other way {1e3 * other:.2f} ms ="
            f" {other / best:.1f} x"
        )


def seconds(call, *, repeats):
    """Return the processor time of the best of some calls."""
    times = []
    for _ in range(repeats):
        begun = time.process_time()
        call()
        times.append(time.process_time() - begun)
    return min(times)


def png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def paste_per_point(system, shares):
    """Draw FractalDB with Pillow: a 3 × 3 picture is made and pasted for every point."""
    rng, thresholds = random.Random(0), np.cumsum(shares).tolist()
    maps = system.tolist()
    points, x, y = [(0.0, 0.0)], 0.0, 0.0
    for _ in range(POINTS - 1):
        draw = rng.random()
        a, b, c, d, e, f = maps[
            next((k for k, t in enumerate(thresholds) if draw <= t), len(maps) - 1)
        ]
        x, y = a * x + b * y + e, c * x + d * y + f
        points.append((x, y))
    columns, rows = (fit([point[axis] for point in points]) for axis in (0, 1))
    image = Image.new("RGB", (SIZE, SIZE))
    for column, row in zip(columns, rows, strict=True):
        mask = rng.randint(1, 511)
        patch = Image.new("RGB", (3, 3))
        for place, bit in enumerate(f"{mask:09b}"):
            if bit == "1":
                patch.putpixel((place % 3, place // 3), (127, 127, 127))
        image.paste(patch, (column + 1, row + 1))
    return image


def fit(values):
    low, extent = min(values), max(values) - min(values)
    return [int((value - low) / extent * (SIZE - 2 * PAD) + PAD) for value in values]


@numba.njit
def serial_orbit(system, thresholds, canvas):
    """One orbit, one draw of numpy's generator per point, then the picture."""
    xs, ys = np.empty(POINTS), np.empty(POINTS)
    x = y = 0.0
    for point in range(POINTS):
        xs[point], ys[point] = x, y
        draw = np.random.random()  # noqa: NPY002 — the way of the published renderers
        k = 0
        while k < len(thresholds) - 1 and draw > thresholds[k]:
            k += 1
        x, y = (
            system[k, 0] * x + system[k, 1] * y + system[k, 4],
            system[k, 2] * x + system[k, 3] * y + system[k, 5],
        )
    low_x, low_y = xs.min(), ys.min()
    scale_x, scale_y = (SIZE - 2 * PAD) / (xs.max() - low_x), (SIZE - 2 * PAD) / (ys.max() - low_y)
    canvas[:] = 0
    for point in range(POINTS):
        canvas[
            int((ys[point] - low_y) * scale_y + PAD), int((xs[point] - low_x) * scale_x + PAD)
        ] = 127
