from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import chaos_game as slow
from oracles.xoshiro import Xoshiro

from fdsl import seeding
from fdsl.raster import chaos_game
from fdsl.raster.choice import prepare_choice

SYSTEM = np.array(
    [
        [0.5, 0.1, -0.2, 0.4, 0.1, 0.9],
        [0.3, -0.6, 0.5, 0.2, -0.4, 0.2],
        [-0.7, 0.1, 0.0, 0.6, 0.3, 0.1],
    ]
)


def choice(shares):
    shares = np.asarray(shares, np.float64)
    thresholds, guide = np.empty(shares.size, np.uint64), np.empty(256, np.uint8)
    prepare_choice(shares, thresholds, guide)
    return thresholds, guide


def play(maps, shares, count: int, *, seed: int = 1, bound: float = 1e6):
    x, y, extent = np.empty(count), np.empty(count), np.empty(4)
    state = seeding.kernel_state(seed)
    counting = chaos_game.chaos_game_2d(
        np.asarray(maps, np.float64), *choice(shares), state, bound, x, y, extent
    )
    return x[:counting], y[:counting], extent, state


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=7),
    st.lists(st.floats(0, 1, exclude_max=True), max_size=20),
)
def test_the_choice_of_a_map_is_exact(weights, numbers):
    total = sum(weights)
    shares = [w / total for w in weights] if total > 0 else [1 / len(weights)] * len(weights)
    thresholds, guide = choice(shares)
    cumulative = np.cumsum(shares).tolist()
    edges = [
        float(v)
        for level in cumulative
        for v in (level, np.nextafter(level, 0), np.nextafter(level, 2))
    ]
    for u in numbers + [e for e in edges if 0 <= e < 1]:
        number = int(u * 2**53)
        k = guide[number >> 45]
        while number > thresholds[k]:
            k += 1
        assert k == slow.choose(number / 2**53, cumulative)


def test_a_number_on_the_threshold_chooses_the_lower_map():
    rng = Xoshiro(seeding.kernel_state(1))
    numbers = [rng.uniform() for _ in range(7 * slow.BURN_IN + 1)]
    maps = np.zeros((2, 6))
    maps[1, 4] = 1.0
    x, _, _, _ = play(maps, [numbers[-1], 1 - numbers[-1]], 9)
    assert x[8] == 0
    x, _, _, _ = play(maps, [numbers[-1] - 2**-53, 1 - numbers[-1] + 2**-53], 9)
    assert x[8] == 1


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 263, 264, 265, 1000])
def test_equals_the_oracle(count):
    shares = [0.2, 0.5, 0.3]
    x, y, extent, state = play(SYSTEM, shares, count)
    rng = Xoshiro(seeding.kernel_state(1))
    points = slow.play(
        rng, SYSTEM, shares, count, image=slow.plane, start=(0.0, 0.0), first_steps=0, bound=1e6
    )
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == points
    assert extent.tolist() == [x.min(), x.max(), y.min(), y.max()]
    assert state.tolist() == rng.s


@pytest.mark.parametrize("bound", [1e3, 1e100])
def test_an_orbit_that_leaves_the_bound_ends_the_game(bound):
    growing = SYSTEM * 4
    x, y, extent, state = play(growing, [0.2, 0.5, 0.3], 5000, bound=bound)
    rng = Xoshiro(seeding.kernel_state(1))
    points = slow.play(
        rng,
        growing,
        [0.2, 0.5, 0.3],
        5000,
        image=slow.plane,
        start=(0.0, 0.0),
        first_steps=0,
        bound=bound,
    )
    assert len(points) < 5000
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == points
    assert extent.tolist() == [x.min(), x.max(), y.min(), y.max()]
    assert state.tolist() == rng.s


def test_maps_are_chosen_with_their_probabilities():
    shares = np.array([0.5, 0.004, 0.296, 0.2])
    maps = np.zeros((4, 6))
    maps[:, 4] = range(4)
    x, _, _, _ = play(maps, shares, 200_000)
    counts = np.bincount(x[8:].astype(int), minlength=4)
    expected = shares * counts.sum()
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected.max())


def test_the_invariant_measure_of_a_known_system():
    # x' = x / 3 or x / 3 + 2 / 3: the Cantor set has mean 1/2 and variance 1/8
    maps = np.array([[1 / 3, 0, 0, 0, 0, 0], [1 / 3, 0, 0, 0, 2 / 3, 0]])
    x, _, _, _ = play(maps, [0.5, 0.5], 100_000)
    assert abs(x.mean() - 0.5) < 0.01
    assert abs(x.var() - 0.125) < 0.005
    assert not ((x > 0.3334) & (x < 0.6666)).any()
