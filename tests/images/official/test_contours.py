"""The official modes of RCDB and VisualAtom: Python's sequence, Pillow's pixels."""

import pickle
import random

import numpy as np
import pytest
from oracles import official_contours as slow

from fdsl.images.official import images
from fdsl.images.official.python_random import PythonRandom
from fdsl.schema.base import ConfigError
from fdsl.schema.catalogue import SyntheticDataset

COMMON = {"classes": 2, "instances": 3, "size": 128}


def official(formula, *, threads=2, classes=4, instances=3, **settings):
    small = {"image_size_px": 128, "vertices": (3, 60), "polygons": (1, 9)}
    if formula == "visualatom":
        small = {"image_size_px": 128, "vertices": (20, 90), "orbits": (1, 9)}
    entry = SyntheticDataset(
        formula=formula, classes=classes, instances=instances, settings=small | settings
    )
    return images(entry, threads=threads)


def expected(formula, thread):
    if formula == "rcdb":
        return list(slow.rcdb(thread, polygons=9, vertices=60, **COMMON))
    return list(slow.visualatom(thread, orbits=9, vertices=(20, 90), **COMMON))


@pytest.mark.parametrize("seed", [1, 2, 40])
def test_the_sequence_is_pythons(seed):
    ours, theirs = PythonRandom(seed), random.Random(seed)
    for _ in range(300):
        assert ours.randint(-400, 400) == theirs.randint(-400, 400)
        assert ours.uniform(1, 2) == theirs.uniform(1, 2)
        assert ours.expovariate(1 / 100) == theirs.expovariate(1 / 100)
        assert ours.random(3).tolist() == [theirs.random() for _ in range(3)]
        assert ours.randint(0, 255) == theirs.randint(0, 255)
    copy = pickle.loads(pickle.dumps(ours))
    assert copy.random(1)[0] == ours.random(1)[0] == theirs.random()


@pytest.mark.parametrize("formula", ["rcdb", "visualatom"])
@pytest.mark.parametrize("thread", [0, 1])
def test_pictures_and_constants_are_those_of_the_slow_program(formula, thread):
    dataset = official(formula)
    for k, (constants, picture) in enumerate(expected(formula, thread)):
        category, instance = 2 * thread + k // 3, k % 3
        image = dataset.image(category=category, instance=instance)
        np.testing.assert_array_equal(image, picture)
        rows = dataset.parameters.of(category)
        assert [values[0] for values in rows.values()][: len(constants)] == constants


@pytest.mark.parametrize("formula", ["rcdb", "visualatom"])
def test_any_order_gives_the_images_of_their_places(formula):
    forward = official(formula)
    inorder = [forward.draw(k)[0] for k in range(12)]
    for order in ([11, 0, 5, 4, 7, 3, 10, 1], [2, 2, 1, 0]):
        dataset = official(formula)
        for k in order:
            np.testing.assert_array_equal(dataset.draw(k)[0], inorder[k])
    moved = pickle.loads(pickle.dumps(forward))
    np.testing.assert_array_equal(moved.draw(4)[0], inorder[4])


def test_the_number_of_threads_decides():
    one, two = official("rcdb", threads=1), official("rcdb", threads=2)
    np.testing.assert_array_equal(one.draw(0)[0], two.draw(0)[0])
    assert (one.draw(6)[0] != two.draw(6)[0]).any()


@pytest.mark.parametrize("threads", [0, 3, 8])
def test_threads_that_would_lose_classes_are_refused(threads):
    with pytest.raises(ConfigError, match=f"threads = {threads}.*divisor"):
        official("rcdb", threads=threads)


@pytest.mark.parametrize("place", [{"category": 4, "instance": 0}, {"category": 0, "instance": 3}])
def test_images_outside_are_refused(place):
    with pytest.raises(IndexError, match="is out of range"):
        official("visualatom").image(**place)


def test_a_seed_that_means_nothing_is_refused():
    entry = SyntheticDataset(formula="rcdb", classes=4, instances=3, settings={})
    with pytest.raises(ConfigError, match="seed = 7"):
        images(entry, threads=1, seed=7)
    with pytest.raises(ConfigError, match="did you mean 'rcdb'"):
        images(entry.model_copy(update={"formula": "rcdc"}), threads=1)
