"""Images in a grid, categories as rows and instances as columns, without a plotting library."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Images = Sequence[Sequence[NDArray[np.uint8]]]

GAP = 0.04  # of an image's side, between neighbours
WHITE = 255
LABEL_PX = 14


def mosaic(images: Images, *, where: str) -> NDArray[np.uint8]:
    """Lay images out on white, rows = categories, columns = instances.

    Parameters
    ----------
    images
        images[category][instance], uint8 (H, W) or (H, W, 3), all of one shape.
    where
        Named in errors.

    Returns
    -------
    numpy.ndarray
        uint8 (height, width, 3).

    Raises
    ------
    ValueError
        If there is no image, a row is shorter than another, or an image is of another type or size.
    """
    _check(images, where=where)
    height, width = images[0][0].shape[:2]
    step_y, step_x, gap = steps(images)
    size = (len(images) * step_y - gap, len(images[0]) * step_x - gap, 3)
    canvas = np.full(size, WHITE, np.uint8)
    for row, line in enumerate(images):
        for column, image in enumerate(line):
            place = canvas[row * step_y :, column * step_x :][:height, :width]
            place[:] = image if image.ndim == 3 else image[..., None]
    return canvas


def image_grid(
    images: Images,
    *,
    title: str = "",
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    cell_px: int = 128,
) -> Image.Image:
    """Return a labelled grid of images for the screen.

    Parameters
    ----------
    images
        As `mosaic`.
    title
        One line above the grid.
    rows, columns
        Labels, one for each category and instance, or none at all.
    cell_px
        Smaller images are enlarged by whole factors, pixel by pixel, to at most this side; larger
        ones stay as they are.

    Raises
    ------
    ValueError
        As `mosaic`, or if labels do not match the images.
    """
    _check(images, where=title or "image grid")
    for kind, labels, wanted in (("row", rows, len(images)), ("column", columns, len(images[0]))):
        if labels and len(labels) != wanted:
            raise ValueError(
                f"{len(labels)} {kind} labels for {wanted} {kind}s of images: give one each or none"
            )
    factor = max(1, cell_px // max(images[0][0].shape[:2]))
    enlarged = [
        [image.repeat(factor, axis=0).repeat(factor, axis=1) for image in line] for line in images
    ]
    body = mosaic(enlarged, where=title)
    height, width = enlarged[0][0].shape[:2]
    step_y, step_x, _ = steps(enlarged)
    font = ImageFont.load_default(size=LABEL_PX)
    margin = LABEL_PX // 2
    left = margin + (max(int(font.getlength(label)) for label in rows) + margin if rows else 0)
    top = margin + (LABEL_PX + margin if title else 0) + (LABEL_PX + margin if columns else 0)
    canvas_width = max(left + body.shape[1], margin + int(font.getlength(title))) + margin
    canvas = Image.new("RGB", (canvas_width, top + body.shape[0] + margin), "white")
    canvas.paste(Image.fromarray(body), (left, top))
    draw = ImageDraw.Draw(canvas)
    draw.text((margin, margin), title, fill="black", font=font)
    for index, label in enumerate(rows):
        place = (margin, top + index * step_y + height // 2)
        draw.text(place, label, fill="black", font=font, anchor="lm")
    for index, label in enumerate(columns):
        place = (left + index * step_x + width // 2, top - margin)
        draw.text(place, label, fill="black", font=font, anchor="ms")
    return canvas


def steps(images: Images) -> tuple[int, int, int]:
    """Return the pitch of rows and of columns, and the gap in it, in pixels."""
    height, width = images[0][0].shape[:2]
    gap = max(1, round(GAP * max(height, width)))
    return height + gap, width + gap, gap


def _check(images: Images, *, where: str) -> None:
    """Raise ValueError if the images are no full grid, or not uint8 of one shape."""
    if not len(images) or not len(images[0]):
        raise ValueError(f"{where}: no images; give at least one category with one instance")
    first = images[0][0]
    for category, line in enumerate(images):
        if len(line) != len(images[0]):
            counts = f"{len(line)} images, category 0 has {len(images[0])}"
            raise ValueError(f"{where}: category {category} has {counts}")
        for instance, image in enumerate(line):
            fits = image.ndim in {2, 3} and image.shape[2:] in {(), (3,)}
            if not fits or image.dtype != np.uint8 or image.shape != first.shape:
                raise ValueError(
                    f"{where}: image {instance} of category {category} is {image.dtype}"
                    f" {image.shape}; all must be uint8 (H, W) or (H, W, 3), and of the first one's"
                    f" shape {first.shape}"
                )
