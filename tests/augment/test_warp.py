"""Shears, translations and rotations equal Pillow's, pixel for pixel."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from fdsl.augment import warp


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def pillow_filter(cubic):
    return Image.Resampling.BICUBIC if cubic else Image.Resampling.BILINEAR


COEFFICIENTS = st.floats(-2, 2).map(lambda value: round(value, 3))
OFFSETS = st.floats(-20, 40).map(lambda value: round(value, 2))


@settings(max_examples=80, deadline=None)
@given(
    matrix=st.tuples(COEFFICIENTS, COEFFICIENTS, OFFSETS, COEFFICIENTS, COEFFICIENTS, OFFSETS),
    side=st.integers(2, 40),
    cubic=st.booleans(),
)
def test_affine_of_gray_equals_pillow(matrix, side, cubic):
    image = noise(side, side + 3)
    pillow = Image.fromarray(image)
    expected = np.asarray(
        pillow.transform(
            pillow.size, Image.Transform.AFFINE, matrix, resample=pillow_filter(cubic), fillcolor=77
        )
    )
    mapped = warp.affine(image[None], matrix, cubic=cubic, fill=np.array([77], np.uint8))
    np.testing.assert_array_equal(mapped, expected[None])


@pytest.mark.parametrize("cubic", [False, True])
def test_affine_of_colour_equals_pillow(cubic):
    image, matrix, fill = noise(50, 60, 3), (0.9, 0.3, -4.2, -0.25, 1.1, 3.7), (10, 20, 30)
    pillow = Image.fromarray(image)
    expected = np.asarray(
        pillow.transform(
            pillow.size,
            Image.Transform.AFFINE,
            matrix,
            resample=pillow_filter(cubic),
            fillcolor=fill,
        )
    )
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))
    mapped = warp.affine(planes, matrix, cubic=cubic, fill=np.array(fill, np.uint8))
    np.testing.assert_array_equal(mapped, expected.transpose(2, 0, 1))


NEARLY_HALVES = st.builds(
    lambda halves, towards: float(np.nextafter(halves / 2, towards) if towards else halves / 2),
    st.integers(-90, 90),
    st.sampled_from([0, -1000, 1000]),
)


@settings(max_examples=300, deadline=None)
@given(
    shear=st.sampled_from([0.0, 0.27, -0.3, 0.1234, 0.25, 1 / 3]),
    distance=st.one_of(st.floats(-50, 50), NEARLY_HALVES),
    height=st.integers(1, 12),
    width=st.integers(2, 40),
    cubic=st.booleans(),
)
def test_shifting_rows_equals_pillow(shear, distance, height, width, cubic):
    image, fill = noise(2, height, width), np.array([9, 211], np.uint8)
    b, c = (0.0, distance) if shear == 0.0 else (shear, 0.0)
    offsets = b * (np.arange(height) + 0.5) + c
    moved = warp.shift_rows(image, offsets, cubic=cubic, fill=fill)
    for channel in range(2):
        expected = Image.fromarray(image[channel]).transform(
            (width, height),
            Image.Transform.AFFINE,
            (1, b, c, 0, 1, 0),
            resample=pillow_filter(cubic),
            fillcolor=int(fill[channel]),
        )
        np.testing.assert_array_equal(moved[channel], np.asarray(expected))
