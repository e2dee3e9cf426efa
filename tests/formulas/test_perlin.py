from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from oracles import perlin_2d as slow

from fdsl.formulas import constants, perlin
from fdsl.schema.base import ConfigError, validate
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage


def cells(across: int, down: int):
    return constants.row(perlin.PARAMETERS, across, down)


@pytest.mark.parametrize(
    ("options", "across", "down"),
    [
        ({"image_size_px": 48}, 1, 1),
        ({"image_size_px": 48}, 3, 7),
        ({"image_size_px": 32, "frequencies": 36}, 36, 35),
        ({"image_size_px": 40, "octaves": 3, "persistence": 0.7}, 2, 5),
    ],
)
def test_equals_its_oracle(options, across, down):
    chosen = perlin.Settings(**options)
    image = perlin.render(chosen, cells(across, down), seed=5, category=3, instance=2)
    state = tree.kernel_state(5, perlin.FORMULA_ID, 3, 2, Stage.RENDER)
    expected = slow.draw(chosen, across, down, state).astype(int)
    # the oracle's sine and order of sums are others, so that a value at a half may round to the
    # other side
    assert (image != expected).mean() <= 1e-4
    assert np.abs(image - expected).max() <= 1


@pytest.mark.parametrize("side", [10, 36])
def test_the_categories_are_the_whole_grid(side):
    chosen = perlin.Settings(frequencies=side)
    rows = [perlin.sample_category(chosen, seed=0, category=c) for c in range(side**2)]
    found = {(int(row["cells_x"][0]), int(row["cells_y"][0])) for row in rows}
    assert found == {(x, y) for x in range(1, side + 1) for y in range(1, side + 1)}
    with pytest.raises(ValueError, match=f"at most {side**2} classes"):
        perlin.sample_category(chosen, seed=0, category=side**2)


def test_more_cells_make_finer_noise_along_their_axis():
    chosen = perlin.Settings(image_size_px=128)
    for across, down in ((2, 9), (9, 2)):
        image = perlin.render(chosen, cells(across, down), seed=0, category=0, instance=0)
        changes = [np.abs(np.diff(image.astype(int), axis=axis)).mean() for axis in (1, 0)]
        assert (changes[0] > 2 * changes[1]) == (across > down)


def test_pixels_on_the_lattice_would_be_zero_and_are_refused():
    with pytest.raises(ConfigError, match="must be fewer than 64"):
        validate(perlin.Settings, {"image_size_px": 32, "frequencies": 64}, where="test")
    with pytest.raises(ConfigError, match="lower frequencies or octaves"):
        validate(perlin.Settings, {"image_size_px": 64, "octaves": 5}, where="test")
    with pytest.raises(ValueError, match="must be fewer than 64"):
        perlin.render(
            perlin.Settings(image_size_px=32), cells(64, 1), seed=0, category=0, instance=0
        )


@pytest.mark.parametrize("value", [0, 1025, 2.5])
def test_impossible_cells_are_refused(value):
    rows = {"cells_x": np.array([value]), "cells_y": np.array([1])}
    with pytest.raises(ValueError, match=r"cells_x = .* must be an integer from 1 to 1024"):
        perlin.render(perlin.Settings(), rows, seed=0, category=0, instance=0)


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(4, 90),
    side=st.integers(2, 64),
    octaves=st.integers(1, 4),
    persistence=st.floats(0.01, 1),
    category=st.integers(0, 4095),
    instance=st.integers(0, 2**32 - 1),
)
def test_any_settings_give_an_image_from_black_to_white(
    size, side, octaves, persistence, category, instance
):
    side = max(2, min(side, (2 * size - 1) // 2 ** (octaves - 1)))
    if side << (octaves - 1) >= 2 * size:
        octaves = 1
    chosen = perlin.Settings(
        image_size_px=size, frequencies=side, octaves=octaves, persistence=persistence
    )
    place = {"seed": 1, "category": category % side**2}
    rows = perlin.sample_category(chosen, **place)
    image = perlin.render(chosen, rows, **place, instance=instance)
    assert image.shape == (size, size)
    assert (image.min(), image.max()) == (0, 255)
