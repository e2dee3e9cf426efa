"""All runs in one list: result, cost, code, and the training loss as a small drawing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from fdsl.io import records as record_files
from fdsl.io.storage import AGAIN, DamagedFile, write_text
from fdsl.report.csv_files import to_csv
from fdsl.report.html import SUFFIX, write_fragment
from fdsl.report.read_metrics import read_metrics
from fdsl.report.templating import render

FILES = (".csv", SUFFIX)
WIDTH, HEIGHT = 120, 28  # of a curve, pixels


class ListedRun(NamedTuple):
    """A row of the CSV."""

    run: str
    kind: str
    result: str
    minutes: float
    images_per_second: float | None
    restarts: int
    code: str
    record: str


def write_runs(records: Iterable[Path], *, out: Path) -> None:
    """Write one row per run as CSV, and the list with curves and environment as HTML fragment.

    Parameters
    ----------
    records
        record.json files of trainings and evaluations, in any order; the curve comes from the
        metrics.jsonl beside each.
    out
        The CSV with the fields of `ListedRun`; the other has the suffix of `FILES`. Each file is
        written whole or not at all.

    Raises
    ------
    DamagedFile
        If a record or a curve cannot be read; nothing is written then.
    ValueError
        If `out` does not end in .csv.
    """
    if out.suffix != ".csv":
        raise ValueError(f"out = {out} must end in .csv; the fragment gets its name")
    runs, curves = [], []
    newest: dict[str, Any] = {}
    for path in sorted(set(records)):
        record = record_files.read(path)
        try:
            runs.append(_run(path, record))
            if record["environment"] and record.get("finished", "") >= newest.get("finished", ""):
                newest = record
        except (KeyError, TypeError) as error:
            raise DamagedFile(f"{path} is not a record ({error}); {AGAIN}") from None
        curves.append(_curve(path.with_name("metrics.jsonl")))
    shown = {"runs": list(zip(runs, curves, strict=True)), "width": WIDTH, "height": HEIGHT}
    fragment = render("runs.html.j2", environment=newest.get("environment", {}), **shown)
    write_fragment(out.with_suffix(SUFFIX), fragment)
    write_text(out, to_csv(pd.DataFrame(runs, columns=ListedRun._fields).round({"minutes": 2})))


def _run(path: Path, record: dict[str, Any]) -> ListedRun:
    cost = record["cost"]
    return ListedRun(
        run=record["run"],
        kind=record["kind"],
        result=_result(record["result"]),
        minutes=cost["wall_seconds"] / 60,
        images_per_second=cost.get("images_per_second"),
        restarts=cost.get("resumed", 0),
        code=record["code"],
        record=path.as_posix(),
    )


def _result(result: dict[str, Any]) -> str:
    """Return the headline of a run."""
    if "top1_last" in result:
        return f"top-1 {result['top1_last']:.2f} % of {result['images']:,}"
    if "map_last" in result:
        return f"mAP {result['map_last']:.2f} % of {result['images']:,}"
    if "knn" in result:
        knn, linear = (
            100 * result[name]["correct"] / result["images"] for name in ("knn", "linear")
        )
        return f"k-NN {knn:.2f} %, linear {linear:.2f} %"
    if "box" in result:
        return f"box AP {result['box']['ap']:.1f}, mask AP {result['mask']['ap']:.1f}"
    return f"loss {result['final_loss']:.3f}" if "final_loss" in result else ""


def _curve(path: Path) -> str:
    """Return the training loss over the updates as points of an SVG polyline; empty if the run has
    fewer than two.
    """
    train = read_metrics(path)["train"] if path.is_file() else pd.DataFrame()
    if len(train) < 2:
        return ""
    step, loss = train["step"], train["loss"]
    x = WIDTH * step / step.iloc[-1]
    y = HEIGHT * (loss.max() - loss) / ((loss.max() - loss.min()) or 1.0)
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
