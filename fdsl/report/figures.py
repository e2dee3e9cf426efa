"""Sample images: a figure for a paper (PNG and PDF) and a plain grid for the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fdsl.report.style import STYLE, TEXT_WIDTH_IN
from fdsl.storage import replacing

Images = Sequence[Sequence[NDArray[np.uint8]]]

PANELS_PER_ROW = 3
GAP = 0.04  # of an image's side, between neighbours
WHITE = 255
LABEL_PX = 14
FONT = (
    Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
)  # the same letters as in figures, on every machine
CAPTION_IN = 0.45  # title above and numbers below a panel
NOTE_IN = 0.2


def write_samples(samples: Mapping[str, Images], *, out: str | Path, note: str = "") -> None:
    """Draw sample images of several datasets, one panel each, as PNG (300 dpi) and PDF; each file whole or not at all.

    Parameters
    ----------
    samples
        Title -> images[category][instance], uint8 (H, W) or (H, W, 3), of one size within a dataset. Rows of a panel are
        categories, columns are instances; panels follow in the order of the mapping.
    out
        Ends in .png; the PDF is written beside it.
    note
        One line below the panels, for example that a scale is reduced.

    Raises
    ------
    ValueError
        If there is no dataset, or the images of one differ in number, type or size.
    """
    target = Path(out)
    if target.suffix != ".png":
        raise ValueError(f"out = {target} must end in .png; .pdf is written beside it")
    if not samples:
        raise ValueError("a figure of samples needs at least one dataset")
    # The files must not depend on the day: the PDF is written without a date.
    metadata: dict[str, dict[str, str | None]] = {
        ".png": {"Software": None},
        ".pdf": {"CreationDate": None},
    }
    with mpl.rc_context(STYLE):
        figure = _figure(samples, note=note)
        for suffix, entries in metadata.items():
            with replacing(target.with_suffix(suffix)) as path:
                figure.savefig(path, format=suffix[1:], metadata=entries)


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
    step_y, step_x, gap = _steps(images)
    canvas = np.full(
        (len(images) * step_y - gap, len(images[0]) * step_x - gap, 3), WHITE, np.uint8
    )
    for row, line in enumerate(images):
        for column, image in enumerate(line):
            top, left = row * step_y, column * step_x
            canvas[top : top + height, left : left + width] = (
                image if image.ndim == 3 else image[..., None]
            )
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
        Smaller images are enlarged by whole factors, pixel by pixel, to at most this side; larger ones stay as they are.

    Raises
    ------
    ValueError
        As `mosaic`, or if labels do not match the images.
    """
    _check(images, where=title or "image grid")
    for kind, labels, wanted in (("row", rows, len(images)), ("column", columns, len(images[0]))):
        if labels and len(labels) != wanted:
            raise ValueError(
                f"{len(labels)} {kind} labels for {wanted} {kind}s of images: give one each, or none"
            )
    factor = max(1, cell_px // max(images[0][0].shape[:2]))
    enlarged = [
        [image.repeat(factor, axis=0).repeat(factor, axis=1) for image in line] for line in images
    ]
    body = mosaic(enlarged, where=title)
    height, width = enlarged[0][0].shape[:2]
    step_y, step_x, _ = _steps(enlarged)
    font = ImageFont.truetype(FONT, LABEL_PX)
    margin = LABEL_PX // 2
    left = margin + (max(int(font.getlength(label)) for label in rows) + margin if rows else 0)
    top = margin + (LABEL_PX + margin if title else 0) + (LABEL_PX + margin if columns else 0)
    canvas_width = max(left + body.shape[1], margin + int(font.getlength(title))) + margin
    canvas = Image.new("RGB", (canvas_width, top + body.shape[0] + margin), "white")
    canvas.paste(Image.fromarray(body), (left, top))
    draw = ImageDraw.Draw(canvas)
    draw.text((margin, margin), title, fill="black", font=font)
    for index, label in enumerate(rows):
        draw.text(
            (margin, top + index * step_y + height // 2),
            label,
            fill="black",
            font=font,
            anchor="lm",
        )
    for index, label in enumerate(columns):
        draw.text(
            (left + index * step_x + width // 2, top - margin),
            label,
            fill="black",
            font=font,
            anchor="ms",
        )
    return canvas


def _figure(samples: Mapping[str, Images], *, note: str) -> Figure:
    """Return the figure with one panel for each dataset."""
    panels = {title: mosaic(images, where=title) for title, images in samples.items()}
    columns = min(PANELS_PER_ROW, len(panels))
    lines = -(-len(panels) // columns)
    tallest = max(panel.shape[0] / panel.shape[1] for panel in panels.values())
    height = lines * (TEXT_WIDTH_IN / PANELS_PER_ROW * tallest + CAPTION_IN) + (
        NOTE_IN if note else 0
    )
    figure = Figure(figsize=(TEXT_WIDTH_IN * columns / PANELS_PER_ROW, height), layout="compressed")
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (title, panel) in zip(grid.flat, panels.items(), strict=False):
        _draw_panel(axes, panel, samples[title], title=title)
    if note:
        figure.supxlabel(note, fontsize="medium")
    return figure


def _draw_panel(axes: Axes, panel: NDArray[np.uint8], images: Images, *, title: str) -> None:
    """Show one mosaic with the numbers of categories and instances beside it."""
    height, width = images[0][0].shape[:2]
    step_y, step_x, _ = _steps(images)
    axes.set_axis_on()
    axes.imshow(panel)
    axes.set_title(title)
    for axis, step, side, count in (
        (axes.xaxis, step_x, width, len(images[0])),
        (axes.yaxis, step_y, height, len(images)),
    ):
        axis.set_ticks(
            [index * step + side / 2 for index in range(count)],
            [str(index) for index in range(count)],
        )
    axes.set_xlabel("instance")
    axes.set_ylabel("category")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _steps(images: Images) -> tuple[int, int, int]:
    """Return the distance in pixels from one row and from one column to the next, and the gap in it."""
    height, width = images[0][0].shape[:2]
    gap = max(1, round(GAP * max(height, width)))
    return height + gap, width + gap, gap


def _check(images: Images, *, where: str) -> None:
    """Refuse what is not a full grid of equal uint8 images."""
    if not len(images) or not len(images[0]):
        raise ValueError(f"{where}: no images; give at least one category with one instance")
    first = images[0][0]
    for category, line in enumerate(images):
        if len(line) != len(images[0]):
            raise ValueError(
                f"{where}: category {category} has {len(line)} images, category 0 has {len(images[0])}"
            )
        for instance, image in enumerate(line):
            if (
                image.dtype != np.uint8
                or image.shape != first.shape
                or image.ndim not in {2, 3}
                or image.shape[2:] not in {(), (3,)}
            ):
                raise ValueError(
                    f"{where}: image {instance} of category {category} is {image.dtype} {image.shape}; "
                    f"all must be uint8 (H, W) or (H, W, 3), and of the first one's shape {first.shape}"
                )
