"""Build one table of a paper from records; write it as CSV, Markdown, HTML and LaTeX."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fdsl.io.storage import write_text
from fdsl.report import compare
from fdsl.report.content import Gain, TableCell, TableReport
from fdsl.report.csv_files import to_csv, two_decimals
from fdsl.report.html import SUFFIX, Picture, document, write_fragment
from fdsl.report.published import by_cell, read_published
from fdsl.report.read_runs import RecordRefused, read_runs
from fdsl.report.templating import render
from fdsl.schema.base import choose
from fdsl.schema.study.paper import Study
from fdsl.schema.study.report_scale import ReportScale
from fdsl.schema.study.tables import Column, Table

FILES = (".csv", ".md", ".tex", ".html", SUFFIX)


def write_table(
    study: Study,
    *,
    name: str,
    scale: ReportScale,
    records: Iterable[str | Path],
    published: str | Path,
    out: str | Path,
    pictures: Mapping[str, tuple[Picture, ...]] | None = None,
) -> TableReport:
    """Write a table as CSV, Markdown, LaTeX, HTML document, and HTML fragment for the page.

    Parameters
    ----------
    study, name, scale, records, published, pictures
        As `build_table`.
    out
        The CSV, for example results/tables/table3.csv; the others have the suffixes `FILES`. Each
        file is written whole or not at all.

    Returns
    -------
    TableReport
        The content of the files.

    Raises
    ------
    ConfigError, DamagedFile, RecordRefused
        As `build_table`; nothing is written then.
    ValueError
        If `out` does not end in .csv.
    """
    target = Path(out)
    if target.suffix != ".csv":
        raise ValueError(f"out = {target} must end in .csv; the other files get its name")
    report = build_table(
        study, name=name, scale=scale, records=records, published=published, pictures=pictures
    )
    title = f"{name}: {report.table.title} ({scale.title})"
    page = document(title, render("table.html.j2", report=report, level=1))
    fragment = render("table.html.j2", report=report, level=3)
    markdown, latex = (render(f, report=report) for f in ("table.md.j2", "table.tex.j2"))
    write_fragment(target.with_suffix(SUFFIX), fragment)
    for suffix, text in {".html": page, ".tex": latex, ".md": markdown}.items():
        write_text(target.with_suffix(suffix), f"{text.strip()}\n")
    write_text(target, to_csv(as_frame(report)))
    return report


def build_table(
    study: Study,
    *,
    name: str,
    scale: ReportScale,
    records: Iterable[str | Path],
    published: str | Path,
    pictures: Mapping[str, tuple[Picture, ...]] | None = None,
) -> TableReport:
    """Set records beside published numbers.

    Parameters
    ----------
    study
        The paper.
    name
        A table of it.
    scale
        What the records were made with.
    records
        record.json files of fine-tunings, in any order. Each must belong to a cell. Their paths
        appear in the CSV as given.
    published
        workflow/published/tables.csv.
    pictures
        Sample images by pre-training, for a table that shows them.

    Raises
    ------
    ConfigError
        If the table is unknown, or study and published numbers disagree about the cells.
    DamagedFile, RecordRefused
        If a file cannot be read, or a record does not belong to this table; the message names
        the file.
    """
    choose("table", name, list(study.tables), where=f"study {study.title!r}")
    table = study.tables[name]
    cells = compare.layout(table, name=name, scale=scale)
    printed = read_published(published)
    printed = printed[printed["table"] == name]
    accuracies = printed[printed["metric"] == table.metric]
    runs = read_runs(records, scale=scale.name)
    columns = [column for _, column in compare.grouped(table.columns, scale)]
    shown = compare.placed(runs, columns)
    _require_placed(runs, shown, table, name=name)
    measures = compare.add_means(shown, cells)
    compared = compare.side_by_side(
        cells,
        accuracies,
        measures,
        tolerance_points=table.tolerance_points,
        comparable=scale.comparable,
    )
    compared["reason"] = [
        _reason(cell, shown, cells, scale) for cell in compared.to_dict("records")
    ]
    printed_gains = printed[printed["metric"] == "points"]
    printed_gains = printed_gains.assign(column=printed_gains["column"].str.removesuffix(" gain"))
    gains = compare.gains(compared, measures, printed_gains)
    return TableReport(
        study=study.title,
        reference=study.reference,
        name=name,
        table=table,
        scale=scale,
        bases=_base_labels(study, table),
        pictures={
            row.label: pictures[row.pretraining]
            for row in table.rows
            if pictures and row.pretraining and row.pretraining in pictures
        },
        cells=tuple(TableCell(**row) for row in _rows(compared, TableCell)),
        gains=tuple(Gain(**row) for row in _rows(gains, Gain)),
        printed_gains=by_cell(printed_gains),
        published_models=tuple(sorted(set(accuracies["model"]) - {""})),
        models=tuple(sorted(set(runs["model"]))),
        sources=tuple(dict.fromkeys(accuracies["source"])),
        warnings=tuple(_warnings(shown, columns)),
    )


def as_frame(report: TableReport) -> pd.DataFrame:
    """Return a table as its CSV has it, one row per cell.

    Numbers are text with two decimals, empty where there is none; `record` holds paths joined by
    `;`, or `none: ` and the reason.
    """
    rows = [
        {
            "table": report.name,
            "row": cell.row,
            "column": cell.column,
            "metric": report.table.metric,
            "published": cell.published,
            "reproduced": two_decimals(cell.reproduced),
            "sd": two_decimals(cell.sd),
            "replicates": cell.replicates,
            "difference": two_decimals(cell.difference),
            "verdict": cell.verdict,
            "scale": report.scale.name,
            "as_run": report.described.get(cell.row, ""),
            "record": cell.record or f"none: {cell.reason}",
        }
        for cell in report.cells
    ]
    return pd.DataFrame(rows)


def _rows(frame: pd.DataFrame, kind: type[TableCell | Gain]) -> list[dict[Any, Any]]:
    """Return the rows of a frame as arguments of a dataclass, None for what is missing."""
    bare = frame[list(kind.__dataclass_fields__)].astype(object)
    return bare.where(bare.notna(), None).to_dict("records")


def _base_labels(study: Study, table: Table) -> dict[str, str]:
    """Return the label of the row that each row is compared with, in this table or another."""
    labels: dict[str | None, str] = {}
    for name, other in study.tables.items():
        for row in other.rows:
            labels.setdefault(row.pretraining, f"{row.label} of {name}")
    labels |= {row.pretraining: row.label for row in table.rows}
    return {row: labels.get(base, base) for row, base in table.bases.items()}


def _require_placed(runs: pd.DataFrame, shown: pd.DataFrame, table: Table, *, name: str) -> None:
    """Refuse records that no cell of the table shows or is compared with."""
    stray = runs[
        ~(runs["record"].isin(shown["record"]) & runs["pretraining"].isin(table.pretrainings))
    ]
    if len(stray):
        first = stray.iloc[0]
        raise RecordRefused(
            f"{first['record']} ({first['pretraining']} on {first['downstream']}) belongs to no"
            f" cell of {name}: add its row or column to the study or the scale's stand-ins, or"
            " leave the record out"
        )


def _reason(
    cell: dict[Hashable, Any], runs: pd.DataFrame, cells: pd.DataFrame, scale: ReportScale
) -> str:
    """Return why a cell has no record; an empty string if it has one."""
    if pd.notna(cell["record"]):
        return ""
    if pd.notna(cell["quoted"]):
        dashed = cell["group"] == compare.PAPER and not cell["published"]
        return f"{cell['quoted']}{'; the paper prints a dash' if dashed else ''}"
    dataset = cell["measure"].split(":")[0].split("@")[0]
    for key in (cell["pretraining"], cell["measure"], f"{cell['pretraining']} on {dataset}"):
        if key in scale.reasons:
            return scale.reasons[key]
    group = cells[(cells["group"] == cell["group"]) & (cells["measure"] != cell["measure"])]
    wanted = dict(zip(group["measure"], group["column"], strict=True))
    ours = set(runs.loc[runs["pretraining"] == cell["pretraining"], "measure"])
    missing = [column for measure, column in wanted.items() if measure not in ours]
    if not cell["measure"].startswith(compare.MEAN) or len(missing) == len(wanted):
        return f"no record at scale {scale.name}"
    if missing:
        return f"a mean needs every column; missing: {', '.join(missing)}"
    return "no replicate has every column, so there is no mean"


def _warnings(runs: pd.DataFrame, columns: Sequence[Column]) -> Iterator[str]:
    """Yield where records were not made in the same way."""
    labels = {column.measure: column.label for column in columns}
    for measure, recipes in runs.groupby("measure")["recipe"].nunique().items():
        if recipes > 1:
            label = labels[str(measure)]
            yield f"The records of column {label} were made with {recipes} different recipes."
    versions = sorted({code[:12] for code in runs["code"]})
    if len(versions) > 1:
        listed = ", ".join(versions)
        yield f"The records were made with {len(versions)} versions of the code ({listed})."
