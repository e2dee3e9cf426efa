"""RandAugment equals timm's, operation by operation and in distribution."""

import random
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from timm.data import auto_augment

from fdsl.data import rand_augment
from fdsl.data.rand_augment import NAMES, Policy, RandAugment, apply, draw, parse, strength

PUBLISHED = "rand-m9-mstd0.5-inc1"
FILL = (124, 116, 104)
LEVELS = (0.0, 0.7, 3.0, 6.5, 8.6, 9.0, 10.0)
RELATIVE = {"TranslateX": "TranslateXRel", "TranslateY": "TranslateYRel"}
FADING = ("Posterize", "Solarize", "Color", "Contrast", "Brightness", "Sharpness")


def timm_name(name, *, increasing=True):
    return RELATIVE.get(name, name + "Increasing" if increasing and name in FADING else name)


def photograph(*shape, seed=0):
    """Smooth shapes with noise: a histogram with gaps, peaks and both ends."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    base = 120 + 90 * np.sin(x / 7) * np.cos(y / 11)
    image = base[(...,) + (None,) * (len(shape) - 2)] + rng.normal(0, 25, shape)
    return np.clip(image, 0, 250).astype(np.uint8)


def timm_result(name, image, level, *, sign, cubic, fill, increasing=True):
    name = timm_name(name, increasing=increasing)
    resampling = Image.Resampling.BICUBIC if cubic else Image.Resampling.BILINEAR
    operation = auto_augment.AugmentOp(
        name, prob=1.0, magnitude=level, hparams={"img_mean": fill, "interpolation": resampling}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auto_augment, "_randomly_negate", lambda value: sign * value)
        return np.asarray(operation(Image.fromarray(image)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("increasing", [True, False])
def test_each_operation_on_colour_equals_timm(name, increasing):
    image = photograph(41, 33, 3)
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))
    for level in LEVELS:
        for sign, cubic in ((1, False), (-1, True)):
            argument = strength(name, level, sign=sign, increasing=increasing)
            if name == "Posterize" and argument == 0:
                continue  # newer Pillow refuses to keep no bits; see below
            expected = timm_result(
                name, image, level, sign=sign, cubic=cubic, fill=FILL, increasing=increasing
            )
            ours = apply(name, planes, argument, cubic=cubic, fill=FILL)
            np.testing.assert_array_equal(
                ours, expected.transpose(2, 0, 1), err_msg=f"level {level} sign {sign}"
            )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", ["photograph", "sparse", "constant", "two values"])
def test_a_gray_image_comes_out_as_its_rgb_copy_does(name, content):
    image = {
        "photograph": photograph(40, 40),
        "sparse": (photograph(40, 40, seed=1) > 170).astype(np.uint8) * 255,
        "constant": np.full((40, 40), 93, np.uint8),
        "two values": np.pad(np.full((1, 1), 7, np.uint8), (0, 39), constant_values=200),
    }[content]
    image.flags.writeable = False
    for level, sign, cubic in ((9.0, 1, False), (8.3, -1, True)):
        expected = timm_result(
            name, np.repeat(image[:, :, None], 3, 2), level, sign=sign, cubic=cubic, fill=(128,) * 3
        )
        ours = apply(
            name,
            image[None],
            strength(name, level, sign=sign, increasing=True),
            cubic=cubic,
            fill=(128,),
        )
        np.testing.assert_array_equal(np.repeat(ours, 3, 0), expected.transpose(2, 0, 1))


def test_posterizing_to_no_bits_is_black():
    """Magnitude 10, which noise reaches, keeps no bits. Pillow gave black when the released code ran; newer releases raise."""
    assert strength("Posterize", 10.0, sign=1, increasing=True) == 0
    assert not apply("Posterize", photograph(9, 9)[None], 0, cubic=False, fill=(128,)).any()


def test_the_operations_are_timms():
    ops = auto_augment.rand_augment_transform(PUBLISHED, {}).ops
    assert sorted(timm_name(name) for name in NAMES) == sorted(op.name for op in ops)
    plain = auto_augment.rand_augment_transform("rand-m9", {}).ops
    assert sorted(timm_name(name, increasing=False) for name in NAMES) == sorted(
        op.name for op in plain
    )


def test_operations_and_arguments_are_distributed_as_timms(monkeypatch):
    """Counts of 6000 images each within five standard deviations; means of the arguments likewise."""
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


def test_half_of_the_geometric_operations_are_bicubic():
    rng, policy = np.random.default_rng(3), parse(PUBLISHED)
    kinds = Counter(cubic for _ in range(2000) for *_, cubic in draw(policy, rng))
    assert 0.45 < kinds[True] / kinds.total() < 0.55


def test_randomness_comes_from_the_generator_alone():
    image, augment = photograph(24, 24)[None], RandAugment(PUBLISHED, fill=(128,))
    results = [augment(image, np.random.default_rng(seed)) for seed in (1, 1, *range(2, 12))]
    np.testing.assert_array_equal(results[0], results[1])
    assert len({result.tobytes() for result in results}) > 5
    np.testing.assert_array_equal(image, photograph(24, 24)[None])


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
    with pytest.raises(ValueError, match="cannot be read: write it as 'rand-m9-mstd0.5-inc1'"):
        parse(notation)


def test_a_magnitude_beyond_the_scale_is_refused():
    with pytest.raises(ValueError, match="m = 11 is out of range 0 to 10"):
        rand_augment.parse("rand-m11")
