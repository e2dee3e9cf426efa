"""The official mode of FractalDB: its sequence of candidates and its pixels."""

import pickle

import numpy as np
import pytest
from oracles import official_fractaldb as slow

from fdsl.images.official import images
from fdsl.images.official.fractaldb import SEARCH_SEED, filling_rate, orbit, window
from fdsl.schema.base import ConfigError
from fdsl.schema.catalogue import SyntheticDataset


def official(**settings):
    entry = SyntheticDataset(formula="fractaldb", classes=30, instances=400, settings=settings)
    return images(entry, threads=1)


@pytest.fixture(scope="module")
def published():
    return official(draw="point", image_size_px=96, points=3000)


def test_the_first_categories_are_the_published_candidates(published):
    found = [int(published.parameters.of(k)["candidate"][0]) for k in range(5)]
    assert found == [24, 29, 68, 88, 95]


@pytest.mark.slow
def test_category_24_is_the_published_candidate(published):
    assert published.parameters.of(24)["candidate"][0] == 862


def test_the_search_reads_the_stream_as_the_slow_program_does():
    few = official(search_points=400, filling_rate=0.0009)
    settings = few.settings
    accepted = []
    sequence = slow.candidates(np.random.RandomState(SEARCH_SEED), 400)
    for number, (rows, uniforms) in enumerate(sequence, start=1):
        reached = np.count_nonzero(slow.picture(rows, uniforms, 512, 6)) / 512**2
        if reached >= settings.filling_rate:
            accepted.append((number, rows))
        if len(accepted) == 4:
            break
    for category, (number, rows) in enumerate(accepted):
        found = few.parameters.of(category)
        assert found["candidate"][0] == number
        assert np.array_equal(np.array(rows), np.array([found[c] for c in "abcdefp"]).T)


@pytest.mark.parametrize("weight", [0.1, 0.4, 0.5])
def test_points_are_those_of_the_slow_program(weight):
    dataset = official(draw="point", image_size_px=80, points=2500, weight=weight)
    uniforms = np.random.RandomState(100).random_sample(2500)
    found = dataset.parameters.of(1)
    system = np.array([found[name] for name in "abcdefp"]).T
    rows = slow.weights(weight)
    for row in (0, 2, 3, 9, 24):
        weighted = system.copy()
        weighted[:, :6] *= rows[row]
        pictures = slow.flips(slow.picture(weighted, uniforms, 80, 6))
        for flip in range(4):
            image = dataset.image(category=1, instance=row + 25 * flip)
            np.testing.assert_array_equal(image, pictures[flip])


def test_an_overflowing_orbit_is_drawn_as_far_as_the_original_draws_it():
    system = np.array([[1.9, 0.4, -0.3, 2.1, 0.2, 0.1], [-1.7, 0.9, 0.8, 1.6, -0.3, 0.5]])
    shares, uniforms = np.array([0.5, 0.5]), np.random.RandomState(3).random_sample(4000)
    x, y = orbit(system, shares, uniforms)
    assert len(x) < 4000
    columns, rows = window(x, y, 64, 6)
    canvas = np.zeros((64, 64), np.uint8)
    canvas[rows, columns] = 127
    expected = slow.picture(np.c_[system, shares].tolist(), uniforms.tolist(), 64, 6)
    np.testing.assert_array_equal(canvas, expected)


def test_a_system_without_extent_fills_nothing():
    system = np.array([[0.5, 0, 0, 0.5, 0, 0]])
    assert filling_rate(system, np.ones(1), np.full(50, 0.5)) == 0


def test_patches_are_seeded_and_shared_by_the_flips():
    dataset = official(image_size_px=64, points=800)
    first = dataset.image(category=0, instance=3)
    again = pickle.loads(pickle.dumps(dataset)).image(category=0, instance=3)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(dataset.image(category=0, instance=28), np.flipud(first))
    np.testing.assert_array_equal(dataset.image(category=0, instance=53), np.fliplr(first))
    assert (dataset.image(category=0, instance=103) != first).any()


def test_settings_of_ours_are_not_the_authors():
    with pytest.raises(ConfigError, match=r"official mode of fractaldb: patch_mode.*unknown"):
        official(patch_mode="per_image")
