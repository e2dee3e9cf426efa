"""Pre-training on one instance of each category: what varies, how long an epoch is, and what is
refused.
"""

import json

import numpy as np
import pytest
from train.tiny_training import Images, everything_random, finetune, pretrain, recipe

from fdsl.augment.ofdb import AugmentedImages
from fdsl.images import parameters as parameter_file
from fdsl.images.streamed import StreamedImages
from fdsl.schema.catalogue import SyntheticDataset
from fdsl.train.checkpoint import Interrupted
from fdsl.train.weights import read

ALL = ("ifs", "pattern", "rotation", "texture")


def images(formula="exfractaldb", **settings):
    entry = SyntheticDataset(
        formula=formula, classes=4, instances=12, settings={"image_size_px": 16, **settings}
    )
    parameters = parameter_file.stack(list(parameter_file.sample(entry, seed=0)))
    return StreamedImages(entry, parameters, seed=0)


@pytest.fixture(scope="module")
def ofdb3d():
    return images(points=300, weighted=False, view="fixed12")


def ofdb(**changes):
    values = {
        "repeated_aug": 1,
        "one_per_category": True,
        "ofdb": ALL,
        "epochs": 20,
        "global_batch": 16,
    }
    return everything_random(**(values | changes))


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def result(folder):
    return json.loads((folder / "record.json").read_text())["result"]


@pytest.fixture(scope="module")
def reference(tmp_path_factory, ofdb3d):
    folder = tmp_path_factory.mktemp("reference")
    pretrain(folder, recipe=ofdb(), images=ofdb3d)
    return folder


def test_an_epoch_is_one_image_of_each_category(reference):
    found = result(reference)
    assert found["steps"] == 20 * 4 // 16
    assert found["train_images"] == 48
    lines = (reference / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["epoch"] == 20


def test_loader_processes_change_nothing(tmp_path, reference, ofdb3d):
    pretrain(tmp_path, recipe=ofdb(), images=ofdb3d, devices={"loader_workers": 2})
    assert weights(tmp_path) == weights(reference)
    assert result(tmp_path) == result(reference)


def test_an_interrupted_training_ends_with_the_same_bits(tmp_path, reference, ofdb3d):
    attempts = 0
    while not (tmp_path / "record.json").exists():
        attempts += 1
        try:
            pretrain(tmp_path, recipe=ofdb(), images=ofdb3d, devices={"wall_seconds": 1e-6})
        except Interrupted as stopped:
            assert stopped.step == attempts
    assert attempts == 5
    assert weights(tmp_path) == weights(reference)
    assert result(tmp_path) == result(reference)


@pytest.mark.parametrize(
    "change", [{"ofdb": ()}, {"ofdb": ("rotation",)}, {"one_per_category": False, "epochs": 2}]
)
def test_each_of_the_options_decides_the_training(tmp_path, reference, ofdb3d, change):
    pretrain(tmp_path, recipe=ofdb(**change), images=ofdb3d)
    theirs = read(reference / "model.safetensors")[0]
    ours = read(tmp_path / "model.safetensors")[0]
    assert any((ours[name] != theirs[name]).any() for name in ours)


def test_images_that_were_varied_before_are_taken_as_they_are(tmp_path, reference, ofdb3d):
    pretrain(tmp_path, recipe=ofdb(), images=AugmentedImages(ofdb3d, ALL))
    assert weights(tmp_path) == weights(reference)


def test_images_varied_otherwise_than_the_recipe_says_are_refused(tmp_path, ofdb3d):
    with pytest.raises(ValueError, match=r"ofdb = \[\], but .* are varied by \['texture'\]"):
        pretrain(tmp_path, recipe=recipe(), images=AugmentedImages(ofdb3d, ("texture",)))


@pytest.mark.parametrize("train", [pretrain, finetune])
def test_other_images_cannot_be_varied(tmp_path, train):
    with pytest.raises(ValueError, match=r"ofdb = \['texture'\], but .* are varied by \[\]"):
        train(tmp_path, recipe=recipe(ofdb=["texture"]))


@pytest.mark.parametrize(
    ("formula", "settings", "text"),
    [
        ("rcdb", {}, "cannot be used on the formula rcdb"),
        ("exfractaldb", {"points": 300}, "Set weighted: false or an instance_row"),
    ],
)
def test_datasets_that_have_no_such_augmentation_are_refused(tmp_path, formula, settings, text):
    with pytest.raises(ValueError, match=text):
        pretrain(tmp_path, recipe=ofdb(), images=images(formula, **settings))


def test_a_category_without_an_image_is_refused_before_training(tmp_path):
    class Gap(Images):
        def __init__(self, n):
            super().__init__(n)
            self.labels = np.where(self.labels == 2, 1, self.labels)

        def __getitem__(self, index):
            raise AssertionError("no image may be needed to see that")

    with pytest.raises(ValueError, match="category 2 has no image"):
        pretrain(tmp_path, recipe=recipe(one_per_category=True), images=Gap(50))
