"""VOC 2012 with several labels, and pictures without labels."""

import numpy as np
import pytest
from oracles import downstream_layouts as layouts
from oracles.downstream_layouts import pixels

from fdsl.datasets.downstream import MissingData, check, load
from fdsl.datasets.splits import load_splits
from fdsl.io.storage import DamagedFile
from fdsl.schema.base import ConfigError

MAIN = "VOCdevkit/VOC2012/ImageSets/Main"


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_picture_has_the_answers_of_the_class_lists(split, tmp_path):
    entry, answers = layouts.voc_multilabel(tmp_path)
    source = load(entry, tmp_path, split=split)
    theirs = answers[split]
    expected = np.where(theirs == 1, 1, np.where(theirs == 0, -1, 0))  # theirs: 0 is difficult
    assert source.labels.dtype == np.int64
    np.testing.assert_array_equal(source.labels, expected)
    assert source.labels[2, 4] == -1
    assert source.per_class() == (theirs == 1).sum(axis=0).tolist()
    first = 0 if split == "train" else 3
    for index, file in enumerate(layouts.real_pictures("imagenet")[first : first + 3]):
        image, labels = source[index]
        np.testing.assert_array_equal(image, pixels(file))
        np.testing.assert_array_equal(labels, expected[index])
        labels[:] = 9
    np.testing.assert_array_equal(source.labels, expected)


def test_checks_count_pictures_per_class_and_see_changed_answers(tmp_path):
    entry, answers = layouts.voc_multilabel(tmp_path)
    before = check(entry, tmp_path, decode=True)["parts"]["train"]
    assert before["images"] == 3
    assert before["per_class"] == (answers["train"] == 1).sum(axis=0).tolist()
    path = tmp_path / MAIN / "cat_train.txt"
    path.write_text(path.read_text().replace("-1", " 0", 1))
    after = check(entry, tmp_path)["parts"]["train"]
    assert after["per_class"] == before["per_class"]
    assert after["sha256"] != before["sha256"]


def test_parts_are_whole_or_cut_to_the_first_but_never_drawn_by_class(tmp_path):
    entry, _ = layouts.voc_multilabel(tmp_path)
    manifest = check(entry, tmp_path)
    sizes = {"manifest": manifest, "seed": 0}
    parts = load_splits(entry, tmp_path, train_labels=None, test_images=2, **sizes)
    assert parts.test.labels.shape == (2, 20)
    assert parts.test[1][1].shape == (20,)
    with pytest.raises(ValueError, match=r"train_labels = 2 of Pascal VOC 2012 .* several labels"):
        load_splits(entry, tmp_path, train_labels=2, test_images=None, **sizes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2008_000000  1\n2008_000001 -1\n", "does not list the 3 pictures of its part"),
        ("2008_000001 1\n2008_000000 -1\n2008_000002 -1\n", "in their order"),
        ("2008_000000 2\n2008_000001 1\n2008_000002 1\n", "holds '2008_000000 2', expected"),
        ("2008_000000\n2008_000001 1\n2008_000002 1\n", "holds '2008_000000', expected"),
        ("", "does not list"),
    ],
)
def test_class_lists_that_do_not_fit_are_refused(text, message, tmp_path):
    entry, _ = layouts.voc_multilabel(tmp_path)
    (tmp_path / MAIN / "cat_train.txt").write_text(text)
    with pytest.raises(DamagedFile, match=message) as caught:
        load(entry, tmp_path, split="train")
    assert "cat_train.txt" in str(caught.value)


def test_missing_lists_classes_and_pictures(tmp_path):
    entry, _ = layouts.voc_multilabel(tmp_path)
    with pytest.raises(ConfigError, match=r"classes = 21 of .*: VOC has 20"):
        load(entry.model_copy(update={"classes": 21}), tmp_path, split="train")
    with pytest.raises(DamagedFile, match="3 train images, expected 5717"):
        load(layouts.entry("voc12_multilabel", train_images=5717), tmp_path, split="train")
    list_of_cats = tmp_path / MAIN / "cat_val.txt"
    text = list_of_cats.read_text()
    list_of_cats.write_text(text.replace(" 1", "-1"))
    with pytest.raises(DamagedFile, match="no test image of class 7"):
        load(entry, tmp_path, split="test")
    list_of_cats.unlink()
    with pytest.raises(MissingData, match=r"without ImageSets/Main/cat_val\.txt"):
        load(entry, tmp_path, split="train")
    list_of_cats.write_text(text)
    picture = tmp_path / "VOCdevkit/VOC2012/JPEGImages/2008_000001.jpg"
    picture.write_bytes(picture.read_bytes()[:2000])
    with pytest.raises(DamagedFile, match=r"2008_000001\.jpg cannot be read"):
        check(entry, tmp_path, decode=True)
    picture.unlink()
    with pytest.raises(DamagedFile, match=r"1 listed files do not exist.*2008_000001\.jpg"):
        check(entry, tmp_path)
    (tmp_path / MAIN / "train.txt").write_text("../../../x\n")
    for path in (tmp_path / MAIN).glob("*_train.txt"):
        path.write_text("../../../x 1\n")
    with pytest.raises(DamagedFile, match="which is not below"):
        load(entry, tmp_path, split="train")


def test_every_picture_without_a_label_is_found_in_the_order_of_names(tmp_path):
    entry, files = layouts.unlabelled(tmp_path)
    source = load(entry, tmp_path, split="train")
    assert [source.path(k).relative_to(tmp_path / "PASS_dataset").as_posix() for k in range(4)] == [
        "0/a.JPEG",
        "0/b.jpg",
        "1.jpg",
        "1/deep/c.jpg",
    ]
    assert source.classes == 1
    assert source.labels.tolist() == [0, 0, 0, 0]
    for index, file in enumerate(files["train"]):
        np.testing.assert_array_equal(source[index][0], pixels(file))
    manifest = check(entry, tmp_path, decode=True)
    assert manifest["parts"].keys() == {"train"}
    assert manifest["parts"]["train"]["per_class"] == [4]


def test_folders_of_links_are_not_entered_so_that_no_circle_is_walked(tmp_path):
    entry, _ = layouts.unlabelled(tmp_path)
    (tmp_path / "PASS_dataset/1/again").symlink_to(tmp_path / "PASS_dataset")
    assert len(load(entry, tmp_path, split="train")) == 4


def test_pictures_without_labels_have_nothing_to_be_tested_on(tmp_path):
    entry, _ = layouts.unlabelled(tmp_path)
    with pytest.raises(ValueError, match=r"split = 'test' is unknown.*has: train"):
        load(entry, tmp_path, split="test")
    with pytest.raises(ValueError, match="is not for fine-tuning"):
        load_splits(entry, tmp_path, manifest={}, train_labels=None, test_images=None, seed=0)
    (tmp_path / "empty/PASS_dataset").mkdir(parents=True)
    with pytest.raises(DamagedFile, match="holds no image"):
        load(entry, tmp_path / "empty", split="train")
    with pytest.raises(MissingData, match="the folder does not exist"):
        load(entry, tmp_path / "nowhere", split="train")


def test_folders_of_classes_may_lie_directly_below_and_have_no_test_part(tmp_path):
    _, files = layouts.image_folder(tmp_path)
    (tmp_path / "imagenet/train").rename(tmp_path / "imagenet21k")
    real = layouts.entry("imagenet21k", classes=3)
    source = load(real, tmp_path, split="train")
    assert source.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    np.testing.assert_array_equal(source[0][0], pixels(files["train"][0]))
    assert check(real, tmp_path)["parts"].keys() == {"train"}
    with pytest.raises(DamagedFile, match=r"has 3 class folders, ImageNet-21k .* has 4"):
        load(real.model_copy(update={"classes": 4}), tmp_path, split="train")


def test_parts_may_have_other_names(tmp_path):
    entry, _ = layouts.image_folder(tmp_path)
    before = load(entry, tmp_path, split="test")[1][0]
    (tmp_path / "imagenet/val").rename(tmp_path / "imagenet/held out")
    named = entry.model_copy(update={"parts": {"train": "train", "test": "held out"}})
    np.testing.assert_array_equal(load(named, tmp_path, split="test")[1][0], before)
    with pytest.raises(MissingData, match="without val/"):
        load(entry, tmp_path, split="test")


def test_all_places_need_no_list(tmp_path):
    entry, _ = layouts.places(tmp_path)
    (tmp_path / "places365/places30.txt").unlink()
    whole = layouts.entry("places365", classes=3, files=entry.files)
    assert load(whole, tmp_path, split="train").labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert load(whole, tmp_path, split="test").labels.tolist() == [0, 1, 2]
    with pytest.raises(DamagedFile, match=r"has 3 categories, Places365-Standard .* has 4"):
        load(whole.model_copy(update={"classes": 4}), tmp_path, split="train")


def test_the_shipped_list_chooses_the_classes(tmp_path):
    entry = layouts.entry("imagenet100")
    lines = (layouts.CATALOG.parent / "imagenet100_cmc.txt").read_text().splitlines()
    wnids = sorted(line for line in lines if not line.startswith("#"))
    picture = layouts.real_pictures("imagenet")[0]
    for wnid in [*wnids, "n99999999"]:
        for part in ("train", "val"):
            (tmp_path / "imagenet" / part / wnid).mkdir(parents=True)
            (tmp_path / "imagenet" / part / wnid / "1.JPEG").symlink_to(picture)
    source = load(entry, tmp_path, split="test")
    assert source.labels.tolist() == list(range(100))
    assert [source.path(k).parent.name for k in range(100)] == wnids
