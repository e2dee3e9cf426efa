"""The inputs of a figure, and how it is written: PNG, PDF, the plotted numbers, and a fragment."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure as Drawing
from PIL import Image
from pydantic import Field

from fdsl.io.storage import atomic_write, write_text
from fdsl.report.csv_files import to_csv
from fdsl.report.html import SUFFIX, data_url, write_fragment
from fdsl.report.style import METADATA, STYLE
from fdsl.report.templating import render
from fdsl.schema.base import FrozenModel
from fdsl.schema.catalogue import SyntheticDataset
from fdsl.schema.study.figures import Figure
from fdsl.schema.study.report_scale import ReportScale

FILES = (".png", ".pdf", ".csv", SUFFIX)
PAGE_PX = 1400  # width on the page: enough for a desktop; the PNG beside it has 300 dpi

Drawn = tuple[Drawing, pd.DataFrame]


class FigureInputs(FrozenModel):
    """Everything that a figure is drawn from.

    Attributes
    ----------
    name, figure
        The figure's name in the published numbers, and its definition in the study.
    datasets
        The synthetic datasets that it draws, by name.
    seed
        Root seed of the datasets.
    scale
        The scale of the records.
    records, files
        Records of its runs; attention maps, curves or parameters of its pre-trainings.
    published
        workflow/published/tables.csv.
    """

    name: str
    figure: Figure
    datasets: dict[str, SyntheticDataset]
    seed: int
    scale: ReportScale
    records: list[Path] = Field(default_factory=list)
    files: list[Path] = Field(default_factory=list)
    published: Path


def write(inputs: FigureInputs, *, out: Path) -> None:
    """Draw a figure and write it with the suffixes `FILES`; each file whole or not at all.

    The module of the figure's kind draws it: `draw(inputs)` returns a matplotlib figure and the
    plotted numbers.

    Parameters
    ----------
    out
        The PNG, for example results/figures/figure2.png.

    Raises
    ------
    ValueError
        If `out` does not end in .png.
    """
    if out.suffix != ".png":
        raise ValueError(f"out = {out} must end in .png; the other files get its name")
    module = import_module(f"fdsl.report.figures.{inputs.figure.kind}")
    save(partial(module.draw, inputs), out=out)
    with Image.open(out) as image:
        image.thumbnail((PAGE_PX, 4 * PAGE_PX), Image.Resampling.LANCZOS)
        address = data_url(image.convert("RGB"))
    fragment = render("figure.html.j2", name=inputs.name, figure=inputs.figure, address=address)
    write_fragment(out.with_suffix(SUFFIX), fragment)


def save(draw: Callable[[], Drawn], *, out: Path) -> None:
    """Draw in the style of all figures; write `out` (PNG, 300 dpi), and .pdf and .csv beside it."""
    with mpl.rc_context(STYLE):
        figure, plotted = draw()
        for suffix, entries in METADATA.items():
            with atomic_write(out.with_suffix(suffix)) as path:
                figure.savefig(path, format=suffix[1:], metadata=entries)
    write_text(out.with_suffix(".csv"), to_csv(plotted))
