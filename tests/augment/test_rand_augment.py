"""RandAugment's notation and draws are timm's."""

import random
from collections import Counter

import numpy as np
import pytest
from timm.data import auto_augment

from fdsl.augment.operations import NAMES
from fdsl.augment.rand_augment import Policy, RandAugment, draw, parse, strength

PUBLISHED = "rand-m9-mstd0.5-inc1"
RELATIVE = {"TranslateX": "TranslateXRel", "TranslateY": "TranslateYRel"}
FADING = ("Posterize", "Solarize", "Color", "Contrast", "Brightness", "Sharpness")


def timm_name(name, *, increasing=True):
    return RELATIVE.get(name, name + "Increasing" if increasing and name in FADING else name)


def gradient():
    return np.add.outer(np.arange(24) * 5, np.arange(24) * 4)[None].astype(np.uint8)


def test_the_operations_are_timms():
    ops = auto_augment.rand_augment_transform(PUBLISHED, {}).ops
    assert sorted(timm_name(name) for name in NAMES) == sorted(op.name for op in ops)
    plain = auto_augment.rand_augment_transform("rand-m9", {}).ops
    assert sorted(timm_name(name, increasing=False) for name in NAMES) == sorted(
        op.name for op in plain
    )


def test_operations_and_arguments_are_distributed_as_timms(monkeypatch):
    """Counts over 6000 images and means of the arguments within five standard deviations."""
    applied = []
    for op in (
        transform := auto_augment.rand_augment_transform(PUBLISHED, {"img_mean": (128,)})
    ).ops:
        monkeypatch.setattr(
            op,
            "aug_fn",
            lambda image, *arguments, name=op.name, **_: (
                applied.append((name, *arguments)) or image
            ),
        )
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 - timm draws from the global generators
    images = 6000
    for _ in range(images):
        transform(None)
    rng, policy = np.random.default_rng(2), parse(PUBLISHED)
    ours = [
        (timm_name(name), strength(name, level, sign=sign, increasing=True))
        for _ in range(images)
        for name, level, sign, _ in draw(policy, rng)
    ]
    expected, counted = Counter(name for name, *_ in applied), Counter(name for name, _ in ours)
    assert set(counted) == set(expected)
    for name, count in expected.items():
        assert abs(counted[name] - count) < 5 * np.sqrt(2 * images * 2 / 30)
        theirs = np.array(
            [arguments[0] for other, *arguments in applied if other == name and arguments]
        )
        mine = np.array([argument for other, argument in ours if other == name])
        if len(theirs):
            for moment in (np.asarray, np.abs):
                error = (
                    np.sqrt(moment(theirs).var() / len(theirs) + moment(mine).var() / len(mine))
                    + 1e-9
                )
                assert abs(moment(theirs).mean() - moment(mine).mean()) < 5 * error, name


def test_half_of_the_layers_are_applied_with_normal_magnitudes():
    rng, images = np.random.default_rng(4), 4000
    levels = np.array(
        [level for _ in range(images) for _, level, *_ in draw(Policy(5, 2, 0.5, True), rng)]
    )
    assert abs(len(levels) - images) < 5 * np.sqrt(images / 2)
    assert abs(levels.mean() - 5) < 5 * 0.5 / np.sqrt(images)
    assert abs(levels.std() - 0.5) < 5 * 0.5 / np.sqrt(2 * images)


def test_half_of_the_geometric_operations_are_bicubic():
    rng, policy = np.random.default_rng(3), parse(PUBLISHED)
    kinds = Counter(cubic for _ in range(2000) for *_, cubic in draw(policy, rng))
    assert 0.45 < kinds[True] / kinds.total() < 0.55


def test_randomness_comes_from_the_generator_alone():
    image, augment = gradient(), RandAugment(PUBLISHED, fill=(128,))
    results = [augment(image, np.random.default_rng(seed)) for seed in (1, 1, *range(2, 12))]
    np.testing.assert_array_equal(results[0], results[1])
    assert len({result.tobytes() for result in results}) > 5
    np.testing.assert_array_equal(image, gradient())


@pytest.mark.parametrize(
    ("notation", "policy"),
    [
        (PUBLISHED, Policy(9.0, 2, 0.5, True)),
        ("rand-m7-n3", Policy(7.0, 3, 0.0, False)),
        ("rand-m9-mstd101-inc0", Policy(9.0, 2, 101.0, False)),
    ],
)
def test_the_notation_is_timms(notation, policy):
    assert parse(notation) == policy


def test_uniform_magnitudes_when_the_noise_is_above_100():
    levels = [
        level
        for _ in range(500)
        for _, level, *_ in draw(Policy(6.0, 2, 101.0, True), np.random.default_rng(_))
    ]
    assert 0 <= min(levels) < 0.5
    assert 5.5 < max(levels) <= 6


@pytest.mark.parametrize("notation", ["augmix-m3", "rand-m9-w0", "rand-m9-p0.3", "rand-mx"])
def test_another_notation_is_refused(notation):
    with pytest.raises(ValueError, match=r"cannot be read: write it as 'rand-m9-mstd0.5-inc1'"):
        parse(notation)


def test_a_magnitude_beyond_the_scale_is_refused():
    with pytest.raises(ValueError, match="m = 11 is out of range, use 0 to 10"):
        parse("rand-m11")
