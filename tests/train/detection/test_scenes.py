"""Scenes as batches: order, flips, gray, crowds."""

import numpy as np
import pytest
from PIL import Image
from train.detection import tiny_detection as tiny

from fdsl.train.detection.scenes import (
    SceneTransform,
    TestScenes,
    TrainingScenes,
    flipped,
    planes,
    without_crowds,
)

pytest.importorskip("pycocotools")


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return tiny.parts(tmp_path_factory.mktemp("scenes"))[0]


def test_a_flip_keeps_boxes_on_masks_and_undoes_itself(train):
    for index in range(4):
        scene = train[index]
        mirrored = flipped(scene)
        assert (mirrored.image[:, ::-1] == scene.image).all()
        for box, mask in zip(mirrored.boxes, mirrored.masks, strict=True):
            columns = np.flatnonzero(mask.any(0))
            assert box[[0, 2]].tolist() == [columns[0], columns[-1] + 1]
        twice = flipped(mirrored)
        np.testing.assert_array_equal(twice.boxes, scene.boxes)
        np.testing.assert_array_equal(twice.masks, scene.masks)


def test_gray_is_that_of_pillow():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        planes(image, 1)[0], np.array(Image.fromarray(image).convert("L"))
    )
    np.testing.assert_array_equal(planes(image, 3).permute(1, 2, 0), image)


def test_the_stream_shows_every_picture_once_an_epoch_and_is_a_function_of_position(train):
    scenes = TrainingScenes(train, SceneTransform(channels=1, flip=0.5), seed=1)
    numbers = scenes.__getitems__(range(len(train))).numbers.tolist()
    assert sorted(numbers) == train.image_ids.tolist() != numbers
    alone, together = scenes.__getitems__([17]), scenes.__getitems__([3, 17])
    assert (alone.images[0] == together.images[1]).all()
    assert all((alone.targets[0][k] == together.targets[1][k]).all() for k in alone.targets[0])
    first = [scenes.__getitems__([k]).images[0] for k in range(24)]
    other = TrainingScenes(train, SceneTransform(channels=1, flip=0.0), seed=1)
    same = [(other.__getitems__([k]).images[0] == first[k]).all() for k in range(24)]
    assert 0 < sum(same) < 24  # some are flipped


def test_crowds_and_pictures_without_objects_are_no_targets(train):
    crowd = train.crowd.copy()
    crowd[train.first[0] : train.first[1]] = True  # the first picture shows a crowd alone
    crowd[train.first[1]] = True
    changed = type(train)(**{**train.__dict__, "crowd": crowd})
    scenes = TrainingScenes(changed, SceneTransform(channels=1, flip=0.0), seed=0)
    assert scenes.stream.images == np.count_nonzero(changed.objects) < len(train)
    batch = scenes.__getitems__(range(scenes.stream.images))
    assert changed.image_ids[0] not in batch.numbers.tolist()
    counts = dict(
        zip(batch.numbers.tolist(), (len(t["labels"]) for t in batch.targets), strict=True)
    )
    assert counts == {
        n: k for n, k in zip(changed.image_ids.tolist(), changed.objects, strict=True) if k
    }
    assert len(without_crowds(changed[1]).labels) == changed.objects[1]


def test_labels_begin_at_one_and_test_pictures_keep_their_order(train):
    batch = TestScenes(train, channels=3).__getitems__(range(5))
    assert batch.numbers.tolist() == train.image_ids[:5].tolist()
    labels = np.concatenate([target["labels"] for target in batch.targets])
    assert set(labels.tolist()) == {1, 2}


def test_other_channels_and_nothing_to_learn_are_refused(train):
    with pytest.raises(ValueError, match="a network of 4 channels"):
        TestScenes(train, channels=4)
    empty = type(train)(**{**train.__dict__, "crowd": np.ones_like(train.crowd)})
    with pytest.raises(ValueError, match="no image shows an object"):
        TrainingScenes(empty, SceneTransform(channels=1, flip=0.0), seed=0)
