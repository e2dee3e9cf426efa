"""Which modules stand behind the jobs that leave their digest in a record; the rules in workflow/rules name the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MODULES = {
    "compose": ("fdsl.data.compose", "fdsl.data.parts"),
    "fetch_downstream": ("fdsl.data.downstream", "fdsl.data.downstream_fetch"),
    "adopt_weights": ("fdsl.train.adopt", "fdsl.train.model_card"),
    "finetune": ("fdsl.train.finetune", "fdsl.data.parts"),
    "probe": ("fdsl.train.probe", "fdsl.data.parts"),
    "detect": ("fdsl.train.detection.detect", "fdsl.data.parts"),
    "claims": ("fdsl.report.claims",),
    "page": ("fdsl.report.page",),
}


def of_table(order: Mapping[str, Any]) -> list[str]:
    """Return the modules behind a `table` job with an order."""
    drawn = _formulas(order["pictured"])
    return ["fdsl.report.tables", *(["fdsl.report.gallery", *drawn] if drawn else [])]


def of_figure(order: Mapping[str, Any]) -> list[str]:
    """Return the modules behind a `figure` job with an order."""
    kind = f"fdsl.report.figures.{order['figure']['kind']}"
    return [kind, "fdsl.data.synthetic", *_formulas(order["datasets"])]


def _formulas(datasets: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [f"fdsl.formulas.{name}" for name in sorted({d["formula"] for d in datasets.values()})]
