from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from oracles import dead_leaves as slow

from fdsl.formulas import constants, dead_leaves
from fdsl.raster import leaves
from fdsl.schema.base import ConfigError, validate
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage


def cell(shape: str = "mixed", sigma: float = 3.0, smallest: float = 0.06, largest: float = 1.0):
    number = dead_leaves.SHAPES.index(shape)
    return constants.row(dead_leaves.PARAMETERS, number, sigma, smallest, largest)


@pytest.mark.parametrize("shape", dead_leaves.SHAPES)
@pytest.mark.parametrize(
    ("size", "sigma", "radii"), [(61, 3.0, (0.06, 1.0)), (32, 2.5, (0.1, 0.4))]
)
def test_equals_its_oracle(shape, size, sigma, radii):
    chosen = dead_leaves.Settings(image_size_px=size)
    rows = cell(shape, sigma, *radii)
    image = dead_leaves.render(chosen, rows, seed=5, category=3, instance=2)
    state = tree.kernel_state(5, dead_leaves.FORMULA_ID, 3, 2, Stage.RENDER)
    np.testing.assert_array_equal(image, slow.draw(chosen, shape, sigma, *radii, state))


def test_gray_images_are_the_first_colour():
    rgb, gray = (
        dead_leaves.render(
            dead_leaves.Settings(image_size_px=32, colour=colour),
            cell(),
            seed=5,
            category=3,
            instance=2,
        )
        for colour in ("rgb", "gray")
    )
    np.testing.assert_array_equal(gray, rgb[:, :, 0])


def test_the_categories_are_the_whole_grid():
    chosen = dead_leaves.Settings()
    rows = [dead_leaves.sample_category(chosen, seed=0, category=c) for c in range(100)]
    found = [tuple(row[name][0].item() for name in dead_leaves.PARAMETERS) for row in rows]
    shapes = [dead_leaves.SHAPES.index(shape) for shape in chosen.shapes]
    expected = {(s, g, *r) for s, g, r in product(shapes, chosen.sigmas, chosen.radii)}
    assert set(found) == expected
    assert len(found) == len(expected)
    with pytest.raises(ValueError, match="at most 100 classes"):
        dead_leaves.sample_category(chosen, seed=0, category=100)


def test_radii_follow_their_law():
    shares, thresholds = dead_leaves.radius_law(3.0, 0.03, 1.0)
    assert (shares[0], round(shares[-1], 12)) == (0.03, 1.0)
    weights = shares**-3.0 - 1
    chosen = np.searchsorted(thresholds, np.random.default_rng(0).random(200_000))
    counts = np.bincount(chosen, minlength=200) / chosen.size
    # nearest cumulative weight: each radius gets half of its own and half of the next one's weight
    law = weights / weights.sum()
    expected = np.append(law[1:], 0) / 2 + law / 2
    expected[0] += law[0] / 2
    assert np.abs(counts - expected).max() < 0.005


def test_pictures_are_covered_unless_leaves_run_out():
    for sigma in (2.0, 4.0):
        image = dead_leaves.render(
            dead_leaves.Settings(image_size_px=64),
            cell(sigma=sigma),
            seed=0,
            category=0,
            instance=0,
        )
        assert (image.sum(axis=2) == 0).mean() < 0.001  # black is one of 16 million colours
    few = dead_leaves.Settings(image_size_px=64, most_leaves=3)
    image = dead_leaves.render(few, cell(), seed=0, category=0, instance=0)
    assert len(np.unique(image.reshape(-1, 3), axis=0)) <= 4
    assert (image.sum(axis=2) == 0).any()


def test_colours_are_uniform_on_0_to_254():
    state = tree.kernel_state(1)
    canvas, covered = np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.uint8)
    seen = []
    for _ in range(4000):
        covered[:] = 0
        leaves.drop_leaves(0, np.ones(1, np.int64), np.empty(0), 1, state, covered, canvas)
        seen.append(canvas.copy().ravel())
    assert np.max(seen) == 254
    assert np.abs(np.mean(seen, axis=0) - 127).max() < 5


@pytest.mark.parametrize("shape", dead_leaves.SHAPES)
def test_no_image_is_blank(shape):
    for instance in range(40):
        chosen = dead_leaves.Settings(image_size_px=32)
        image = dead_leaves.render(chosen, cell(shape), seed=0, category=0, instance=instance)
        assert len(np.unique(image.reshape(-1, 3), axis=0)) > 1


def test_an_image_of_one_colour_is_drawn_again_or_refused(monkeypatch):
    large = cell("square", 0.5, 0.9, 1.0)  # half of the side: 0.64 to 0.71
    for instance in range(100):
        chosen = dead_leaves.Settings(image_size_px=16)
        image = dead_leaves.render(chosen, large, seed=0, category=0, instance=instance)
        assert (image != image[0, 0]).any()
    monkeypatch.setattr(dead_leaves, "MAX_TRIES", 1)
    black = dead_leaves.Settings(image_size_px=4, most_leaves=1)
    slivers = cell("triangle", 8.0, 0.001, 0.002)
    with pytest.raises(ValueError, match="of category 7 have one colour only"):
        for instance in range(200):
            dead_leaves.render(black, slivers, seed=0, category=7, instance=instance)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("shape", 7, "must be an integer from 0 to 6"),
        ("sigma", 2.7, "multiple of 0.5"),
        ("smallest", 1.0, "below largest"),
        ("largest", np.nan, "must be a number"),
    ],
)
def test_impossible_constants_are_refused(name, value, message):
    with pytest.raises(ValueError, match=message):
        dead_leaves.render(
            dead_leaves.Settings(),
            cell() | {name: np.array([value])},
            seed=0,
            category=0,
            instance=0,
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigmas": [2.3]}, "multiple of 0.5"),
        ({"radii": [[0.5, 0.2]]}, "two ascending numbers"),
        ({"shapes": ["circle", "circle"]}, "two categories would be equal"),
        ({"shapes": ["star"]}, "circle"),
        ({"image_size_px": 1}, "greater than or equal to 4"),
    ],
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        validate(dead_leaves.Settings, options, where="test")


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(4, 60),
    shape=st.sampled_from(dead_leaves.SHAPES),
    sigma=st.integers(1, 16),
    smallest=st.floats(0.05, 0.5),
    more=st.floats(0.01, 0.5),
    most=st.integers(1, 400),
    instance=st.integers(0, 2**32 - 1),
)
def test_any_settings_give_a_whole_image(size, shape, sigma, smallest, more, most, instance):
    chosen = dead_leaves.Settings(
        image_size_px=size,
        shapes=(shape,),
        sigmas=(sigma / 2,),
        radii=((smallest, smallest + more),),
        most_leaves=most,
    )
    rows = dead_leaves.sample_category(chosen, seed=1, category=0)
    image = dead_leaves.render(chosen, rows, seed=1, category=0, instance=instance)
    assert image.shape == (size, size, 3)
    assert (image != image[0, 0]).any()
