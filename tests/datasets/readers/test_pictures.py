"""Decoding: every mode becomes 8-bit RGB, every damage one error that names the file."""

import io
import warnings

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from oracles.downstream_layouts import pixels, real_pictures
from PIL import Image

from fdsl.datasets.readers.pictures import read_picture
from fdsl.io.storage import DamagedFile

GRADIENT = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
COLOUR = np.stack([GRADIENT, 255 - GRADIENT, GRADIENT // 2], axis=2)


def encoded(image: Image.Image, form: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("image", "form", "expected"),
    [
        (Image.fromarray(GRADIENT), "PNG", np.repeat(GRADIENT[..., None], 3, axis=2)),
        (
            Image.fromarray(GRADIENT > 99),
            "PNG",
            np.repeat((GRADIENT > 99)[..., None] * np.uint8(255), 3, axis=2),
        ),
        (Image.fromarray(COLOUR), "PNG", COLOUR),
        (Image.fromarray(COLOUR), "PPM", COLOUR),
        (Image.fromarray(COLOUR), "BMP", COLOUR),
        (
            Image.fromarray(COLOUR).quantize(64),
            "PNG",
            np.array(Image.fromarray(COLOUR).quantize(64).convert("RGB")),
        ),
        (Image.fromarray(COLOUR).convert("CMYK"), "TIFF", COLOUR),
    ],
    ids=["L", "1", "RGB", "ppm", "bmp", "P", "CMYK"],
)
def test_modes_become_rgb(image, form, expected, tmp_path):
    path = tmp_path / "picture.jpg"  # the content decides, not the suffix
    path.write_bytes(encoded(image, form))
    found = read_picture(path)
    assert found.dtype == np.uint8
    assert found.flags.writeable
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, expected)


def test_cmyk_jpeg_is_close_to_its_rgb_picture(tmp_path):
    smooth = Image.fromarray(COLOUR).resize((64, 64), Image.Resampling.BICUBIC)
    path = tmp_path / "cmyk.jpg"
    path.write_bytes(encoded(smooth.convert("CMYK"), "JPEG", quality=95))
    assert np.abs(read_picture(path).astype(int) - np.array(smooth)).mean() < 4


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_lie_over_white(mode, tmp_path):
    path = tmp_path / "picture.png"
    if mode == "P":
        image = Image.fromarray(np.array([[0, 1]], dtype=np.uint8), mode=None).convert("P")
        image.putpalette([10, 20, 30, 40, 50, 60])
        path.write_bytes(encoded(image, "PNG", transparency=bytes([0, 255])))
        expected = [[[255, 255, 255], [40, 50, 60]]]
    else:
        image = Image.new(mode, (2, 1), (9, 0) if mode == "LA" else (9, 9, 9, 0))
        image.putpixel((1, 0), (9, 255) if mode == "LA" else (9, 9, 9, 255))
        path.write_bytes(encoded(image, "PNG"))
        expected = [[[255, 255, 255], [9, 9, 9]]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_picture(path).tolist() == expected


def test_deep_pictures_are_refused_not_clipped(tmp_path):
    path = tmp_path / "deep.png"
    Image.fromarray(GRADIENT.astype(np.uint16) * 257).save(path)
    with pytest.raises(DamagedFile, match=r"deep\.png.*8 bits"):
        read_picture(path)


def test_boxes_are_cut_to_the_picture(tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(COLOUR).save(path)
    np.testing.assert_array_equal(read_picture(path, box=(2, 1, 5, 4)), COLOUR[1:4, 2:5])
    np.testing.assert_array_equal(read_picture(path, box=(-3, -3, 99, 99)), COLOUR)
    for box in ((8, 0, 12, 3), (3, 2, 3, 5), (4, 4, 2, 6)):
        with pytest.raises(DamagedFile, match="empty or outside"):
            read_picture(path, box=box)


def test_a_real_photograph_cut_anywhere_is_an_error_naming_the_file(tmp_path):
    whole = real_pictures("imagenet")[0].read_bytes()
    path = tmp_path / "cut.JPEG"
    for length in (0, 2, 10, 1000, len(whole) // 2, len(whole) - 2000):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedFile, match=r"cut\.JPEG.*archive again"):
            read_picture(path)
    path.write_bytes(whole)
    np.testing.assert_array_equal(read_picture(path), pixels(real_pictures("imagenet")[0]))


def test_missing_file_and_other_content_are_errors(tmp_path):
    with pytest.raises(DamagedFile, match=r"none\.jpg is missing"):
        read_picture(tmp_path / "none.jpg")
    for form in ("EPS", "PCX"):  # real pictures, in formats that no dataset uses
        (tmp_path / "page.jpg").write_bytes(encoded(Image.fromarray(COLOUR), form))
        with pytest.raises(DamagedFile, match=r"page\.jpg cannot be read"):
            read_picture(tmp_path / "page.jpg")


@pytest.mark.parametrize(
    "limit", [30, 20]
)  # 48 pixels: above the limit (a warning of Pillow) and above twice of it
def test_decompression_bombs_are_errors(limit, tmp_path, monkeypatch):
    path = tmp_path / "bomb.png"
    Image.fromarray(COLOUR).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(DamagedFile, match=r"bomb\.png is too large"):
        read_picture(path)


@settings(max_examples=150, deadline=None)
@given(
    form=st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP"]),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_any_damage_gives_pixels_or_the_one_error(form, changes, tmp_path_factory):
    data = bytearray(encoded(Image.fromarray(COLOUR), form))
    for place, value in changes:
        data[int(place * len(data))] = value
    path = tmp_path_factory.mktemp("damage") / "picture"
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Pillow's remarks on metadata
        try:
            channels = read_picture(path).shape[2]
        except DamagedFile as error:
            channels = 3 if str(path) in str(error) else 0
        assert channels == 3
