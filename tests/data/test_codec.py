import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fdsl.data import codec

images = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=3, max_side=40))
two_valued = st.tuples(
    hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)), st.integers(0, 255)
).map(lambda pair: pair[0].astype(np.uint8) * np.uint8(pair[1]))


@given(images | two_valued)
def test_decode_inverts_encode(image):
    assert np.array_equal(codec.decode(codec.encode(image), image.shape), image)


def test_two_valued_images_are_stored_as_bits():
    rng = np.random.default_rng(0)
    lit = rng.random((64, 64)) < 0.5
    assert len(codec.encode(lit * np.uint8(127))) < 64 * 64 / 8 + 40


@pytest.mark.parametrize("damage", ["short", "flip", "tag", "empty"])
def test_damaged_bytes_are_refused(damage):
    image = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
    content = bytearray(codec.encode(image))
    if damage == "short":
        content = content[:-5]
    elif damage == "flip":
        content[len(content) // 2] ^= 0x40
    elif damage == "tag":
        content[0] = 9
    else:
        content = bytearray()
    with pytest.raises(ValueError, match="image bytes"):
        codec.decode(bytes(content), image.shape)


@pytest.mark.parametrize("shape", [(20, 21), (19, 20)])
def test_another_shape_is_refused(shape):
    content = codec.encode(np.arange(400, dtype=np.uint16).astype(np.uint8).reshape(20, 20))
    with pytest.raises(ValueError, match="another number of pixels"):
        codec.decode(content, shape)


def test_a_bomb_is_not_unpacked():
    bomb = bytes([codec.BYTES]) + zlib.compress(bytes(10_000_000))
    with pytest.raises(ValueError, match="another number of pixels"):
        codec.decode(bomb, (8, 8))
