"""Build one table of a paper from records and write it as CSV, Markdown, HTML and LaTeX."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fdsl.io.storage import DamagedFile, write_text
from fdsl.report import compare, csv_files
from fdsl.report.content import Cell, Gain, TableReport
from fdsl.report.html import to_html
from fdsl.report.latex import to_latex
from fdsl.report.markdown import to_markdown
from fdsl.report.picture import Picture
from fdsl.report.published import read_published
from fdsl.report.read_runs import RecordRefused, read_runs
from fdsl.schema.base import choose
from fdsl.schema.study.paper import Study
from fdsl.schema.study.report_scale import ReportScale
from fdsl.schema.study.tables import Column, Table

COLUMNS = (
    "table",
    "row",
    "column",
    "metric",
    "published",
    "reproduced",
    "sd",
    "seeds",
    "difference",
    "verdict",
    "scale",
    "as_run",
    "record",
)
NO_RECORD = "none: "


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
    """Write a table as `out` (CSV) and, beside it, as .md, .html and .tex; each file whole or not
    at all.

    Parameters
    ----------
    study, name, scale, records, published, pictures
        As `build_table`.
    out
        Ends in .csv, for example results/tables/table3.csv.

    Returns
    -------
    TableReport
        What was written.

    Raises
    ------
    ConfigError, DamagedFile, RecordRefused
        As `build_table`; nothing is written then.
    """
    target = Path(out)
    if target.suffix != ".csv":
        raise ValueError(
            f"out = {target} must end in .csv; .md, .html and .tex are written beside it"
        )
    report = build_table(
        study, name=name, scale=scale, records=records, published=published, pictures=pictures
    )
    texts = {
        ".html": to_html(report),
        ".md": to_markdown(report),
        ".tex": to_latex(report),
        ".csv": to_csv(report),
    }
    for suffix, text in texts.items():
        write_text(target.with_suffix(suffix), text)
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
        If a file cannot be read, or a record cannot stand in this table; the message names the
        file.
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
    printed_gains = _printed_gains(printed)
    gains = compare.gains(compared, measures, printed_gains)
    return TableReport(
        study=study.title,
        reference=study.reference,
        name=name,
        title=table.title,
        caption=table.caption,
        metric=table.metric,
        tolerance_points=table.tolerance_points,
        scale=scale,
        rows=tuple(row.label for row in table.rows),
        bases=_base_titles(study, table),
        described={
            row.label: scale.reduced[row.pretraining]
            for row in table.rows
            if row.pretraining in scale.reduced
        },
        pictures={
            row.label: pictures[row.pretraining]
            for row in table.rows
            if pictures and row.pretraining and row.pretraining in pictures
        },
        bracketed=any(row.gain_over for row in table.rows),
        printed_gains=_by_cell(printed_gains),
        cells=tuple(
            _cell(row, reason=_reason(row, shown, cells, scale))
            for row in compared.to_dict("records")
        ),
        gains=tuple(_gain(row) for row in gains.to_dict("records")),
        published_models=tuple(sorted(set(accuracies["model"]) - {""})),
        models=tuple(sorted(set(runs["model"]))),
        sources=tuple(dict.fromkeys(accuracies["source"])),
        notes=tuple(table.notes),
        warnings=tuple(_warnings(shown, columns)),
    )


def _printed_gains(printed: pd.DataFrame) -> pd.DataFrame:
    """Return the gains that the paper prints, by the column that they stand in."""
    gains = printed[printed["metric"] == "points"]
    return gains.assign(column=gains["column"].str.removesuffix(" gain"))


def _by_cell(printed_gains: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return the printed gains by row and column of the table."""
    return {
        (gain["row"], gain["column"]): float(gain["published"])
        for gain in printed_gains.to_dict("records")
        if gain["published"]
    }


def _base_titles(study: Study, table: Table) -> dict[str, str]:
    """Return the row label of what each row is set beside."""
    labels = {
        row.pretraining: row.label if here else f"{row.label} of {name}"
        for name, other in reversed(study.tables.items())
        for row in other.rows
        if row.pretraining
        for here in [other is table]
    }
    own = {row.pretraining: row.label for row in table.rows if row.pretraining}
    return {row: {**labels, **own}.get(base, base) for row, base in table.bases.items()}


def to_csv(report: TableReport) -> str:
    """Return the table with the columns `COLUMNS`; numbers with two decimals, empty where there is
    none.
    """
    rows = [
        (
            report.name,
            cell.row,
            cell.column,
            cell.metric,
            cell.published,
            _two(cell.reproduced),
            _two(cell.sd),
            cell.seeds,
            _two(cell.difference),
            cell.verdict,
            report.scale.name,
            report.described.get(cell.row, ""),
            cell.record or NO_RECORD + cell.reason,
        )
        for cell in report.cells
    ]
    return csv_files.to_csv(pd.DataFrame(rows, columns=COLUMNS))


def records_in(path: str | Path) -> list[Path]:
    """Return the record files that a written table CSV names, each once, in the order of their
    names.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if tuple(table.columns) != COLUMNS:
        raise DamagedFile(
            f"{path} has the columns {', '.join(table.columns)}, not {', '.join(COLUMNS)}; build it"
            " again"
        )
    named = {
        record
        for cell in table["record"]
        if not cell.startswith(NO_RECORD)
        for record in cell.split(";")
    }
    return [Path(record) for record in sorted(named)]


def _require_placed(runs: pd.DataFrame, shown: pd.DataFrame, table: Table, *, name: str) -> None:
    """Refuse records that no cell of the table would show, or be set beside."""
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
    """Say why a cell has no record; nothing if it has one."""
    if pd.notna(cell["record"]):
        return ""
    if pd.notna(cell["quoted"]):
        dash = (
            "; the paper prints a dash"
            if cell["group"] == compare.PAPER and not cell["published"]
            else ""
        )
        return f"{cell['quoted']}{dash}"
    mine = runs[runs["pretraining"] == cell["pretraining"]]
    dataset = cell["measure"].split(":")[0].split("@")[0]
    for key in (cell["pretraining"], cell["measure"], f"{cell['pretraining']} on {dataset}"):
        if key in scale.reasons:
            return scale.reasons[key]
    if not cell["measure"].startswith(compare.MEAN):
        return f"no record at scale {scale.name}"
    group = cells[(cells["group"] == cell["group"]) & (cells["measure"] != cell["measure"])]
    wanted = group.drop_duplicates("measure")
    missing = list(wanted.loc[~wanted["measure"].isin(mine["measure"]), "column"])
    if len(missing) == len(wanted):
        return f"no record at scale {scale.name}"
    return (
        f"a mean needs every column; missing: {', '.join(missing)}"
        if missing
        else "no seed has every column, so there is no mean"
    )


def _warnings(runs: pd.DataFrame, columns: Sequence[Column]) -> list[str]:
    """Say where records were not made in the same way."""
    labels = {column.measure: column.label for column in columns}
    found = []
    for measure, same in runs.groupby("measure", sort=True):
        recipes = len(set(same["recipe"]))
        if recipes > 1:
            label = labels[str(measure)]
            found.append(
                f"The records of column {label} were made with {recipes} different recipes."
            )
    versions = sorted({code[:12] for code in runs["code"]})
    if len(versions) > 1:
        found.append(
            f"The records were made with {len(versions)} versions of the code"
            f" ({', '.join(versions)})."
        )
    return found


def _cell(row: dict[Hashable, Any], *, reason: str) -> Cell:
    return Cell(
        row=row["row"],
        column=row["column"],
        metric=row["metric"],
        group=row["group"],
        published=row["published"],
        reproduced=_number(row["reproduced"]),
        sd=_number(row["sd"]),
        seeds=int(row["seeds"]),
        difference=_number(row["difference"]),
        verdict=str(row["verdict"]),
        record="" if reason else row["record"],
        reason=reason,
    )


def _gain(row: dict[Hashable, Any]) -> Gain:
    return Gain(
        row=row["row"],
        column=row["column"],
        group=row["group"],
        is_mean=row["measure"].startswith(compare.MEAN),
        gain=float(row["gain"]),
        sd=_number(row["sd"]),
        pairs=int(row["pairs"]),
        higher=int(row["higher"]),
        published_gain=_number(row["published_gain"]),
        verdict=str(row["verdict"]),
    )


def _number(value: float) -> float | None:
    return None if pd.isna(value) else float(value)


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:z.2f}"
