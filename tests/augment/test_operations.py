"""Each operation of RandAugment equals timm's on the same image at the same magnitude."""

import numpy as np
import pytest
from PIL import Image
from timm.data import auto_augment

from fdsl.augment.operations import NAMES, apply
from fdsl.augment.rand_augment import strength

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
    """Magnitude 10, which noise reaches: black in older Pillow, an error in newer."""
    assert strength("Posterize", 10.0, sign=1, increasing=True) == 0
    assert not apply("Posterize", photograph(9, 9)[None], 0, cubic=False, fill=(128,)).any()
