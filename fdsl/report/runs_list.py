"""What each run was and cost, and its training curve as a small drawing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdsl.io.storage import DamagedFile, read_json
from fdsl.report.check_digest import check_digest

WIDTH, HEIGHT = 120, 28


@dataclass(frozen=True)
class Line:
    """One run of the page's list."""

    run: str
    kind: str
    result: str
    minutes: float
    images_per_second: float | None
    restarts: int
    code: str
    curve: str
    """Points of an SVG polyline; empty without a curve."""


def lines(records: Iterable[Path]) -> tuple[list[Line], dict[str, Any]]:
    """Return a line for each record, in the order of their paths, and the environment of the
    newest.

    Raises
    ------
    DamagedFile
        If a record cannot be read.
    """
    found, environment = [], {}
    for path in sorted(set(records)):
        record = read_json(path)
        try:
            cost, environment = record["cost"], record["environment"]
            found.append(
                Line(
                    run=record["run"],
                    kind=record["kind"],
                    result=_result(record["result"]),
                    minutes=cost["wall_seconds"] / 60,
                    images_per_second=cost.get("images_per_second"),
                    restarts=cost.get("resumed", 0),
                    code=record["code"],
                    curve=_curve(path.with_name("metrics.jsonl")),
                )
            )
        except (KeyError, TypeError) as error:
            raise DamagedFile(
                f"{path} is not a record ({error}); delete it and run it again"
            ) from None
    return found, environment


def _result(result: dict[str, Any]) -> str:
    """Return the headline of a run."""
    if "top1_last" in result:
        return f"top-1 {result['top1_last']:.2f} % of {result['images']:,}"
    if "knn" in result:
        knn, linear = (
            100 * result[name]["correct"] / result["images"] for name in ("knn", "linear")
        )
        return f"k-NN {knn:.2f} %, linear {linear:.2f} %"
    if "box" in result:
        return f"box AP {result['box']['ap']:.1f}, mask AP {result['mask']['ap']:.1f}"
    return f"loss {result['final_loss']:.3f}" if "final_loss" in result else ""


def _curve(path: Path) -> str:
    """Return the training loss over the steps as points of a polyline; empty where there is none."""
    if not path.is_file():
        return ""
    check_digest(path)
    try:
        entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        points = [(entry["step"], entry["loss"]) for entry in entries if entry["kind"] == "train"]
    except (ValueError, KeyError) as error:
        raise DamagedFile(
            f"{path} holds no curve ({error}); delete its folder and run it again"
        ) from None
    if len(points) < 2:
        return ""
    last, losses = points[-1][0], [loss for _, loss in points]
    span = (max(losses) - min(losses)) or 1.0
    return " ".join(
        f"{WIDTH * step / last:.1f},{HEIGHT * (max(losses) - loss) / span:.1f}"
        for step, loss in points
    )
