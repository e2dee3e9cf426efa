from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from fdsl.formulas import svd_sampler


@settings(max_examples=200, deadline=None)
@given(maps=st.integers(1, 16), share=st.floats(0, 1), seed=st.integers(0, 2**32))
def test_singular_values_keep_their_bounds_and_their_sum(maps, share, seed):
    rng = np.random.default_rng(seed)
    large, small = svd_sampler.sample_singular_values(rng, maps=maps, sigma_factor=3 * maps * share)
    assert (small >= -1e-15).all()
    assert (small <= large + 1e-12).all()
    assert (large <= 1).all()
    assert abs((large + 2 * small).sum() - 3 * maps * share) < 1e-9


@pytest.mark.parametrize("sigma_factor", [-0.1, 6.1, float("nan")])
def test_an_impossible_sigma_factor_is_refused(sigma_factor):
    with pytest.raises(ValueError, match="cannot be reached by 2 maps: use 0 to 6"):
        svd_sampler.sample_system(
            np.random.default_rng(0), maps=2, sigma_factor=sigma_factor, shift_limit=1.0
        )


def test_systems_have_the_singular_values_that_were_drawn():
    for seed in range(50):
        system = svd_sampler.sample_system(
            np.random.default_rng(seed), maps=3, sigma_factor=4.2, shift_limit=0.5
        )
        values = np.linalg.svd(system[:, :4].reshape(-1, 2, 2), compute_uv=False)
        assert values.max() <= 1 + 1e-12
        assert abs((values * [1, 2]).sum() - 4.2) < 1e-12
        assert np.abs(system[:, 4:]).max() <= 0.5


def test_the_law_of_two_maps():
    rng = np.random.default_rng(0)
    drawn = np.array(
        [svd_sampler.sample_singular_values(rng, maps=2, sigma_factor=3.5) for _ in range(4000)]
    )
    first = drawn[:, 0, 0]  # at least (3.5 - 3) / 3 and at most 1, uniform
    assert stats.kstest(first, stats.uniform(1 / 6, 5 / 6).cdf).pvalue > 1e-4
    left = 3.5 - first
    low = np.maximum(0, (left - 3) / 2)
    share = (drawn[:, 1, 0] - low) / (np.minimum(first, left / 2) - low)
    assert stats.kstest(share, "uniform").pvalue > 1e-4


def test_angles_signs_and_shifts_are_uniform():
    rng = np.random.default_rng(0)
    systems = np.concatenate(
        [
            svd_sampler.sample_system(rng, maps=2, sigma_factor=3.5, shift_limit=1.0)
            for _ in range(2000)
        ]
    )
    u, _, vt = np.linalg.svd(systems[:, :4].reshape(-1, 2, 2))
    for axis in (u[:, :, 0], vt[:, 0]):  # the long axis as a line, before and after
        turns = np.arctan2(axis[:, 1], axis[:, 0]) / np.pi % 1
        assert stats.kstest(turns, "uniform").pvalue > 1e-4
    mirrored = np.linalg.det(systems[:, :4].reshape(-1, 2, 2)) < 0
    assert abs(mirrored.mean() - 0.5) < 0.04
    heading = np.arctan2(systems[:, 2], systems[:, 0]) / (2 * np.pi) % 1
    assert stats.kstest(heading, "uniform").pvalue > 1e-4
    for column in (4, 5):
        assert stats.kstest(systems[:, column], stats.uniform(-1, 2).cdf).pvalue > 1e-4


def test_candidates_take_their_sigma_factor_from_the_range():
    for chosen, limits in (
        (None, lambda n: ((5 + n) / 2, (6 + n) / 2)),
        ((2.0, 2.5), lambda _: (2, 2.5)),
    ):
        systems = svd_sampler.candidates(
            np.random.default_rng(0), maps=(2, 7), sigma_factor=chosen, shift_limit=1.0
        )
        counts = []
        for (system, shares), _ in zip(systems, range(300), strict=False):
            values = np.linalg.svd(system[:, :4].reshape(-1, 2, 2), compute_uv=False)
            low, high = limits(len(system))
            assert low - 1e-9 <= (values * [1, 2]).sum() <= high + 1e-9
            areas = values.prod(axis=1)
            np.testing.assert_allclose(shares, areas / areas.sum(), atol=1e-12)
            counts.append(len(system))
        assert stats.chisquare(np.bincount(counts, minlength=8)[2:]).pvalue > 1e-4
