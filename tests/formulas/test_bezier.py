from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from oracles import bezier as slow
from scipy import stats

from fdsl.formulas import bezier
from fdsl.schema.base import ConfigError, validate
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage


def control_points(curves: int = 2, points: int = 3):
    rng = np.random.default_rng(0)
    x, y = rng.random((2, curves * points))
    return {"curve": np.repeat(np.arange(curves), points), "x": x, "y": y}


@pytest.mark.parametrize(
    ("options", "category"),
    [
        ({"image_size_px": 64}, 0),
        ({"image_size_px": 64, "jitter": 0.5}, 50),
        ({"image_size_px": 32}, 143),
        ({"image_size_px": 40, "grid": 32}, 31 + 32),
    ],
)
def test_equals_its_oracle(options, category):
    chosen = bezier.Settings(**options)
    rows = bezier.sample_category(chosen, seed=5, category=category)
    image = bezier.render(chosen, rows, seed=5, category=category, instance=2)
    state = tree.kernel_state(5, bezier.FORMULA_ID, category, 2, Stage.RENDER)
    values = [rows[name].tolist() for name in bezier.PARAMETERS]
    # the oracle rounds in another order, so that a point on a pixel's edge may fall to the other
    # side
    assert (image != slow.draw(chosen, *values, state)).mean() <= 1e-4


@pytest.mark.parametrize("side", [12, 32])
def test_the_categories_are_the_whole_grid(side):
    chosen = bezier.Settings(grid=side)
    found = set()
    for category in range(side**2):
        rows = bezier.sample_category(chosen, seed=0, category=category)
        _, curves, points = bezier.read_control_points(rows).shape
        found.add((points, curves))
    assert found == {(p + 2, c) for p in range(1, side + 1) for c in range(1, side + 1)}
    with pytest.raises(ValueError, match=f"at most {side**2} classes"):
        bezier.sample_category(chosen, seed=0, category=side**2)


def test_control_points_are_uniform_inside_the_margin():
    rows = [bezier.sample_category(bezier.Settings(), seed=0, category=c) for c in range(144)]
    for name in "xy":
        values = np.concatenate([row[name] for row in rows])
        assert stats.kstest(values, stats.uniform(0.05, 0.9).cdf).pvalue > 1e-4


def test_a_curve_starts_and_ends_at_its_outer_points():
    rows = {
        "curve": np.zeros(4, np.int32),
        "x": np.array([0.1, 0.0, 1.0, 0.8]),
        "y": np.array([0.2, 1.0, 1.0, 0.3]),
    }
    chosen = bezier.Settings(image_size_px=101, jitter=1e-9)
    image = bezier.render(chosen, rows, seed=0, category=0, instance=0)
    assert image[20, 10] == image[30, 80] == 127
    assert set(np.unique(image).tolist()) == {0, 127}
    assert 0.7 < np.nonzero(image.any(axis=1))[0].max() / 101 < 0.85  # 0.2 / 8 + 3 / 4 + 0.3 / 8


def test_instances_jitter_their_category():
    rows = control_points()
    chosen = bezier.Settings(image_size_px=128, jitter=0.02)
    pictures = [bezier.render(chosen, rows, seed=0, category=0, instance=i) > 0 for i in range(200)]
    assert len({picture.tobytes() for picture in pictures}) == 200
    reach = np.logical_or.reduce(pictures)
    assert reach.mean() < 0.2


@pytest.mark.parametrize("grid", [12, 32])
def test_no_image_is_blank(grid):
    chosen = bezier.Settings(image_size_px=32, grid=grid)
    for category in range(0, grid**2, 7):
        rows = bezier.sample_category(chosen, seed=0, category=category)
        assert bezier.render(chosen, rows, seed=0, category=category, instance=category).any()


def test_a_curve_that_is_one_point_is_one_pixel():
    rows = {"curve": np.zeros(3, np.int32), "x": np.zeros(3), "y": np.ones(3)}
    image = bezier.render(
        bezier.Settings(image_size_px=32, jitter=1e-9), rows, seed=0, category=0, instance=0
    )
    assert np.argwhere(image).tolist() == [[31, 0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"curve": np.array([0, 0, 0, 1, 1])}, "in order"),
        ({"curve": np.array([0, 1, 0, 1, 0, 1])}, "in order"),
        ({"curve": np.arange(6)}, "2 to 128 points"),
        ({"curve": np.full(6, -1)}, "in order"),
        ({"x": np.full(6, 1.5)}, "within 0 to 1"),
        ({"y": np.full(6, np.nan)}, "within 0 to 1"),
    ],
)
def test_impossible_control_points_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        bezier.render(bezier.Settings(), control_points() | change, seed=0, category=0, instance=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grid": 1}, "greater than or equal to 2"),
        ({"jitter": 0.0}, "greater than 0"),
        ({"margin": 0.5}, "less than or equal to 0.45"),
        ({"image_size_px": 1}, "greater than or equal to 4"),
    ],
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        validate(bezier.Settings, options, where="test")


@settings(max_examples=50, deadline=None)
@given(
    size=st.integers(4, 90),
    grid=st.integers(2, 64),
    margin=st.floats(0, 0.45),
    jitter=st.floats(0.001, 0.5),
    gray=st.integers(1, 255),
    category=st.integers(0, 4095),
    instance=st.integers(0, 2**32 - 1),
)
def test_any_settings_give_an_image_that_is_not_blank(
    size, grid, margin, jitter, gray, category, instance
):
    chosen = bezier.Settings(
        image_size_px=size, grid=grid, margin=margin, jitter=jitter, gray_level=gray
    )
    place = {"seed": 1, "category": category % grid**2}
    rows = bezier.sample_category(chosen, **place)
    image = bezier.render(chosen, rows, **place, instance=instance)
    assert image.shape == (size, size)
    assert set(np.unique(image).tolist()) <= {0, gray}
    assert image.any()
