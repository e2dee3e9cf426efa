"""A study is one paper: which tables and figures it has, and which of our runs stand behind each row and column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from fdsl.strict import Strict

SCRATCH = "scratch"


class Column(Strict):
    """One column of a table: a downstream dataset, or the mean of the other columns."""

    label: str = Field(min_length=1, description="heading as printed")
    dataset: str | None = Field(
        description="a name of workflow/catalog/downstream.yaml, or null for the mean of the others"
    )


class Row(Strict):
    """One row of a table: a pre-training that this workflow runs, or the reason why it does not."""

    label: str = Field(min_length=1, description="row name as in workflow/published/tables.csv")
    pretraining: str | None = Field(
        default=None, description=f"a name of workflow/catalog/synthetic.yaml, or {SCRATCH!r}"
    )
    quoted: str | None = Field(
        default=None, min_length=1, description="why the published number is only quoted"
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Row:
        if (self.pretraining is None) == (self.quoted is None):
            raise ValueError(
                f"row {self.label!r} needs either pretraining (we run it) or quoted (why we do not)"
            )
        return self


class Table(Strict):
    """One table of the paper: rows are pre-trainings, columns are downstream datasets."""

    title: str
    caption: str
    metric: Literal["top-1 %"] = Field(description="what the records can be compared in")
    tolerance_points: float = Field(
        default=1.0,
        gt=0,
        description="largest difference called 'within tolerance'; ours, no paper states one",
    )
    columns: list[Column] = Field(min_length=1)
    rows: list[Row] = Field(min_length=1)
    notes: list[str] = Field(
        default_factory=list, description="what a reader must know about the printed numbers"
    )

    @model_validator(mode="after")
    def _names_are_unique(self) -> Table:
        _require_unique("row label", [row.label for row in self.rows])
        _require_unique(
            "pretraining", [row.pretraining for row in self.rows if row.pretraining is not None]
        )
        check_columns(self.columns)
        return self


class Figure(Strict):
    """Sample images of synthetic datasets."""

    title: str
    caption: str
    datasets: list[str] = Field(
        min_length=1, description="names of workflow/catalog/synthetic.yaml, in reading order"
    )
    categories: int = Field(ge=1, le=20, description="rows of sample images per dataset")
    instances: int = Field(ge=1, le=20, description="columns of sample images per dataset")

    @model_validator(mode="after")
    def _datasets_are_unique(self) -> Figure:
        _require_unique("dataset", self.datasets)
        return self


class Study(Strict):
    """One paper with the tables and figures that are rebuilt here."""

    title: str
    reference: str = Field(description="authors, venue, year, arXiv number")
    tables: dict[str, Table] = Field(default_factory=dict)
    figures: dict[str, Figure] = Field(default_factory=dict)


class ReportScale(Strict):
    """What a report must know, and say, about the scale whose records it shows.

    At a scale that is not comparable no verdict about the paper is given: the table measures `stand_ins` and says so.
    """

    name: str = Field(min_length=1, description="as in the records, for example laptop")
    title: str = Field(min_length=1, description="for headings")
    banner: str = Field(
        min_length=1, description="stands above every table and figure of this scale"
    )
    comparable: bool = Field(description="whether datasets and recipes are the published ones")
    stand_ins: tuple[Column, ...] = Field(
        default=(), description="columns that this scale measures besides the paper's"
    )
    reduced: dict[str, str] = Field(
        default_factory=dict,
        description="pre-training name -> what it is at this scale, for people",
    )
    reasons: dict[str, str] = Field(
        default_factory=dict,
        description="pre-training or downstream name -> why this scale has no record of it",
    )

    @model_validator(mode="after")
    def _reductions_are_not_comparable(self) -> ReportScale:
        check_columns(self.stand_ins)
        if self.comparable and (self.stand_ins or self.reduced):
            raise ValueError(
                f"scale {self.name!r} has stand-ins or reduced datasets, so comparable must be false"
            )
        return self


def check_columns(columns: Sequence[Column]) -> None:
    """Refuse repeated columns and a mean of nothing (ValueError)."""
    datasets = [column.dataset for column in columns if column.dataset is not None]
    _require_unique("column label", [column.label for column in columns])
    _require_unique("dataset", datasets)
    if columns and not datasets:
        raise ValueError("a column with dataset null is a mean: it needs at least one other column")
    if len(columns) - len(datasets) > 1:
        raise ValueError("dataset null, the mean of the other columns, may stand once")


def _require_unique(kind: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{kind} {', '.join(map(repr, twice))} stands twice; each may stand once")
