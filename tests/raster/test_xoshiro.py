from __future__ import annotations

import numpy as np
from oracles.xoshiro import Xoshiro
from scipy import stats

from fdsl.raster import kernel, xoshiro
from fdsl.raster.lanes import LANES, store_lanes
from fdsl.seeding import tree


def drawn(fill, state, count: int, dtype):
    values = np.empty(count, dtype)
    fill(np.array(state, np.uint64), values)
    return values


def test_known_answers_of_xoshiro():
    # the vector of the Rust crate rand_xoshiro, made with the authors' C program
    assert drawn(xoshiro.fill_bits, [1, 2, 3, 4], 10, np.uint64).tolist() == [
        41943041,
        58720359,
        3588806011781223,
        3591011842654386,
        9228616714210784205,
        9973669472204895162,
        14011001112246962877,
        12406186145184390807,
        15849039046786891736,
        10450023813501588000,
    ]


def test_known_answers_of_splitmix64():
    values = np.empty(5, np.uint64)
    xoshiro.splitmix64(1234567, values)
    assert values.tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_equals_the_oracle_and_goes_on_where_it_stopped():
    state = tree.kernel_state(3, 1)
    slow = Xoshiro(state)
    for count in (1, 5, 2, 100):
        values = np.empty(count, np.uint64)
        xoshiro.fill_bits(state, values)
        assert values.tolist() == [slow.bits() for _ in range(count)]
    assert state.tolist() == slow.s


def test_uniform_numbers_are_uniform_and_use_all_bits():
    values = drawn(xoshiro.fill_uniform, tree.kernel_state(1), 200_000, np.float64)
    assert values.min() >= 0
    assert values.max() < 1
    assert stats.kstest(values, "uniform").pvalue > 1e-4
    pairs, _, _ = np.histogram2d(values[::2], values[1::2], bins=16, range=[[0, 1], [0, 1]])
    assert stats.chisquare(pairs.ravel()).pvalue > 1e-4
    bits = drawn(xoshiro.fill_bits, tree.kernel_state(2), 100_000, np.uint64)
    share = [float(np.mean(bits >> np.uint64(k) & np.uint64(1))) for k in range(64)]
    assert np.abs(np.array(share) - 0.5).max() < 5 * 0.5 / np.sqrt(100_000)


@kernel("void(u8[::1], u8[:,::1])")
def split_states(state, states):
    s0, s1, s2, s3 = xoshiro.split(state)
    store_lanes(states[0], np.uint64(0), s0)
    store_lanes(states[1], np.uint64(0), s1)
    store_lanes(states[2], np.uint64(0), s2)
    store_lanes(states[3], np.uint64(0), s3)


def test_lanes_start_as_far_apart_as_if_all_numbers_were_drawn():
    state, states = tree.kernel_state(8), np.empty((4, LANES), np.uint64)
    split_states(state, states)
    for lane in range(LANES):
        assert states[:, lane].tolist() == state.tolist()
        xoshiro.fill_bits(state, np.empty(xoshiro.STRIDE, np.uint64))
