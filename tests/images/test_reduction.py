"""Drawn large and averaged down, and instances spread over the published ones."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings as limits
from hypothesis.strategies import booleans, integers

import fdsl
from fdsl.augment.ofdb import AugmentedImages
from fdsl.formulas import exfractaldb
from fdsl.images import parameters
from fdsl.images.reduction import reduced
from fdsl.images.shards import ShardedImages, render_shard, shard_origin
from fdsl.images.streamed import StreamedImages
from fdsl.io.storage import DamagedFile
from fdsl.schema.base import ConfigError
from fdsl.schema.catalogue import SyntheticDataset
from fdsl.schema.smaller import Reduction

SMALL = {"image_size_px": 64, "points": 400}
CENTRE = {"zoom": 2, "to_px": 16}
EVEN = {"instances": 5, "spread_over": 1000, "classes": 2}


def slow(image, reduction):
    """Return what `reduced` does, pixel by pixel, with exact fractions."""
    kept = len(image) // reduction.zoom
    begin, block = (len(image) - kept) // 2, kept // reduction.to_px
    out = np.empty((reduction.to_px, reduction.to_px, *image.shape[2:]), np.uint8)
    for place in np.ndindex(out.shape):
        top, left = (begin + block * k for k in place[:2])
        part = image[(slice(top, top + block), slice(left, left + block), *place[2:])]
        out[place] = round(Fraction(int(part.astype(int).sum()), block**2))  # half to even
    return out


@given(integers(0, 2**32), integers(1, 3), integers(4, 7), integers(1, 4), booleans())
@limits(max_examples=40, deadline=None)
def test_blocks_of_the_centre_are_averaged_and_halves_rounded_to_even(
    seed, zoom, side, block, colour
):
    reduction = Reduction(zoom=zoom, to_px=side)
    length = zoom * side * block
    levels = 256 if seed % 2 else 3  # few levels make many halves
    shape = (length, length, 3) if colour else (length, length)
    image = np.random.default_rng(seed).integers(0, levels, shape).astype(np.uint8)
    found = reduced(image, reduction)
    assert found.dtype == np.uint8
    assert np.array_equal(found, slow(image, reduction))


@pytest.mark.parametrize("level", [0, 1, 127, 254, 255])
def test_a_constant_picture_stays_constant(level):
    image = np.full((96, 96, 3), level, np.uint8)
    assert np.unique(reduced(image, Reduction(zoom=2, to_px=8))).tolist() == [level]


def test_nothing_to_reduce_gives_the_picture_itself():
    image = np.zeros((8, 8), np.uint8)
    assert reduced(image, None) is image
    assert np.array_equal(reduced(image, Reduction(to_px=8)), image)


@pytest.mark.parametrize("name", ["fractaldb1k", "exfractaldb1k", "rcdb1k", "dead_leaves"])
def test_a_dataset_is_reduced_right_after_its_formula(name):
    sizes = {"classes": 2, "instances": 3, "image_size_px": 64}
    whole, small = fdsl.load(name, **sizes), fdsl.load(name, **sizes, reduce=CENTRE)
    for (image, label), (drawn, same) in zip(small, whole, strict=True):
        assert label == same
        assert np.array_equal(image, slow(drawn, Reduction(**CENTRE)))
    assert np.array_equal(small.images.draw_checked(4)[0], small[4][0])
    assert small.origin == whole.origin | {"reduce": {"zoom": 2, "to_px": 16}}


@pytest.mark.parametrize(
    ("reduction", "words"),
    [
        ({"to_px": 24}, r"image_size_px = 64 must be a multiple of .* 1 × 24 = 24"),
        ({"zoom": 3, "to_px": 16}, r"image_size_px = 64 must be a multiple of .* 3 × 16 = 48"),
        ({"to_px": 128}, r"image_size_px = 64 must be a multiple of .* 1 × 128 = 128"),
        ({"zoom": 0, "to_px": 16}, "reduce.zoom = 0"),
        ({"to_px": 2}, "reduce.to_px = 2"),
        ({"zoom": 2}, "reduce.to_px is missing"),
    ],
)
def test_a_side_that_blocks_do_not_fill_is_refused_in_one_sentence(reduction, words):
    with pytest.raises(ConfigError, match=words) as caught:
        fdsl.load("fractaldb1k", image_size_px=64, reduce=reduction)
    assert "\n" not in str(caught.value)


def test_the_authors_program_reduces_nothing():
    with pytest.raises(ConfigError, match="neither reduce nor spread_over"):
        fdsl.load("fractaldb1k", official=True, reduce={"to_px": 181})


def test_stored_images_are_the_streamed_ones_and_know_how_they_were_made(tmp_path):
    dataset = SyntheticDataset(
        formula="exfractaldb", settings=SMALL, reduce=Reduction(zoom=2, to_px=16), **EVEN
    )
    found = parameters.stack(list(parameters.sample(dataset, seed=3)))
    streamed, path = StreamedImages(dataset, found, seed=3), tmp_path / "a.arrow"
    render_shard(path, streamed, part=range(len(streamed)))
    stored = ShardedImages(dataset, [path], seed=3)
    for index in range(len(streamed)):
        assert np.array_equal(stored[index][0], streamed[index][0])
    for other in ({"reduce": None}, {"spread_over": None}, {"spread_over": 500}):
        with pytest.raises(DamagedFile, match="was made with"):
            ShardedImages(dataset.model_copy(update=other), [path], seed=3)[0]


def test_absent_keys_change_no_spec():
    dataset = SyntheticDataset(formula="fractaldb", classes=2, instances=2, settings={})
    assert dataset.hashed_fields().keys() == {"formula", "classes", "instances", "settings"}
    assert dataset.model_dump().keys() - dataset.hashed_fields().keys() == {"title", "source"}
    assert shard_origin(dataset, 0, range(4)).keys().isdisjoint(SyntheticDataset.OPTIONAL)
    more = dataset.model_copy(update={"reduce": Reduction(to_px=8), "spread_over": 9})
    assert more.hashed_fields() == dataset.hashed_fields() | {
        "reduce": {"zoom": 1, "to_px": 8},
        "spread_over": 9,
    }
    assert SyntheticDataset.model_validate(more.model_dump(mode="json")) == more


@pytest.mark.parametrize("name", ["fractaldb1k", "exfractaldb1k", "rcdb1k", "perlin100"])
def test_spread_instances_are_pictures_of_the_whole_dataset(name):
    """Instance i of n is a published instance of part i of n, pixel for pixel."""
    few = fdsl.load(name, image_size_px=32, **EVEN)
    whole = fdsl.load(name, image_size_px=32, classes=2, instances=1000)
    for category in range(2):
        for instance, published in enumerate([0, 323, 447, 770, 894]):
            assert np.array_equal(
                few.image(category=category, instance=instance),
                whole.image(category=category, instance=published),
            )


@given(integers(1, 300), integers(0, 3000))
def test_spread_instances_are_distinct_ascend_and_reach_both_ends(instances, more):
    whole = instances + more
    sizes = {"classes": 2, "instances": instances, "spread_over": whole}
    dataset = SyntheticDataset(formula="x", settings={}, **sizes)
    found = [dataset.drawn_instance(k) for k in range(instances)]
    assert found[0] == 0
    assert whole - found[-1] <= -(-whole // instances)
    for k, chosen in enumerate(found):
        assert k * whole // instances <= chosen < (k + 1) * whole // instances
    if more == 0:
        assert found == list(range(instances))


def test_a_hundred_of_a_thousand_instances_meet_all_weights():
    """Every tenth instance would meet 5 of FractalDB's 25 weights, and 10 with their flips."""
    sizes = {"classes": 2, "instances": 100, "spread_over": 1000}
    dataset = SyntheticDataset(formula="x", settings={}, **sizes)
    found = [dataset.drawn_instance(k) for k in range(100)]
    assert len({k % 25 for k in found}) == 25
    assert len({(k % 25, k // 25 % 4) for k in found}) >= 90
    table = exfractaldb.Settings().weight_rows()
    varied = {int(np.flatnonzero(table[k % 145] != 1)[0]) for k in found if k % 145 != 6}
    assert varied == set(range(12))


def test_more_instances_than_the_whole_has_are_refused():
    with pytest.raises(ConfigError, match="spread_over = 3 has no 5 instances"):
        fdsl.load("fractaldb1k", instances=5, spread_over=3)


def test_augmentation_draws_anew_what_is_reduced_and_spread():
    settings = {**SMALL, "weighted": False}
    dataset = fdsl.load("fractaldb1k", **EVEN, **settings, reduce={"to_px": 16})
    varied = AugmentedImages(dataset.images, ("pattern",))
    image, label = varied.varied(6, np.random.default_rng(0))
    assert image.shape == (16, 16)
    assert label == 1
    plain = dataset.images.image_with(dataset.settings, seed=0, category=1, instance=1)
    assert np.array_equal(plain, dataset[6][0])
