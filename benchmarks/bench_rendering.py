r"""How long an image takes: each formula by its kernels, and by the slow oracle of the tests on the
same image.

pytest benchmarks/bench_rendering.py --benchmark-enable -o python_files='bench_*.py' \
    --benchmark-columns=min,median,mean
"""

from __future__ import annotations

import time
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
from oracles import (
    bezier as slow_bezier,
    dead_leaves as slow_dead_leaves,
    exfractaldb as slow_exfractaldb,
    fractaldb as slow_fractaldb,
    perlin_2d as slow_perlin,
    rcdb as slow_rcdb,
    visualatom as slow_visualatom,
)

from fdsl.formulas import (
    bezier,
    dead_leaves,
    exfractaldb,
    fractaldb,
    ifs,
    one_parameter,
    perlin,
    rcdb,
    visualatom,
)
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage

CATEGORIES = {fractaldb: 20, exfractaldb: 20, one_parameter: 20}  # 100 of the others
COMPARED = 4  # categories that the oracle draws too
CASES = {
    "fractaldb, patches, 512 px, 100,000 points": (
        fractaldb,
        fractaldb.Settings(image_size_px=512, points=100_000, weighted=False),
    ),
    "fractaldb, points, 512 px, 100,000 points": (
        fractaldb,
        fractaldb.Settings(image_size_px=512, points=100_000, draw="point", weighted=False),
    ),
    "fractaldb, the published recipe": (fractaldb, fractaldb.Settings(weighted=False)),
    "fractaldb, points, 32 px, 3,000 points": (
        fractaldb,
        fractaldb.Settings(image_size_px=32, points=3000, pad_px=2, draw="point", weighted=False),
    ),
    "exfractaldb, the published recipe": (exfractaldb, exfractaldb.Settings(weighted=False)),
    "rcdb, the published recipe": (rcdb, rcdb.Settings()),
    "rcdb, broken by 1,000 lines": (rcdb, rcdb.Settings(broken_lines=1000)),
    "visualatom, the published recipe": (visualatom, visualatom.Settings()),
    "visualatom, 32 px": (visualatom, visualatom.Settings(image_size_px=32)),
    "one_parameter, the published recipe": (one_parameter, one_parameter.Settings()),
    "perlin100, 362 px": (perlin, perlin.Settings()),
    "dead leaves, 256 px": (dead_leaves, dead_leaves.Settings()),
    "bezier144, 362 px": (bezier, bezier.Settings()),
}


@pytest.fixture(scope="module")
def categories():
    made = {}

    def of(formula, settings, number):
        if formula not in made:
            made[formula] = [
                formula.sample_category(settings, seed=0, category=c) for c in range(number)
            ]
        return made[formula]

    return of


@pytest.mark.parametrize("case", CASES)
def test_render(benchmark, categories, case):
    """One image after another, of all categories in turn."""
    formula, settings = CASES[case]
    number = CATEGORIES.get(formula, 100)
    rows, places = categories(formula, settings, number), count()

    def image():
        place = next(places)
        return formula.render(
            settings, rows[place % number], seed=0, category=place % number, instance=0
        )

    compared = range(0, number, number // COMPARED)
    oracle, kernels = (
        np.mean([seconds(formula, settings, rows[c], c) for c in compared])
        for seconds in (slow, quick)
    )
    benchmark.extra_info |= {"oracle_ms": 1e3 * oracle, "ratio": oracle / kernels}
    benchmark.pedantic(image, rounds=10, iterations=number, warmup_rounds=1)
    if benchmark.enabled:
        info, best_ms = benchmark.extra_info, 1e3 * benchmark.stats.stats.min
        benchmark.stats.name = (
            f"{case}: {best_ms:.3f} ms, oracle {info['oracle_ms']:.0f} ms = {info['ratio']:.0f} x"
        )


@pytest.mark.parametrize("formula", [fractaldb, exfractaldb], ids=lambda f: f.TITLE)
def test_search(benchmark, formula):
    """One category after another."""
    settings, places = formula.Settings(), count()
    benchmark.pedantic(
        lambda: formula.sample_category(settings, seed=1, category=next(places)),
        rounds=1,
        iterations=50,
        warmup_rounds=1,
    )


def quick(formula, settings, rows, category: int) -> float:
    """Return the seconds that the kernels take for one image, the best of ten."""
    times = []
    for _ in range(10):
        start = time.process_time()
        formula.render(settings, rows, seed=0, category=category, instance=0)
        times.append(time.process_time() - start)
    return min(times)


def slow(formula, settings, rows, category: int) -> float:
    """Return the seconds that the oracle takes; it must draw what the kernels draw."""
    state = tree.kernel_state(0, formula.FORMULA_ID, category, 0, Stage.RENDER)
    start = time.process_time()
    expected = by_the_oracle(formula, settings, rows, state)
    seconds = time.process_time() - start
    image = formula.render(settings, rows, seed=0, category=category, instance=0)
    exact = formula not in {perlin, bezier}  # these round in another order
    assert (image != expected).mean() <= (0 if exact else 1e-4)
    return seconds


def by_the_oracle(formula, settings, rows, state):
    """Draw one image, pixel by pixel."""
    if formula in {fractaldb, one_parameter}:
        if formula is one_parameter:
            look = {"draw": "patch", "patch_mode": "per_point"}
            settings = SimpleNamespace(**settings.model_dump(), **look)
        return slow_fractaldb.draw(settings, *ifs.read_system("abcdef", rows), state, flip=0)
    if formula is exfractaldb:
        return slow_exfractaldb.draw(
            settings, *ifs.read_system("abcdefghijkl", rows), state, view=0
        )
    if formula is bezier:
        return slow_bezier.draw(settings, *(values.tolist() for values in rows.values()), state)
    constants = {name: values[0].item() for name, values in rows.items()}
    if formula is visualatom:
        return slow_visualatom.draw(settings, constants, state)
    if formula is dead_leaves:
        constants["shape"] = dead_leaves.SHAPES[constants["shape"]]
    oracle = {rcdb: slow_rcdb, perlin: slow_perlin, dead_leaves: slow_dead_leaves}[formula]
    return oracle.draw(settings, *constants.values(), state)
