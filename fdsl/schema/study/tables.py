"""Tables of a study: the runs of each row and column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from fdsl.schema.base import FrozenModel

SCRATCH = "scratch"


AveragePrecision = Literal["box_ap50", "box_ap", "box_ap75", "mask_ap50", "mask_ap", "mask_ap75"]
# Top-1 accuracy or, of images with several labels, mean average precision after fine-tuning; top-1
# of frozen features; average precision of boxes or masks.
Evaluation = Literal["finetune", "map", "knn", "linear", AveragePrecision]
Stage = Literal["finetune", "probe", "detect"]


class Column(FrozenModel):
    """One column of a table: a score on a downstream dataset, or the mean of the other columns."""

    label: str = Field(min_length=1, description="heading as printed")
    dataset: str | None = Field(description="of downstream.yaml; null = the mean of the others")
    model: str | None = Field(None, description="of models.yaml; null = the scale's recipe's")
    evaluation: Evaluation = Field("finetune", description="of the dataset's test images")

    @property
    def stage(self) -> Stage:
        """The stage of the workflow whose records hold the score."""
        if self.evaluation in {"finetune", "map"}:
            return "finetune"
        return "probe" if self.evaluation in {"knn", "linear"} else "detect"

    @property
    def measure(self) -> str:
        """The identifier of dataset, model and evaluation; empty for a mean."""
        if self.dataset is None:
            return ""
        model = f"@{self.model}" if self.model else ""
        return f"{self.dataset}{model}:{self.evaluation}"


class Row(FrozenModel):
    """One row of a table: a pre-training that this workflow runs, or the reason why it does not."""

    label: str = Field(min_length=1, description="row name as in workflow/published/tables.csv")
    pretraining: str | None = Field(
        None,
        description=f"in catalog/{{synthetic,pretrainings,published_weights}}.yaml; or {SCRATCH}",
    )
    quoted: str | None = Field(None, min_length=1, description="why the number is only quoted")
    printed: bool = Field(True, description="whether the paper has the row; ours have no number")
    gain_over: str | None = Field(
        None, description="the pre-training to compare with; null = scratch, if the table has it"
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Row:
        if (self.pretraining is None) == (self.quoted is None):
            raise ValueError(
                f"row {self.label!r} needs either pretraining (we run it) or quoted (why we do not)"
            )
        return self


class Table(FrozenModel):
    """One table of the paper: rows are pre-trainings, columns are downstream datasets."""

    title: str
    caption: str
    metric: Literal["top-1 %", "mAP %", "AP %"] = Field(description="unit of the compared records")
    tolerance_points: float = Field(
        1.0, gt=0, description="largest difference 'within tolerance'; ours, no paper states one"
    )
    columns: list[Column] = Field(min_length=1)
    rows: list[Row] = Field(min_length=1)
    frozen: list[Literal["knn", "linear"]] = Field(
        [], description="evaluations of the frozen network, each in a column of its own; ours"
    )
    pictures: bool = Field(False, description="show sample images of the rows' datasets above it")
    notes: list[str] = Field([], description="what a reader must know about the printed numbers")

    @model_validator(mode="after")
    def _names_are_unique(self) -> Table:
        require_unique("row label", [row.label for row in self.rows])
        require_unique(
            "pretraining", [row.pretraining for row in self.rows if row.pretraining is not None]
        )
        check_columns(self.columns)
        return self

    @property
    def bases(self) -> dict[str, str]:
        """Row label -> the pre-training that the row is compared with: gain_over, else scratch if
        the table has it.
        """
        scratch = any(row.pretraining == SCRATCH for row in self.rows)
        return {
            row.label: row.gain_over or SCRATCH
            for row in self.rows
            if row.gain_over or (scratch and row.pretraining not in {None, SCRATCH})
        }

    @property
    def pretrainings(self) -> list[str]:
        """Pre-trainings whose records the table shows, then those that it only compares with."""
        shown = [row.pretraining for row in self.rows if row.pretraining]
        bases = [row.gain_over for row in self.rows if row.gain_over]
        return list(dict.fromkeys([*shown, *bases]))


def check_columns(columns: Sequence[Column]) -> None:
    """Refuse repeated columns and a mean of nothing (ValueError)."""
    datasets = [column.dataset for column in columns if column.dataset is not None]
    require_unique("column label", [column.label for column in columns])
    require_unique("dataset", [column.measure for column in columns if column.dataset is not None])
    if columns and not datasets:
        raise ValueError("a column with dataset null is a mean: it needs at least one other column")
    if len(columns) - len(datasets) > 1:
        raise ValueError("dataset null, the mean of the other columns, may occur once")


def require_unique(kind: str, names: Sequence[str]) -> None:
    """Refuse a repeated name (ValueError)."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{kind} {', '.join(map(repr, twice))} is repeated; give each once")
