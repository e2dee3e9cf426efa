"""Composed datasets: what hides what, which pictures stand where, and that a canvas depends on
nothing else.
"""

import json

import numpy as np
import pytest
from train.detection import tiny_detection as tiny

from fdsl.datasets import compose
from fdsl.datasets.downstream import check, load
from fdsl.io.storage import DamagedFile
from fdsl.schema.base import ConfigError, validate
from fdsl.schema.catalogue import BOTH, Composition

pytest.importorskip("pycocotools")


@pytest.fixture(scope="module")
def known():
    return compose.categories(tiny.composition(), {"shapes": [tiny.Shapes(40)]})


def test_no_picture_stands_on_training_and_test_canvases(known):
    assert [category.name for category in known] == ["shapes 0", "shapes 1"]
    for category in known:
        seen = {part: {p.tobytes() for p in category.images[part]} for part in BOTH}
        assert len(seen["train"]) == len(seen["test"]) == 10
        assert not seen["train"] & seen["test"]


def test_masks_hold_what_can_be_seen_and_never_overlap(known):
    made = tiny.composition(objects=(3, 3), background_level=0)
    hidden = 0
    for number in range(40):
        canvas = compose.draw(made, known, part="train", number=number)
        masks = np.array(canvas.masks)
        assert masks.sum(0).max() <= 1
        bright = canvas.image > 2 * compose.NOISE
        np.testing.assert_array_equal(bright, canvas.image >= made.foreground_level)
        np.testing.assert_array_equal(masks.any(0), bright)
        squares = [m for m, c in zip(canvas.masks, canvas.categories, strict=True) if c == 0]
        for mask in squares:
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
            hidden += mask.sum() < box
    assert hidden > 3  # squares that others cover in part do occur


@pytest.mark.parametrize("least", [0.3, 0.9])
def test_objects_keep_the_share_of_their_area_that_must_be_visible(known, least):
    made = tiny.composition(objects=(3, 3), min_visible=least, object_px=(12, 12), size_px=(32, 32))
    shares = []
    for number in range(30):
        canvas = compose.draw(made, known, part="test", number=number)
        for mask, category in zip(canvas.masks, canvas.categories, strict=True):
            whole = 100 if category == 0 else 2 * 12 * 2 - 4
            shares.append(mask.sum() / whole)
    assert least <= min(shares) < least + 0.3


def test_a_canvas_depends_on_its_number_alone(known):
    made = tiny.composition()
    more = tiny.composition(train_images=500)
    first = compose.draw(made, known, part="train", number=7)
    again = compose.draw(more, known, part="train", number=7)
    np.testing.assert_array_equal(first.image, again.image)
    sizes = {
        part: [compose.draw(made, known, part=part, number=k).image.shape for k in range(8)]
        for part in BOTH
    }
    assert sizes["train"] != sizes["test"]


def test_run_lengths_boxes_and_areas_are_those_of_pycocotools():
    from pycocotools import mask as coco

    rng = np.random.default_rng(0)
    for share in (0.05, 0.5, 1.0):
        mask = rng.random((9, 7)) < share
        mask[4, 3] = True
        found = compose.described(mask)
        code = coco.frPyObjects(found["segmentation"], 9, 7)
        assert found["segmentation"]["size"] == [9, 7]
        assert code["counts"] == coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
        assert found["area"] == coco.area(code) == mask.sum()
        assert found["bbox"] == coco.toBbox(code).tolist()


def test_the_written_dataset_is_read_as_it_was_drawn(tmp_path, known):
    described = tiny.write(tmp_path)
    for part in BOTH:
        source = load(described, tmp_path, split=part)
        assert len(source) == (12 if part == "train" else 6)
        for index in range(len(source)):
            canvas = compose.draw(described.composed, known, part=part, number=index)
            scene = source[index]
            np.testing.assert_array_equal(scene.image, np.stack([canvas.image] * 3, axis=-1))
            assert scene.labels.tolist() == canvas.categories
            np.testing.assert_array_equal(scene.masks.astype(bool), np.array(canvas.masks))
            for box, mask in zip(scene.boxes, scene.masks, strict=True):
                rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
                assert box.tolist() == [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


def test_the_manifest_stands_for_the_pixels(tmp_path):
    before = check(tiny.write(tmp_path / "a"), tmp_path / "a")["parts"]
    again = check(tiny.write(tmp_path / "b"), tmp_path / "b")["parts"]
    darker = check(tiny.write(tmp_path / "c", background_level=39), tmp_path / "c")["parts"]
    assert before == again
    assert all(before[part]["sha256"] != darker[part]["sha256"] for part in BOTH)
    names = [json.loads(p.read_text())["images"] for p in sorted(tmp_path.rglob("*train.json"))]
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize("name", ["train/*.png", "annotations/instances_train.json"])
def test_what_was_altered_after_composing_is_refused_by_every_part(tmp_path, name):
    described = tiny.write(tmp_path)
    (path, *_) = sorted((tmp_path / described.folder).glob(name))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    for part in BOTH:
        with pytest.raises(
            DamagedFile, match=rf"{path.name} is not what was written .*delete the folder"
        ):
            load(described, tmp_path, split=part)


def test_too_few_pictures_or_canvases_are_refused(tmp_path):
    with pytest.raises(ValueError, match="class 0 of shapes has 1 pictures"):
        compose.categories(tiny.composition(), {"shapes": [tiny.Shapes(2)]})
    with pytest.raises(ValueError, match="1 test canvases show no shapes"):
        tiny.write(tmp_path, test_images=1, objects=(1, 1))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size_px": (40, 32)}, ["size_px = (40, 32)", "must ascend"]),
        ({"object_px": (10, 33)}, ["object_px = (10, 33)", "size_px[0] = 32"]),
        ({"train_share": 1.0}, ["train_share = 1.0", "less than 1"]),
    ],
)
def test_settings_that_cannot_be_met_are_named(changes, words):
    values = tiny.composition().model_dump() | changes
    with pytest.raises(ConfigError) as raised:
        validate(Composition, values, where="downstream.yaml: composed")
    assert all(word in str(raised.value) for word in words)
