"""How long an image takes: each formula by its kernels, and by the slow oracle of the tests on the same image.

pytest benchmarks/bench_rendering.py --benchmark-enable -o python_files='bench_*.py' --benchmark-columns=min,median,mean
"""

from __future__ import annotations

import time
from itertools import count

import numpy as np
import pytest
from oracles import exfractaldb as slow_exfractaldb
from oracles import fractaldb as slow_fractaldb
from oracles import rcdb as slow_rcdb

from fdsl import seeding
from fdsl.formulas import exfractaldb, fractaldb, ifs, rcdb
from fdsl.seeding import Stage

CATEGORIES = 20
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
    number = 100 if formula is rcdb else CATEGORIES
    rows, places = categories(formula, settings, number), count()

    def image():
        place = next(places)
        return formula.render(
            settings, rows[place % number], seed=0, category=place % number, instance=0
        )

    benchmark.extra_info["oracle_ms"] = 1e3 * np.mean(
        [slow(formula, settings, rows[c], c) for c in range(4)]
    )
    benchmark.pedantic(image, rounds=10, iterations=number, warmup_rounds=1)
    if benchmark.enabled:
        info, best_ms = benchmark.extra_info, 1e3 * benchmark.stats.stats.min
        info["ratio"] = info["oracle_ms"] / best_ms
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


def slow(formula, settings, rows, category: int) -> float:
    """Return the seconds that the oracle takes; it must draw what the kernels draw."""
    state = seeding.kernel_state(0, formula.FORMULA_ID, category, 0, Stage.RENDER)
    start = time.process_time()
    if formula is rcdb:
        expected = slow_rcdb.draw(
            settings, *(rows[name][0].item() for name in rcdb.PARAMETERS), state
        )
    elif formula is fractaldb:
        expected = slow_fractaldb.draw(settings, *ifs.read_system("abcdef", rows), state, flip=0)
    else:
        expected = slow_exfractaldb.draw(
            settings, *ifs.read_system("abcdefghijkl", rows), state, view=0
        )
    seconds = time.process_time() - start
    np.testing.assert_array_equal(
        formula.render(settings, rows, seed=0, category=category, instance=0), expected
    )
    return seconds
