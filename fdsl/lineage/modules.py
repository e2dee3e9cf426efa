"""Which modules stand behind the jobs that leave their digest in a record; the rules in
workflow/rules name the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MODULES = {
    "compose": ("fdsl.datasets.compose", "fdsl.datasets.splits"),
    "fetch_downstream": ("fdsl.datasets.downstream", "fdsl.datasets.fetch"),
    "adopt_weights": ("fdsl.train.import_weights", "fdsl.train.model_card"),
    "finetune": ("fdsl.train.finetune", "fdsl.datasets.splits"),
    "probe": ("fdsl.train.probe", "fdsl.datasets.splits"),
    "detect": ("fdsl.train.detection.detect", "fdsl.datasets.splits"),
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
    return [kind, "fdsl.images.shards", *_formulas(order["datasets"])]


def _formulas(datasets: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [f"fdsl.formulas.{name}" for name in sorted({d["formula"] for d in datasets.values()})]
