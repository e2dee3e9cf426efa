"""Every formula draws, pixel for pixel, what a slow and obvious program draws."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import (
    chaos_game,
    exfractaldb as slow_exfractaldb,
    fractaldb as slow_fractaldb,
    rcdb as slow_rcdb,
)
from oracles.xoshiro import Xoshiro

from fdsl.formulas import exfractaldb, fractaldb, ifs, rcdb
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage

DIVERGING = np.array([[1.3, 0.2, 0.1, 1.2, 0.4, -0.2], [0.5, 0.1, -0.3, 0.4, 0.3, 0.6]])


def state(formula, category: int, instance: int):
    return tree.kernel_state(5, formula.FORMULA_ID, category, instance, Stage.RENDER)


@pytest.mark.parametrize(
    "options",
    [
        {"image_size_px": 96, "points": 3000},
        {"image_size_px": 96, "points": 3000, "patch_mode": "per_image", "gray_level": 255},
        {"image_size_px": 64, "points": 2000, "draw": "point", "pad_px": 0},
        {"image_size_px": 64, "points": 2000, "draw": "point", "colour": "hues"},
        {"image_size_px": 64, "points": 2000, "colour": "hues"},
        {"image_size_px": 33, "points": 900, "colour": "hues", "patch_mode": "per_image"},
        {"image_size_px": 32, "points": 1500, "pad_px": 0},
        {"image_size_px": 32, "points": 1500, "pad_px": 2},
        {"image_size_px": 33, "points": 5, "pad_px": 3},
        {"image_size_px": 16, "points": 1, "pad_px": 1},
    ],
)
def test_fractaldb_equals_its_oracle(options):
    settings = fractaldb.Settings(weighted=False, **options)
    for category in range(2):
        parameters = fractaldb.sample_category(settings, seed=5, category=category)
        system, shares = ifs.read_system("abcdef", parameters)
        for flip in range(4):
            image = fractaldb.render(settings, parameters, seed=5, category=category, instance=flip)
            expected = slow_fractaldb.draw(
                settings, system, shares, state(fractaldb, category, flip), flip=flip
            )
            np.testing.assert_array_equal(image, expected)


def test_weights_multiply_their_coefficient():
    settings = fractaldb.Settings(image_size_px=64, points=500)
    parameters = fractaldb.sample_category(settings, seed=5, category=3)
    system, shares = ifs.read_system("abcdef", parameters)
    for instance, column, factor in (
        (0, 0, 0.2),
        (30, 1, 0.2),
        (2 + 25, 0, 1.0),
        (24 + 75, 5, 1.8),
    ):
        weighted = system.copy()
        weighted[:, column] *= 1 - 0.8 if factor == 0.2 else factor
        expected = slow_fractaldb.draw(
            settings, weighted, shares, state(fractaldb, 3, instance), flip=instance // 25
        )
        image = fractaldb.render(settings, parameters, seed=5, category=3, instance=instance)
        np.testing.assert_array_equal(image, expected)


def test_a_diverging_weight_is_halved_and_drawn_from_the_start_of_its_stream():
    settings = fractaldb.Settings(image_size_px=64, points=4000)
    system, shares = (
        np.array([[0.9, 0.3, -0.3, 0.9, 0.4, 0.1], [0.2, 0.1, 0.1, 0.3, 0.6, -0.5]]),
        [0.9, 0.1],
    )
    parameters = ifs.columns("abcdef", system, np.array(shares), candidate=1)
    image = fractaldb.render(settings, parameters, seed=5, category=0, instance=4)
    for halvings in range(20):
        weighted = system * [1 + 0.8 * 0.5**halvings, 1, 1, 1, 1, 1]
        orbit = {"image": chaos_game.plane, "start": (0.0, 0.0), "first_steps": 0, "bound": 1e6}
        if (
            len(chaos_game.play(Xoshiro(state(fractaldb, 0, 4)), weighted, shares, 4000, **orbit))
            == 4000
        ):
            break
    assert halvings > 0
    expected = slow_fractaldb.draw(settings, weighted, shares, state(fractaldb, 0, 4), flip=0)
    np.testing.assert_array_equal(image, expected)


def test_a_diverged_orbit_is_kept_as_far_as_it_goes():
    settings = fractaldb.Settings(image_size_px=64, points=20_000, weighted=False, diverged="keep")
    shares = ifs.probabilities(DIVERGING)
    parameters = ifs.columns("abcdef", DIVERGING, shares, candidate=1)
    image = fractaldb.render(settings, parameters, seed=5, category=0, instance=0)
    expected = slow_fractaldb.draw(
        settings, DIVERGING, shares, state(fractaldb, 0, 0), flip=0, bound=1e100
    )
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize(
    "options",
    [
        {"points": 2000},
        {"points": 2000, "view": "fixed12"},
        {"points": 300, "point_size_px": 3, "image_size_px": 32},
        {"points": 3},
    ],
)
def test_exfractaldb_equals_its_oracle(options):
    settings = exfractaldb.Settings(weighted=False, **options)
    for category in range(2):
        parameters = exfractaldb.sample_category(settings, seed=5, category=category)
        system, shares = ifs.read_system("abcdefghijkl", parameters)
        for instance in (0, 11, 17):
            image = exfractaldb.render(
                settings, parameters, seed=5, category=category, instance=instance
            )
            expected = slow_exfractaldb.draw(
                settings, system, shares, state(exfractaldb, category, instance), view=instance
            )
            np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"background": "white"},
        {"image_size_px": 96, "broken_lines": 60},
        {"image_size_px": 32, "polygons": (3, 6), "noise": (16.0, 40.0), "vertices": (3, 20)},
        {"image_size_px": 700, "lengths": "pixels"},
        {"noise": (60.0, 90.0), "image_size_px": 64},
    ],
)
def test_rcdb_equals_its_oracle(options):
    settings = rcdb.Settings(**{"polygons": (1, 40)} | options)
    for category in range(6):
        parameters = rcdb.sample_category(settings, seed=5, category=category)
        image = rcdb.render(settings, parameters, seed=5, category=category, instance=2)
        constants = [parameters[name][0].item() for name in rcdb.PARAMETERS]
        expected = slow_rcdb.draw(settings, *constants, state(rcdb, category, 2))
        np.testing.assert_array_equal(image, expected)
