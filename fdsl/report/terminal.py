"""A table report for the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from fdsl.io.escaping import printable
from fdsl.io.storage import DamagedFile
from fdsl.report.compare import DIFFERS, WITHIN
from fdsl.report.content import (
    Cell,
    TableReport,
    against,
    agreement,
    beside,
    heading,
    measured,
    paired_lines,
    points,
    tally,
)
from fdsl.report.tables import build_table, records_in, to_csv
from fdsl.schema.study.paper import Study
from fdsl.schema.study.report_scale import ReportScale
from fdsl.schema.yaml_files import read_yaml, workflow_folder
from fdsl.workflow.load import load
from fdsl.workflow.plan import Plan

STYLES = {WITHIN: "blue", DIFFERS: "dark_orange"}


def read_terminal(path: str | Path) -> RenderableType:
    """Return what the terminal shows of a finished table, built again from the records that the
    file names.

    Parameters
    ----------
    path
        A CSV that `fdsl.report.tables.write_table` wrote. config.yaml and the records are looked
        for from the working folder, as the workflow does.

    Raises
    ------
    DamagedFile
        If the file is no table, or the records and the workflow's files by now give another one.
    ConfigError, RecordRefused
        As `fdsl.report.tables.build_table`.
    """
    records = records_in(path)
    first = pd.read_csv(path, dtype=str, keep_default_na=False).iloc[0]
    values = read_yaml(Path("config.yaml")) | {"scale": first["scale"]}
    order = json.loads(Plan(load(values)).reports.tabulation(first["table"]))
    report = build_table(
        Study.model_validate(order["study"]),
        name=order["name"],
        scale=ReportScale.model_validate(order["scale"]),
        records=records,
        published=workflow_folder() / "published" / "tables.csv",
    )
    if to_csv(report) != Path(path).read_bytes().decode():
        raise DamagedFile(
            f"{path} is not what its records and the workflow's files give now: run the workflow"
            " again"
        )
    return to_terminal(report)


def to_terminal(report: TableReport) -> RenderableType:
    """Return what `rich.console.Console.print` shows after a run.

    Rows and columns without any record are named in a line instead of shown; Markdown and HTML have
    them in full.
    """
    parts: list[RenderableType] = [
        Panel(
            _text(report.scale.banner, style="bold"),
            title=_text(f"{report.name}: {report.title}"),
            title_align="left",
        )
    ]
    parts += [_grid(report, group) for group in report.groups if _shown(report, group)]
    hidden = [
        column
        for group in report.groups
        for column in report.columns(group)
        if column not in _shown(report, group)
    ]
    if hidden:
        parts.append(_text(f"No record yet: {', '.join(hidden)} (reasons are in the files)."))
    parts.append(_text(tally(report)))
    parts += [_text(line) for line in agreement(report)]
    if report.bases:
        parts += [
            _text(f"{against(report)}:", style="bold"),
            *(_text(f"  {line}") for line in paired_lines(report)),
        ]
    return Group(*parts)


def _grid(report: TableReport, group: str) -> Table:
    grid = Table(title=_text(heading(report, group)), title_justify="left")
    grid.add_column("Pre-training")
    columns = _shown(report, group)
    for column in columns:
        grid.add_column(_text(column), justify="right")
    for row in report.rows:
        if all(report.cell(row, column).reason for column in columns):
            continue
        described = report.described.get(row)
        label = _text(row) + _text(f"\n{described}", style="dim") if described else _text(row)
        grid.add_row(label, *(_cell(report.cell(row, column)) for column in columns))
    return grid


def _cell(cell: Cell) -> Text:
    text = _text(f"{measured(cell)}{beside(cell)}", style="dim" if cell.reason else "")
    if cell.difference is not None:
        text.append(f"\n{points(cell.difference)}", style=STYLES[cell.verdict])
    return text


def _text(text: str, style: str = "") -> Text:
    """Return words of studies and records as they are to be shown: without what a terminal would
    obey.
    """
    return Text(printable(text), style=style)


def _shown(report: TableReport, group: str) -> list[str]:
    """Columns of a group that have a record in any row."""
    return [
        c
        for c in report.columns(group)
        if any(not report.cell(row, c).reason for row in report.rows)
    ]
