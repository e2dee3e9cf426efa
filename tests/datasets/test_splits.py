"""What is pre-trained on is never fine-tuned on or tested on."""

import numpy as np
import pytest
from oracles import downstream_layouts as layouts

from fdsl.datasets import downstream
from fdsl.datasets.splits import load_splits, pretraining_images
from fdsl.io.storage import DamagedFile

SPLITS = [(200, 0), (200, 1), (50, 7)]


@pytest.fixture(scope="module")
def digits():
    entry = layouts.entry("digits")
    return entry, downstream.check(entry, "nowhere")


def part(digits, **changes):
    entry, manifest = digits
    values = {"exclude": SPLITS, "images": None, "seed": 0, "manifest": manifest}
    return pretraining_images(entry, "nowhere", **(values | changes))


def labelled(digits, count, seed):
    entry, manifest = digits
    return load_splits(
        entry, "nowhere", manifest=manifest, train_labels=count, test_images=None, seed=seed
    )


def test_no_picture_is_in_a_split_that_is_excluded_and_all_others_are(digits):
    found = part(digits)
    used = {int(i) for split in SPLITS for i in labelled(digits, *split).train.indices}
    assert not used & set(found.indices.tolist())
    assert len(found) + len(used) == len(labelled(digits, 200, 0).train.source)
    assert found.classes == 10
    assert len(np.unique(found.labels)) == 10


def test_it_is_the_training_part(digits):
    entry, _ = digits
    train = downstream.load(entry, "nowhere", split="train")
    whole = part(digits, exclude=[])
    assert len(whole) == len(train)
    assert whole.digest() == train.digest()
    found = part(digits)
    for index in (0, len(found) - 1):
        image, label = found[index]
        assert np.array_equal(image, train[int(found.indices[index])][0])
        assert label == found.labels[index]


def test_a_part_of_the_rest_is_balanced_keyed_by_the_seed_and_nested(digits):
    found = part(digits, images=300)
    assert np.bincount(found.labels).tolist() == [30] * 10
    rest = set(part(digits).indices.tolist())
    assert set(found.indices.tolist()) <= rest
    assert np.array_equal(found.indices, part(digits, images=300).indices)
    assert not np.array_equal(found.indices, part(digits, images=300, seed=1).indices)
    assert set(part(digits, images=100).indices.tolist()) <= set(found.indices.tolist())


@pytest.mark.parametrize("seed", [0, 3])
def test_resplit_chooses_labels_of_both_parts_and_tests_on_all_the_rest(digits, seed):
    entry, manifest = digits
    options = {"manifest": manifest, "train_labels": 200, "test_images": None, "seed": seed}
    found = load_splits(entry, "nowhere", resplit=True, **options)
    parts = [downstream.load(entry, "nowhere", split=split) for split in ("train", "test")]
    trained, tested = found.train.indices, found.test.indices
    both = np.sort(np.concatenate([trained, tested]))
    assert np.array_equal(both, np.arange(sum(map(len, parts))))  # disjoint, and nothing is left
    assert len(trained) == 200
    assert np.bincount(found.train.labels).tolist() == [20] * 10
    assert trained.min() < len(parts[0]) <= trained.max()
    assert tested.min() < len(parts[0]) <= tested.max()
    for source, indices in ((found.train, trained), (found.test, tested)):
        for index in (0, len(source) - 1):
            part, offset = (0, 0) if indices[index] < len(parts[0]) else (1, len(parts[0]))
            image, label = parts[part][int(indices[index]) - offset]
            assert np.array_equal(source[index][0], image)
            assert source[index][1] == label
    other = load_splits(entry, "nowhere", resplit=True, **(options | {"seed": seed + 1}))
    assert not np.array_equal(other.train.indices, trained)


def test_more_than_there_is_is_refused(digits):
    with pytest.raises(ValueError, match=r"2000 images of .* use fewer images"):
        part(digits, images=2000)
    with pytest.raises(ValueError, match=r"images .* to pre-train on: 57 of its 1437"):
        part(digits, exclude=[(1380, 0)], images=60)


def test_a_dataset_that_changed_since_it_was_checked_is_refused(digits):
    other = {"parts": {"train": {"sha256": "0" * 64}}}
    with pytest.raises(DamagedFile, match=r"train part of .* changed after it was checked"):
        part(digits, manifest=other)


def test_shuffled_labels_keep_images_and_class_counts_and_depend_on_the_seed(digits):
    own, found = part(digits, images=300), part(digits, images=300, shuffle_labels=True)
    assert len(found) == 300
    assert found.classes == own.classes
    assert np.bincount(found.labels).tolist() == np.bincount(own.labels).tolist()
    assert (found.labels == own.labels).mean() < 0.25  # a tenth agrees by chance
    for index in (0, 299):
        image, label = found[index]
        assert np.array_equal(image, own[index][0])
        assert label == found.labels[index]
    again = part(digits, images=300, shuffle_labels=True)
    assert np.array_equal(found.labels, again.labels)
    other = part(digits, images=300, shuffle_labels=True, seed=1)
    assert not np.array_equal(found.labels, other.labels)
