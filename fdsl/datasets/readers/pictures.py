"""From an image file to pixels: one file, 8-bit RGB, or an error that names the file."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from fdsl.io.storage import DamagedFile

Box = tuple[int, int, int, int]

# Pillow knows more, of which some start other programs (EPS) or are never pictures of a dataset.
FORMATS = ("JPEG", "PNG", "PPM", "BMP", "GIF", "TIFF", "WEBP")

DEEP_MODES = ("I", "F")  # and I;16, I;16B, …: more than 8 bits per channel


def read_picture(path: str | Path, *, box: Box | None = None) -> NDArray[np.uint8]:
    """Decode one image file.

    Parameters
    ----------
    path
        One of `FORMATS`; the content decides, not the suffix.
    box
        Left, top, right, bottom in pixels, right and bottom exclusive; cut to the image's border.

    Returns
    -------
    uint8 (H, W, 3), C-contiguous and writable. Greyscale, palette and CMYK become RGB, transparent
    pixels are laid over white, the first frame of an animation is taken, and an EXIF rotation is
    not applied.

    Raises
    ------
    DamagedFile
        If the file is missing, truncated, not an image, deeper than 8 bits per channel or larger
        than Pillow's limit (a decompression bomb), or if the box lies outside.
    """
    try:
        return _pixels(path, name=str(path), box=box)
    except FileNotFoundError:
        raise DamagedFile(f"{path} is missing; unpack the dataset's archive again") from None


def decode_picture(content: bytes, *, name: str) -> NDArray[np.uint8]:
    """Decode the bytes of one image file, as `read_picture` does; `name` is what an error calls
    them.
    """
    return _pixels(BytesIO(content), name=name, box=None)


def _pixels(source: str | Path | BytesIO, *, name: str, box: Box | None) -> NDArray[np.uint8]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", "Corrupt EXIF data", UserWarning)
            with Image.open(source, formats=FORMATS) as image:
                return np.array(_rgb(image if box is None else _crop(image, box)))
    except FileNotFoundError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DamagedFile(
            f"{name} is too large to be a picture of this dataset ({error}); replace the file"
        ) from None
    except (OSError, SyntaxError, ValueError, EOFError, TypeError) as error:
        foreign = isinstance(error, UnidentifiedImageError)  # whose text names a buffer's address
        reason = f"its content is none of {', '.join(FORMATS)}" if foreign else error
        raise DamagedFile(
            f"{name} cannot be read as an image ({reason}); get the file from the dataset's archive"
            " again"
        ) from None


def _crop(image: Image.Image, box: Box) -> Image.Image:
    left, top, right, bottom = box
    inside = (max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height))
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        size = f"{image.width} × {image.height}"
        raise ValueError(f"the box {box} is empty or outside its {size} pixels")
    return image.crop(inside)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(DEEP_MODES):
        raise ValueError(f"mode {image.mode} has more than 8 bits per channel: convert it to 8")
    if not image.has_transparency_data:
        return image.convert("RGB")
    colour = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour).convert("RGB")
