"""What a figure is drawn from, and the module that draws its kind."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from pydantic import Field

from fdsl.schema.base import FrozenModel
from fdsl.schema.catalogue import SyntheticDataset
from fdsl.schema.study.figures import Figure
from fdsl.schema.study.report_scale import ReportScale


class FigureInputs(FrozenModel):
    """Everything that a figure is drawn from.

    Attributes
    ----------
    name, figure
        The figure's name in the published numbers, and what the study asks for.
    datasets
        The synthetic datasets that it draws, by name.
    seed
        Root seed of the datasets.
    scale
        What the records were made with.
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
    """Draw a figure as `out` (PNG) with .pdf and .csv beside it; each file whole or not at all.

    Raises
    ------
    ValueError
        If `out` does not end in .png.
    """
    if out.suffix != ".png":
        raise ValueError(f"out = {out} must end in .png; .pdf and .csv are written beside it")
    import_module(f"fdsl.report.figures.{inputs.figure.kind}").write(inputs, out=out)
