import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from fdsl.images import codec

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


def test_an_image_that_was_read_can_be_changed():
    for levels in (2, 200):
        image = np.random.default_rng(0).integers(0, levels, (20, 20), dtype=np.uint8)
        read = codec.decode(memoryview(codec.encode(image)), image.shape)
        read[0] = 7
        assert (read[0] == 7).all()
        assert np.array_equal(read[1:], image[1:])


@pytest.mark.parametrize("damage", ["short", "long", "frame", "tag", "empty"])
def test_damaged_bytes_are_refused(damage):
    image = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
    content = bytearray(codec.encode(image))
    if damage == "short":
        content = content[:-5]
    elif damage == "long":
        content += b"more"
    elif damage == "frame":
        content[1] ^= 0x40
    elif damage == "tag":
        content[0] = 9
    else:
        content = bytearray()
    with pytest.raises(ValueError, match="image bytes"):
        codec.decode(bytes(content), image.shape)


@given(two_valued | images, st.data())
def test_a_flipped_bit_never_gives_another_shape(image, data):
    content = bytearray(codec.encode(image))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        read = codec.decode(bytes(content), image.shape)
    except ValueError as error:
        assert "image bytes" in str(error)
    else:
        assert (read.shape, read.dtype) == (image.shape, np.uint8)


@pytest.mark.parametrize("shape", [(20, 21), (19, 20)])
def test_another_shape_is_refused(shape):
    content = codec.encode(np.arange(400, dtype=np.uint16).astype(np.uint8).reshape(20, 20))
    with pytest.raises(ValueError, match="another number of pixels"):
        codec.decode(content, shape)


@pytest.mark.parametrize("says_its_size", [True, False])
def test_a_bomb_is_not_unpacked(says_its_size):
    zeros = bytes(50_000_000)
    if says_its_size:
        frame = pa.compress(zeros, codec="zstd", asbytes=True)
    else:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(zeros)
        frame = sink.getvalue().to_pybytes()
    before = pa.total_allocated_bytes()
    with pytest.raises(ValueError, match="another number of pixels"):
        codec.decode(bytes([codec.BYTES]) + frame, (8, 8))
    assert pa.total_allocated_bytes() == before
    assert len(frame) < 10_000
