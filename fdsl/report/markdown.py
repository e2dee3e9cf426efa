"""A table report as GitHub-flavoured Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from fdsl.io.escaping import escape_markdown
from fdsl.report.content import (
    DASH,
    Cell,
    TableReport,
    against,
    agreement,
    beside,
    gain_columns,
    gain_rows,
    gained,
    heading,
    how_to_read,
    judged,
    measured,
    our_gain,
    paired_legend,
    paired_lines,
    printed_gain,
    remarks,
    tally,
)


def to_markdown(report: TableReport) -> str:
    """Return the report; rows are pre-trainings, columns are datasets."""
    return "\n\n".join(_parts(report)) + "\n"


def _parts(report: TableReport) -> Iterator[str]:
    yield f"# {report.name}: {escape_markdown(report.title)}"
    yield f"> **{escape_markdown(report.scale.banner)}**"
    yield f"{escape_markdown(report.caption)} {escape_markdown(how_to_read(report))}"
    for group in report.groups:
        if len(report.groups) > 1 or not report.scale.comparable:
            yield f"## {escape_markdown(heading(report, group))}"
        yield _grid(report, group)
    if report.footnotes:
        yield "\n".join(
            f"[{number}] {escape_markdown(text)}  "
            for number, text in enumerate(report.footnotes, 1)
        ).rstrip()
    yield tally(report)
    if report.scale.comparable:
        yield "## Against the paper"
        yield _list(agreement(report))
    if report.bases:
        yield f"## {escape_markdown(against(report))}"
        if report.gains:
            yield paired_legend(report)
            yield _gain_grid(report)
        yield _list(paired_lines(report))
    yield "## Sources and remarks"
    yield _list(remarks(report))


def _grid(report: TableReport, group: str) -> str:
    columns = report.columns(group)
    rows = [
        [_row_label(report, row), *(_cell(report, report.cell(row, column)) for column in columns)]
        for row in report.rows
    ]
    return _table(["Pre-training", *map(markdown, columns)], rows)


def _gain_grid(report: TableReport) -> str:
    columns = gain_columns(report)
    rows = [
        [
            escape_markdown(row),
            *(gained(gain) if (gain := report.gain(row, column)) else DASH for column in columns),
        ]
        for row in gain_rows(report)
    ]
    return _table(["Pre-training", *map(escape_markdown, columns)], rows)


def _cell(report: TableReport, cell: Cell) -> str:
    mark = f" [{report.mark(cell)}]" if cell.reason else ""
    verdict = f" {judged(cell)}" if judged(cell) else ""
    ours, printed = (
        text.replace("[", r"\[").replace("]", r"\]")
        for text in (our_gain(report, cell), printed_gain(report, cell))
    )
    return f"{measured(cell)}{mark}{ours}{beside(cell)}{printed}{verdict}"


def _row_label(report: TableReport, row: str) -> str:
    described = report.described.get(row)
    return (
        f"{escape_markdown(row)}<br>({escape_markdown(described)})"
        if described
        else escape_markdown(row)
    )


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {escape_markdown(line)}" for line in lines)


def _table(headings: list[str], rows: list[list[str]]) -> str:
    aligned = ["left", *["right"] * (len(headings) - 1)]
    frame = pd.DataFrame(rows, columns=headings)
    return str(
        frame.to_markdown(index=False, tablefmt="pipe", colalign=aligned, disable_numparse=True)
    )
