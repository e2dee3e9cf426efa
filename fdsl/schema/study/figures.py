"""The kinds of figures of a study."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fdsl.schema.base import FrozenModel
from fdsl.schema.study.tables import Column, check_columns, require_unique


class _Figure(FrozenModel):
    """The fields of every figure."""

    title: str
    caption: str


class Samples(_Figure):
    """Sample images of synthetic datasets."""

    kind: Literal["samples"]
    datasets: list[str] = Field(min_length=1, description="of synthetic.yaml, in reading order")
    categories: int = Field(ge=1, le=20, description="rows of sample images per dataset")
    instances: int = Field(ge=1, le=20, description="columns of sample images per dataset")

    @model_validator(mode="after")
    def _datasets_are_unique(self) -> Samples:
        require_unique("dataset", self.datasets)
        return self


class Construction(_Figure):
    """How a radial contour is drawn, step by step."""

    kind: Literal["construction"]
    dataset: str = Field(description="an entry of the formula rcdb")
    vertices: int = Field(ge=3, le=200)
    polygons: int = Field(ge=1, le=20)


class Bar(FrozenModel):
    """One bar of a group: a pre-training with a short name."""

    label: str = Field(min_length=1, description="as in workflow/published/tables.csv")
    pretraining: str = Field(description="as in a table's row")


class Ablation(_Figure):
    """Accuracy of several pre-trainings, one panel per downstream dataset, with an image and an
    attention map of each.
    """

    kind: Literal["ablation"]
    axis: str = Field(min_length=1, description="the property in which the bars differ")
    published: Literal["row / column", "column / bar"] = Field(
        description="whether the printed numbers name bars as rows, or as columns"
    )
    columns: list[Column] = Field(min_length=1)
    bars: list[Bar] = Field(min_length=2)
    notes: list[str] = Field([])

    @model_validator(mode="after")
    def _names_are_unique(self) -> Ablation:
        require_unique("bar label", [bar.label for bar in self.bars])
        require_unique("bar pretraining", [bar.pretraining for bar in self.bars])
        check_columns(self.columns)
        return self


class Teaser(_Figure):
    """Pre-training images, attention of the pre-trained network, and accuracy, side by side."""

    kind: Literal["teaser"]
    column: Column
    bars: list[Bar] = Field(min_length=1)


class Curves(_Figure):
    """Training loss and accuracy of the pre-trainings of a table."""

    kind: Literal["curves"]
    table: str = Field(description="a table of the study")


class Distributions(_Figure):
    """Histograms of the sampled parameters of synthetic datasets."""

    kind: Literal["distributions"]
    datasets: list[str] = Field(min_length=1)


class Scaling(_Figure):
    """Accuracy against the number of categories and of images in each."""

    kind: Literal["scaling"]
    datasets: list[str] = Field(min_length=2, description="of one formula, of several sizes")
    columns: list[Column] = Field(min_length=1)


Figure = Annotated[
    Samples | Construction | Ablation | Teaser | Curves | Distributions | Scaling,
    Field(discriminator="kind"),
]
