from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from oracles import fractaldb as slow
from scipy import stats

from fdsl.formulas import ifs, one_parameter
from fdsl.schema.base import ConfigError, validate
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage

SEARCHED = {"search_size_px": 64, "search_points": 3000}
SMALL = one_parameter.Settings(image_size_px=48, points=1500, **SEARCHED)


def changed(**options):
    return SMALL.model_copy(update=options)


def lit(chosen, rows, category: int) -> float:
    """The filling rate that the search saw."""
    state = tree.kernel_state(
        0, one_parameter.FORMULA_ID, category, int(rows["candidate"][0]), Stage.PARAMETERS
    )
    return one_parameter.filling_rate(chosen, *ifs.read_system("abcdef", rows), state)


@pytest.mark.parametrize("mask", ["random", "fill"])
@pytest.mark.parametrize("size", [32, 48])
def test_equals_its_oracle(mask, size):
    chosen = changed(mask=mask, image_size_px=size)
    drawn = SimpleNamespace(
        image_size_px=size,
        pad_px=6,
        points=1500,
        draw="patch",
        patch_mode="per_point" if mask == "random" else "full",
        gray_level=127,
    )
    for category in range(3):
        rows = one_parameter.sample_category(chosen, seed=5, category=category)
        state = tree.kernel_state(5, one_parameter.FORMULA_ID, category, 1, Stage.RENDER)
        image = one_parameter.render(chosen, rows, seed=5, category=category, instance=1)
        expected = slow.draw(drawn, *ifs.read_system("abcdef", rows), state, flip=0)
        np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("perturbation", ["multiplicative", "additive"])
def test_categories_are_small_perturbations_of_one_system(perturbation):
    chosen = changed(perturbation=perturbation, delta=0.05)
    base, shares = one_parameter.base_system(chosen, seed=0)
    for category in range(20):
        rows = one_parameter.sample_category(chosen, seed=0, category=category)
        system, p = ifs.read_system("abcdef", rows)
        np.testing.assert_array_equal(p, shares)
        off = system / base - 1 if perturbation == "multiplicative" else 2 * (system - base)
        assert 0.01 < np.abs(off).max() <= 0.05 + 1e-12


@pytest.mark.parametrize("perturbation", ["multiplicative", "additive"])
def test_perturbations_are_uniform(perturbation):
    chosen = changed(perturbation=perturbation, delta=0.2)
    base = np.arange(1.0, 13.0).reshape(2, 6) / 10
    rng = np.random.default_rng(0)
    drawn = np.array([one_parameter.perturbed(chosen, base, rng) for _ in range(2000)])
    off = drawn / base - 1 if perturbation == "multiplicative" else 2 * (drawn - base)
    for place in np.ndindex(2, 6):
        assert stats.kstest(off[:, *place], stats.uniform(-0.2, 0.4).cdf).pvalue > 1e-4
    correlations = np.corrcoef(off.reshape(2000, 12), rowvar=False) - np.eye(12)
    assert np.abs(correlations).max() < 0.1


def test_the_base_system_depends_on_the_seed_alone():
    first, _ = one_parameter.base_system(SMALL, seed=0)
    with pytest.raises(ValueError, match="read-only"):
        first[:] = 0
    again, shares = one_parameter.base_system(SMALL, seed=0)
    assert again.any()
    other, _ = one_parameter.base_system(SMALL, seed=1)
    assert (again != other).any()
    values = np.linalg.svd(again[:, :4].reshape(-1, 2, 2), compute_uv=False)
    assert 3.4 <= (values * [1, 2]).sum() <= 3.6
    np.testing.assert_allclose(shares, values.prod(axis=1) / values.prod(axis=1).sum())


@pytest.mark.parametrize("delta", [0.01, 0.1, 0.2])
def test_every_category_fills_enough_and_no_image_is_blank(delta):
    chosen = changed(delta=delta, image_size_px=32, pad_px=2)
    for category in range(30):
        rows = one_parameter.sample_category(chosen, seed=0, category=category)
        assert lit(chosen, rows, category) > 0.05
        assert one_parameter.render(chosen, rows, seed=0, category=category, instance=0).any()


def test_retries_are_bounded(monkeypatch):
    monkeypatch.setattr(one_parameter, "MAX_CANDIDATES", 5)
    with pytest.raises(ValueError, match=r"none of 5 base systems fills more than 0\.99"):
        one_parameter.sample_category(changed(filling_rate=0.99), seed=0, category=0)
    chosen = changed(filling_rate=0.06)
    one_parameter.base_system(chosen, seed=0)  # kept, so that the perturbations are what fails
    monkeypatch.setattr(one_parameter, "filling_rate", lambda *_: 0.06)
    with pytest.raises(ValueError, match=r"none of 5 perturbations fills more than 0\.06"):
        one_parameter.sample_category(chosen, seed=0, category=0)


def test_a_diverging_system_is_refused():
    system = np.array([[2.0, 0, 0, 2.0, 1, 1]])
    rows = ifs.columns("abcdef", system, np.ones(1), candidate=1)
    with pytest.raises(ValueError, match="category 3 diverges"):
        one_parameter.render(SMALL, rows, seed=0, category=3, instance=0)
    state = tree.kernel_state(0)
    assert one_parameter.filling_rate(SMALL, system, np.ones(1), state) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigma_factor": 6.0}, "must be within 0 to 6"),
        ({"sigma_factor": 0.05}, "must be within 0 to 6"),
        ({"image_size_px": 12}, "leaves less than 2 pixels"),
        ({"delta": 0.0}, "greater than 0"),
        ({"filling_rate": 0.5, "search_points": 10}, "needs more than search_points"),
    ],
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        validate(one_parameter.Settings, options, where="test")


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(4, 80),
    pad=st.integers(0, 12),
    maps=st.integers(2, 5),
    share=st.floats(0.5, 0.8),
    delta=st.floats(0.01, 0.2),
    mask=st.sampled_from(["random", "fill"]),
    perturbation=st.sampled_from(["multiplicative", "additive"]),
    category=st.integers(0, 2**31),
)
def test_any_settings_give_an_image(size, pad, maps, share, delta, mask, perturbation, category):
    chosen = one_parameter.Settings(
        image_size_px=max(size, 2 * pad + 2),
        pad_px=pad,
        points=300,
        maps=maps,
        sigma_factor=3 * maps * share,
        delta=delta,
        mask=mask,
        perturbation=perturbation,
        filling_rate=0.01,
        **SEARCHED,
    )
    rows = one_parameter.sample_category(chosen, seed=1, category=category)
    image = one_parameter.render(chosen, rows, seed=1, category=category, instance=0)
    assert image.shape == (chosen.image_size_px,) * 2
    if pad >= 4:
        assert image.any()
