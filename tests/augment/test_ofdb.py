"""What stands in for instances: laws, oracles, and that nothing but seed, epoch, index and repeat
decides.
"""

from __future__ import annotations

import pickle
from collections import Counter

import numpy as np
import pytest
import torch

from fdsl import formulas
from fdsl.augment.ofdb import AugmentedImages, RandomRenderer, rotated, textured, weight_rows
from fdsl.images import parameters as parameter_file
from fdsl.images.shards import ShardedImages, render_shard, shard_range
from fdsl.images.streamed import StreamedImages
from fdsl.schema.base import ConfigError
from fdsl.schema.catalogue import SyntheticDataset
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage
from fdsl.train.input.loader import TrainingImages, training_batches
from fdsl.train.input.samplers import InfiniteSampler, OnePerCategory

SETTINGS = {
    "fractaldb": {
        "image_size_px": 48,
        "points": 3000,
        "pad_px": 4,
        "search_size_px": 64,
        "search_points": 8000,
        "weighted": False,
    },
    "exfractaldb": {"image_size_px": 48, "points": 2000, "weighted": False, "view": "fixed12"},
}
INSTANCES = {"fractaldb": 1, "exfractaldb": 12}
SEED = 7


def dataset(formula: str, **settings):
    return SyntheticDataset(
        formula=formula,
        classes=3,
        instances=INSTANCES[formula],
        settings=SETTINGS[formula] | settings,
    )


@pytest.fixture(scope="module")
def streamed():
    found = {}
    for formula in SETTINGS:
        entry = dataset(formula)
        parameters = parameter_file.stack(list(parameter_file.sample(entry, seed=0)))
        found[formula] = StreamedImages(entry, parameters, seed=0)
    return found


def changed(images, **settings):
    """Return the images of a dataset with other settings and the same parameters."""
    return StreamedImages(dataset(images.dataset.formula, **settings), images.parameters, seed=0)


@pytest.fixture
def stored(streamed, tmp_path):
    images = streamed["exfractaldb"]
    part = shard_range(0, shards=1, images=len(images))
    render_shard(tmp_path / "shard.arrow", images, part=part)
    return ShardedImages(images.dataset, [tmp_path / "shard.arrow"], seed=0)


def rng(number: int = 0):
    return np.random.default_rng(number)


@pytest.mark.parametrize("formula", SETTINGS)
@pytest.mark.parametrize(
    "names", [("ifs",), ("pattern",), ("ifs", "pattern", "rotation", "texture")]
)
def test_an_image_is_a_function_of_index_and_generator(streamed, formula, names):
    images = AugmentedImages(streamed[formula], names)
    last = len(images) - 1
    image, label = images.varied(last, rng())
    assert label == 2
    assert image.any()
    copy = pickle.loads(pickle.dumps(images))
    np.testing.assert_array_equal(copy.varied(last, rng())[0], image)
    assert len({images.varied(last, rng(k))[0].tobytes() for k in range(20)}) > 10


@pytest.mark.parametrize("formula", SETTINGS)
def test_without_variation_the_images_are_the_dataset_itself(streamed, formula):
    source = streamed[formula]
    images = AugmentedImages(source, ("ifs", "pattern", "rotation", "texture"))
    assert (len(images), images.classes) == (len(source), 3)
    np.testing.assert_array_equal(images.labels, source.labels)
    np.testing.assert_array_equal(images[1][0], source[1][0])


@pytest.mark.parametrize("formula", SETTINGS)
@pytest.mark.parametrize("start", [{"weighted": False}, {"weighted": True, "instance_row": 0}])
def test_fluctuations_are_the_datasets_of_each_weight(streamed, formula, start):
    """The oracle: the same dataset with that row of the weights; all rows are as likely, the
    identity among them.
    """
    source = changed(streamed[formula], **start)
    rows = weight_rows(source.settings)
    names = {
        changed(source, weighted=True, instance_row=row)[0][0].tobytes(): row for row in range(rows)
    }
    assert streamed[formula][0][0].tobytes() in names
    draw = RandomRenderer(source, ifs=True, pattern=False)
    seen = Counter(names[draw(0, rng(k))[0].tobytes()] for k in range(40 * len(names)))
    assert set(seen) <= set(names.values())
    assert len(seen) > 0.9 * len(names)
    assert max(seen.values()) < 90


@pytest.mark.parametrize("formula", SETTINGS)
def test_weights_have_as_many_rows_as_the_formula_says(streamed, formula):
    settings = streamed[formula].settings
    argument = settings.weight if formula == "fractaldb" else settings.weight_steps
    assert weight_rows(settings) == len(formulas.get(formula).weight_rows(argument))


def test_fewer_steps_have_fewer_rows(streamed):
    assert weight_rows(changed(streamed["exfractaldb"], weight_steps=2).settings) == 49


@pytest.mark.parametrize("formula", SETTINGS)
@pytest.mark.parametrize("start", [{"weighted": False}, {"weighted": True, "instance_row": 0}])
def test_patterns_are_the_dataset_with_another_seed(streamed, formula, start):
    """The oracle: the same parameters, category and instance, drawn from the seed that the
    generator gives.
    """
    source = changed(streamed[formula], **start)
    index = len(source) - 1
    seed = int(rng(3).integers(tree.MAX_SEED, endpoint=True))
    oracle = StreamedImages(source.dataset, source.parameters, seed=seed)
    found, label = AugmentedImages(source, ("pattern",)).varied(index, rng(3))
    np.testing.assert_array_equal(found, oracle[index][0])
    assert label == 2
    assert (found != source[index][0]).any()


@pytest.mark.parametrize("formula", SETTINGS)
def test_fluctuations_move_the_shape_and_patterns_do_not(streamed, formula):
    def spread(*names):
        images = AugmentedImages(streamed[formula], names)
        pictures = np.array([images.varied(0, rng(k))[0] > 0 for k in range(40)])
        return pictures.reshape(40, 6, 8, 6, 8).mean(axis=(2, 4)).var(axis=0).sum()

    assert spread("ifs") > 1.5 * spread("pattern") > 0


def test_views_of_a_category_stay_what_they_are(streamed):
    """New points of view k look more like view k than like the view a quarter turn away."""
    images = streamed["exfractaldb"]
    draw = RandomRenderer(images, ifs=False, pattern=True)

    def blurred(image):
        return (image > 0).reshape(12, 4, 12, 4).mean(axis=(1, 3))

    for view in range(12):
        found = blurred(draw(view, rng(view))[0])
        near, far = (blurred(images[k][0]) for k in (view, (view + 3) % 12))
        assert np.abs(found - near).sum() < np.abs(found - far).sum()


def test_rotation_and_texture_are_applied_to_the_dataset_stored_or_streamed(streamed, stored):
    source = streamed["exfractaldb"]
    for k in range(5):
        draws = rng(k)
        expected = textured(rotated(source[k][0], draws), draws)
        for images in (source, stored):
            found, label = AugmentedImages(images, ("rotation", "texture")).varied(k, rng(k))
            np.testing.assert_array_equal(found, expected)
            assert label == 0


def batches(source, *, epochs=2, start=0, workers=0, one=False, repeated_aug=1):
    stream = (
        OnePerCategory(source.labels, classes=source.classes, seed=SEED)
        if one
        else InfiniteSampler(len(source), seed=SEED, repeated_aug=repeated_aug)
    )
    images = TrainingImages(
        source, lambda image, _: torch.from_numpy(image)[None], stream=stream, seed=SEED
    )
    steps = range(start, epochs * stream.images // 3)
    return training_batches(
        images, lambda s: [range(3 * s, 3 * s + 3)], steps=steps, workers=workers, pin_memory=False
    )


@pytest.mark.parametrize(("formula", "one"), [("fractaldb", False), ("exfractaldb", True)])
def test_loader_processes_and_a_late_start_change_nothing(streamed, formula, one):
    source = AugmentedImages(streamed[formula], ("ifs", "pattern", "rotation", "texture"))
    alone = list(batches(source, one=one, epochs=4))
    assert len(alone) == 4
    for start, workers in ((0, 2), (2, 0), (2, 2)):
        found = list(batches(source, one=one, epochs=4, start=start, workers=workers))
        assert len(found) == 4 - start
        for a, b in zip(found, alone[start:], strict=True):
            assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_seed_epoch_index_and_repeat_alone_decide(streamed):
    source = AugmentedImages(streamed["fractaldb"], ("pattern", "rotation"))
    seen = {}
    for batch in batches(source, epochs=6, repeated_aug=3):
        for image, label, key in zip(*batch[:3], strict=True):
            epoch, index, repeat = key.tolist()
            own = tree.generator(SEED, epoch, index, repeat, Stage.VARY)
            expected, category = source.varied(index, own)
            np.testing.assert_array_equal(image[0].numpy(), expected)
            assert int(label) == category
            seen[epoch, index, repeat] = expected.tobytes()
    assert len(seen) == 18
    assert len(set(seen.values())) == 18  # every time something new


def test_what_comes_after_draws_the_same_numbers_with_and_without(streamed):
    def draws(source):
        stream = InfiniteSampler(len(source), seed=SEED, repeated_aug=1)
        images = TrainingImages(
            source, lambda _, rng: torch.from_numpy(rng.random(3)), stream=stream, seed=SEED
        )
        return images.__getitems__(range(3)).images

    plain = streamed["fractaldb"]
    assert torch.equal(draws(plain), draws(AugmentedImages(plain, ("pattern", "texture"))))


@pytest.mark.parametrize("names", [("ifs",), ("pattern", "texture")])
def test_stored_images_cannot_be_drawn_anew(stored, names):
    with pytest.raises(ConfigError, match=r"but images are stored\. Use images: stream"):
        AugmentedImages(stored, names)


def test_an_index_out_of_range_is_refused(streamed):
    with pytest.raises(IndexError, match="image 3 is out of range 0 to 2"):
        AugmentedImages(streamed["fractaldb"], ("pattern",)).varied(3, rng())


@pytest.mark.parametrize("shape", [(5, 5), (5, 5, 3)])
def test_turns_are_the_four_quarters_each_as_likely(shape):
    image = rng().integers(0, 256, shape).astype(np.uint8)
    names = {np.ascontiguousarray(np.rot90(image, k)).tobytes(): k for k in range(4)}
    draws = rng(1)
    seen = Counter(names[rotated(image, draws).tobytes()] for _ in range(4000))
    # 3 degrees of freedom: the statistic exceeds 16.3 once in a thousand seeds
    assert sum((seen[k] - 1000) ** 2 / 1000 for k in range(4)) < 16.3


@pytest.mark.parametrize("shape", [(40, 40), (40, 31), (40, 40, 3), (1, 1)])
def test_textures_replace_what_is_lit_alone(shape):
    image = (rng().integers(0, 3, shape) * 60).astype(np.uint8)
    kept = image.copy()
    seen = set()
    for k in range(20):
        result = textured(image, rng(k))
        assert result.shape == shape
        assert result.dtype == np.uint8
        lit = image > 0 if image.ndim == 2 else image.any(axis=2)
        np.testing.assert_array_equal(result.reshape(*shape[:2], -1).any(axis=2), lit)
        assert not lit.any() or result[lit].min() >= 64
        seen.add(result.tobytes())
    np.testing.assert_array_equal(image, kept)
    assert shape == (1, 1) or len(seen) == 20
