"""The training stream: every image gets its turn, and position alone decides."""

import itertools
import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from timm.data.distributed_sampler import RepeatAugSampler

from fdsl.seeding import tree
from fdsl.train.input.samplers import Example, InfiniteSampler, OnePerCategory

SIZES = st.integers(1, 300)
REPEATS = st.integers(1, 5)
SEEDS = st.integers(0, tree.MAX_SEED)


def indices(stream, start, stop):
    return [stream.at(position).index for position in range(start, stop)]


def test_an_epoch_without_repeats_is_a_permutation_keyed_by_seed_and_epoch():
    stream = InfiniteSampler(101, seed=7, repeated_aug=1)
    epochs = [indices(stream, 101 * e, 101 * (e + 1)) for e in range(3)]
    assert all(sorted(epoch) == list(range(101)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert epochs[0] != indices(InfiniteSampler(101, seed=8, repeated_aug=1), 0, 101)


@settings(max_examples=60, deadline=None)
@given(images=SIZES, repeated_aug=REPEATS, seed=SEEDS, cycle=st.integers(0, 3))
def test_a_cycle_draws_every_image_exactly_as_often_as_repeats_says(
    images, repeated_aug, seed, cycle
):
    stream = InfiniteSampler(images, seed=seed, repeated_aug=repeated_aug)
    length = images * repeated_aug
    drawn = [stream.at(cycle * length + place) for place in range(length)]
    assert Counter(draw.index for draw in drawn) == dict.fromkeys(range(images), repeated_aug)
    assert {draw.epoch for draw in drawn} == set(
        range(cycle * repeated_aug, (cycle + 1) * repeated_aug)
    )
    assert len(set(drawn)) == length  # no two draws share the key of their augmentation


@settings(max_examples=40, deadline=None)
@given(images=SIZES, repeated_aug=REPEATS, seed=SEEDS, data=st.data())
def test_position_alone_decides(images, repeated_aug, seed, data):
    stream = InfiniteSampler(images, seed=seed, repeated_aug=repeated_aug)
    ordered = [stream.at(position) for position in range(3 * images)]
    positions = data.draw(st.lists(st.integers(0, 3 * images - 1), max_size=20))
    resumed = InfiniteSampler(images, seed=seed, repeated_aug=repeated_aug)
    assert [resumed.at(position) for position in positions] == [
        ordered[position] for position in positions
    ]


@pytest.mark.parametrize("images", [2, 3, 5, 7, 12, 13, 1000, 1001])
@pytest.mark.parametrize("repeated_aug", [2, 3, 4])
def test_neighbours_in_a_cycle_are_different_images(images, repeated_aug):
    drawn = indices(
        InfiniteSampler(images, seed=1, repeated_aug=repeated_aug), 0, images * repeated_aug
    )
    assert all(a != b for a, b in itertools.pairwise(drawn))


def test_the_pairs_that_mixing_forms_change_from_view_to_view():
    drawn = indices(InfiniteSampler(1000, seed=1, repeated_aug=3), 0, 3000)
    pairs = [frozenset(pair) for pair in zip(drawn[::2], drawn[1::2], strict=True)]
    assert len(set(pairs)) == len(pairs)


def test_the_views_of_an_image_are_close_enough_to_share_a_batch():
    drawn = indices(InfiniteSampler(1000, seed=1, repeated_aug=3), 0, 3000)
    places = {}
    for place, index in enumerate(drawn):
        places.setdefault(index, []).append(place)
    assert max(found[-1] - found[0] for found in places.values()) < 2 * 2 * 3 * 3


def test_an_epoch_with_repeats_holds_about_a_third_of_the_images_three_times():
    epoch = Counter(indices(InfiniteSampler(1000, seed=3, repeated_aug=3), 0, 1000))
    assert sum(epoch.values()) == 1000
    assert 1000 / 3 <= len(epoch) <= 1000 / 3 + 2 * 3
    assert Counter(epoch.values())[3] >= 330


@pytest.mark.parametrize(("images", "timm_draws"), [(1000, 768), (100, 100), (255, 255)])
def test_no_draw_of_an_epoch_is_lost_where_timm_rounds_down(images, timm_draws):
    """timm drops 232 of 1000 draws; DeiT's original, n // 256 * 256, gave none below 256."""
    timm_sampler = RepeatAugSampler(range(images), num_replicas=1, rank=0, num_repeats=3)
    assert len(list(timm_sampler)) == timm_draws
    ours = indices(InfiniteSampler(images, seed=0, repeated_aug=3), 0, 3 * images)
    assert len(ours) == 3 * images
    assert set(ours) == set(range(images))


def test_the_cache_is_small_and_stays_at_home():
    stream = InfiniteSampler(100_000, seed=1, repeated_aug=1)
    before = stream.at(5)
    assert stream._order.dtype == np.int32
    assert len(pickle.dumps(stream)) < 1000
    assert pickle.loads(pickle.dumps(stream)).at(5) == before


def test_draws_are_plain_integers():
    draw = InfiniteSampler(10, seed=1, repeated_aug=3).at(4)
    assert isinstance(draw, Example)
    assert all(type(part) is int for part in draw)


@pytest.mark.parametrize(
    ("images", "seed", "repeated_aug", "complaint"),
    [
        (0, 1, 1, "images = 0"),
        (2**31, 1, 1, "images = 2147483648"),
        (5, 1, 0, "repeated_aug = 0"),
        (5, -1, 1, "seed -1"),
    ],
)
def test_values_out_of_range_are_refused(images, seed, repeated_aug, complaint):
    with pytest.raises(ValueError, match=complaint):
        InfiniteSampler(images, seed=seed, repeated_aug=repeated_aug)


def test_the_stream_has_no_negative_positions():
    with pytest.raises(ValueError, match="position = -1"):
        InfiniteSampler(5, seed=1, repeated_aug=1).at(-1)


@settings(max_examples=40, deadline=None)
@given(counts=st.lists(st.integers(1, 12), min_size=1, max_size=30), seed=SEEDS, mix=st.randoms())
def test_an_epoch_shows_one_image_of_each_category(counts, seed, mix):
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    mix.shuffle(labels)
    stream = OnePerCategory(np.array(labels), classes=len(counts), seed=seed)
    assert stream.images == len(counts)
    drawn = [stream.at(position) for position in range(3 * len(counts))]
    for epoch in range(3):
        part = drawn[epoch * len(counts) : (epoch + 1) * len(counts)]
        assert sorted(labels[draw.index] for draw in part) == list(range(len(counts)))
        assert {(draw.epoch, draw.repeat) for draw in part} == {(epoch, 0)}
    resumed = OnePerCategory(np.array(labels), classes=len(counts), seed=seed)
    assert [resumed.at(position) for position in reversed(range(len(drawn)))] == drawn[::-1]
    assert all(type(part) is int for draw in drawn for part in draw)


def test_the_view_of_a_category_is_keyed_by_seed_epoch_and_category_alone():
    """The oracle: a uniform draw for each category, in the shuffled order of the categories."""
    classes, views = 40, 12
    stream = OnePerCategory(np.repeat(np.arange(classes), views), classes=classes, seed=3)
    order = InfiniteSampler(classes, seed=3, repeated_aug=1)
    for position in range(5 * classes):
        epoch, category, _ = order.at(position)
        view = tree.generator(3, epoch, category, tree.Stage.VIEW).integers(views)
        assert stream.at(position) == Example(epoch, category * views + view, 0)


def test_all_views_are_as_likely():
    classes, views, epochs = 10, 12, 600
    stream = OnePerCategory(np.repeat(np.arange(classes), views), classes=classes, seed=1)
    seen = Counter(index % views for index in indices(stream, 0, classes * epochs))
    expected = classes * epochs / views
    # 11 degrees of freedom: the statistic exceeds 31.3 once in a thousand seeds
    assert sum((seen[view] - expected) ** 2 / expected for view in range(views)) < 31.3


def test_the_views_of_categories_and_epochs_are_drawn_by_themselves():
    classes = 50
    stream = OnePerCategory(np.repeat(np.arange(classes), 12), classes=classes, seed=1)
    epochs = [{i // 12: i % 12 for i in indices(stream, e * 50, (e + 1) * 50)} for e in range(2)]
    same = sum(epochs[0][category] == epochs[1][category] for category in range(classes))
    assert same < 15  # 4 are expected
    assert len(set(epochs[0].values())) > 8


def test_with_one_image_of_each_category_it_is_the_plain_stream():
    plain = InfiniteSampler(30, seed=2, repeated_aug=1)
    stream = OnePerCategory(np.arange(30), classes=30, seed=2)
    assert [stream.at(p) for p in range(90)] == [plain.at(p) for p in range(90)]


def test_it_travels_without_its_permutation():
    stream = OnePerCategory(np.repeat(np.arange(5000), 2), classes=5000, seed=1)
    before = stream.at(5)
    copy = pickle.loads(pickle.dumps(stream))
    assert copy._order.size == 0
    assert copy.at(5) == before


@pytest.mark.parametrize(
    ("labels", "classes", "complaint"),
    [
        ([0, 2], 3, "category 1 has no image, .* set one_per_category: false"),
        ([0, 1, 2], 2, "labels from 0 to 2 do not fit classes = 2"),
        ([-1, 0], 1, "labels from -1 to 0 do not fit"),
        ([], 1, "images = 0 is out of range"),
    ],
)
def test_labels_that_give_no_epoch_are_refused(labels, classes, complaint):
    with pytest.raises(ValueError, match=complaint):
        OnePerCategory(np.array(labels, dtype=np.int64), classes=classes, seed=0)
