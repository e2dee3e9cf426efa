from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from oracles import chaos_game as slow
from oracles.xoshiro import Xoshiro

from fdsl.raster import chaos_game, kernel, xoshiro
from fdsl.raster.chaos_game import BLOCK, CHAINS
from fdsl.raster.choice import CHUNK, choose_maps, prepare_choice
from fdsl.seeding import tree

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
    state = tree.kernel_state(seed)
    counting = chaos_game.chaos_game_2d(
        np.asarray(maps, np.float64), *choice(shares), state, bound, x, y, extent
    )
    return x[:counting], y[:counting], extent, state


def played(maps, shares, count: int, *, bound: float):
    """The oracle's points, and its generator behind them."""
    rng = Xoshiro(tree.kernel_state(1))
    plane = {"image": slow.plane, "start": (0.0, 0.0), "first_steps": 0}
    return slow.play(rng, maps, shares, count, bound=bound, **plane), rng.s


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
    rng = Xoshiro(tree.kernel_state(1))
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
    points, words = played(SYSTEM, shares, count, bound=1e6)
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == points
    assert extent.tolist() == [x.min(), x.max(), y.min(), y.max()]
    assert state.tolist() == words


@pytest.mark.parametrize("maps", [1, 2, 7, 8, 9])
def test_many_points_equal_the_oracle(maps):
    """As many that maps are chosen in lanes, for which there are at most eight."""
    rng = np.random.default_rng(maps)
    system = rng.uniform(-0.6, 0.6, (maps, 6))
    shares = rng.dirichlet(np.ones(maps))
    count = CHUNK + BLOCK + CHAINS + 3
    x, y, extent, state = play(system, shares, count)
    points, words = played(system, shares, count, bound=1e6)
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == points
    assert extent.tolist() == [x.min(), x.max(), y.min(), y.max()]
    assert state.tolist() == words


@pytest.mark.parametrize("maps", [1, 2, 5, 8, 9])
def test_lanes_choose_as_one_by_one(maps):
    """Also the numbers on a threshold and just above it, whatever stands in the bits below them."""
    bits = np.empty(CHUNK, np.uint64)
    xoshiro.fill_bits(tree.kernel_state(1), bits)
    numbers, below = bits >> np.uint64(11), bits & np.uint64(2047)
    edges = [*numbers[below == 0][:4] - np.uint64(1), *numbers[below == 2047][:4]]
    assert len(edges) == 8
    inner = np.sort(np.array(edges[: maps - 1], np.uint64))
    thresholds = np.append(inner, np.uint64(2**64 - 1))
    guide = np.searchsorted(thresholds, np.arange(256, dtype=np.uint64) << np.uint64(45))
    chosen, state = np.empty(CHUNK, np.uint8), tree.kernel_state(1)
    all_chosen(thresholds, guide.astype(np.uint8), state, chosen)
    assert chosen.tolist() == np.searchsorted(thresholds, numbers).tolist()
    behind = tree.kernel_state(1)
    xoshiro.fill_bits(behind, bits)
    assert state.tolist() == behind.tolist()


@kernel("void(u8[::1], u1[::1], u8[::1], u1[::1])")
def all_chosen(thresholds, guide, state, chosen):
    choose_maps(thresholds, guide, state, chosen)


def test_an_orbit_that_leaves_the_bound_late_ends_the_game():
    """While maps are chosen in lanes: the numbers that were too many are put back."""
    slowly = np.array([[1.0002, 0, 0, 1.0001, 0.001, 0], [1.0, 0, 0, 1.0, 0.002, 0.001]])
    x, y, extent, state = play(slowly, [0.5, 0.5], 3 * CHUNK, bound=4.0)
    points, words = played(slowly, [0.5, 0.5], 3 * CHUNK, bound=4.0)
    assert 2 * BLOCK < len(points) < 2 * CHUNK - BLOCK
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == points
    assert extent.tolist() == [x.min(), x.max(), y.min(), y.max()]
    assert state.tolist() == words


@pytest.mark.parametrize("bound", [1e3, 1e100])
def test_an_orbit_that_leaves_the_bound_ends_the_game(bound):
    growing = SYSTEM * 4
    x, y, extent, state = play(growing, [0.2, 0.5, 0.3], 5000, bound=bound)
    points, words = played(growing, [0.2, 0.5, 0.3], 5000, bound=bound)
    assert len(points) < 5000
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == points
    assert extent.tolist() == [x.min(), x.max(), y.min(), y.max()]
    assert state.tolist() == words


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
