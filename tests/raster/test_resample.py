"""Resizing equals Pillow's, pixel for pixel."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from fdsl.raster import resample

SIDES = st.integers(1, 70)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def pillow_resize(image, height, width, cubic):
    """Along rows, then along columns, whatever order this Pillow prefers."""
    pillow = Image.fromarray(image)
    return np.asarray(
        pillow.resize((width, image.shape[0]), pillow_filter(cubic)).resize(
            (width, height), pillow_filter(cubic)
        )
    )


def pillow_filter(cubic):
    return Image.Resampling.BICUBIC if cubic else Image.Resampling.BILINEAR


@settings(max_examples=80, deadline=None)
@given(
    height=SIDES,
    width=SIDES,
    out_height=SIDES,
    out_width=SIDES,
    cubic=st.booleans(),
    seed=st.integers(0, 99),
)
def test_resize_of_gray_equals_pillow(height, width, out_height, out_width, cubic, seed):
    image = noise(height, width, seed=seed)
    expected = pillow_resize(image, out_height, out_width, cubic)
    resized = resample.resize(image[:, :, None], out_height, out_width, cubic=cubic)
    np.testing.assert_array_equal(resized, expected[None])
    assert resized.flags.c_contiguous


@pytest.mark.parametrize("cubic", [False, True])
def test_resize_of_a_colour_crop_equals_pillow(cubic):
    image = noise(90, 80, 3)
    image.flags.writeable = False  # as memory-mapped shards give it
    crop = image[11:77, 5:64]
    expected = pillow_resize(crop, 40, 32, cubic)
    np.testing.assert_array_equal(
        resample.resize(crop, 40, 32, cubic=cubic), expected.transpose(2, 0, 1)
    )


@pytest.mark.parametrize("cubic", [False, True])
def test_the_order_of_the_two_passes_matters_in_the_last_bit_only(cubic):
    image = noise(90, 60)
    in_one_call = np.asarray(Image.fromarray(image).resize((40, 30), pillow_filter(cubic))).astype(
        int
    )
    assert (
        np.abs(resample.resize(image[:, :, None], 30, 40, cubic=cubic)[0] - in_one_call).max() <= 2
    )
