"""One verb for each rule that reports: tables, figures, claims, the page. None of them loads torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fdsl.cli import records as job_records
from fdsl.cli.options import PANEL, Order, Out
from fdsl.io import records as record_files

Published = Annotated[Path, typer.Option(help="Printed numbers.")]
Records = Annotated[list[Path] | None, typer.Argument(help="Records of the runs.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    for verb in [table, figure, claims, page, curves]:
        app.command(rich_help_panel=PANEL)(verb)


def table(order: Order, published: Published, out: Out, records: Records = None) -> None:
    """Join records with the published numbers: .csv, and .md, .html and .tex beside it."""
    from fdsl.lineage.modules import of_table
    from fdsl.provenance import fingerprint
    from fdsl.report.tables import write_table
    from fdsl.schema.catalogue import SyntheticDataset
    from fdsl.schema.study.paper import Study
    from fdsl.schema.study.report_scale import ReportScale

    asked = job_records.asked(order)
    spec = asked["order"]
    pictured = {
        name: SyntheticDataset.model_validate(entry) for name, entry in spec["pictured"].items()
    }
    pictures = {}
    if pictured:
        from fdsl.report.gallery import strips

        pictures = strips(pictured, seed=spec["seed"])
    write_table(
        Study.model_validate(spec["study"]),
        name=spec["name"],
        scale=ReportScale.model_validate(spec["scale"]),
        records=records or [],
        published=published,
        out=out,
        pictures=pictures,
    )
    _leave(
        "table",
        asked,
        fingerprint(*of_table(spec)),
        seed=spec["seed"],
        inputs=[*(records or []), published],
        outputs=[out.with_suffix(suffix) for suffix in (".csv", ".html", ".md", ".tex")],
    )


def figure(
    order: Order,
    published: Published,
    out: Out,
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Records, and what else the kind of figure shows: attention, curves …"),
    ] = None,
) -> None:
    """Draw a figure: .png, and .pdf and .csv (what it plots) beside it."""
    from fdsl.lineage.modules import of_figure
    from fdsl.provenance import fingerprint
    from fdsl.report.figures.inputs import FigureInputs, write

    asked = job_records.asked(order)
    spec = asked["order"]
    given = files or []
    inputs = FigureInputs.model_validate(
        spec
        | {
            "records": [path for path in given if path.name == "record.json"],
            "files": [path for path in given if path.name != "record.json"],
            "published": published,
        }
    )
    write(inputs, out=out)
    _leave(
        "figure",
        asked,
        fingerprint(*of_figure(spec)),
        seed=spec["seed"],
        inputs=[*given, published],
        outputs=[out.with_suffix(suffix) for suffix in (".png", ".pdf", ".csv")],
    )


def curves(
    metrics: Annotated[Path, typer.Option(help="The run's metrics.jsonl.")], out: Out
) -> None:
    """Draw the learning curves of one training as PNG."""
    from fdsl.report.run_curves import write_curves

    write_curves(metrics, out=out)


def claims(order: Order, published: Published, out: Out, records: Records = None) -> None:
    """Decide the claims of the studies: .csv, and .md and .html beside it."""
    from fdsl.lineage.modules import MODULES
    from fdsl.provenance import fingerprint
    from fdsl.report.claims import write_claims
    from fdsl.schema.study.paper import Study
    from fdsl.schema.study.report_scale import ReportScale

    asked = job_records.asked(order)
    spec = asked["order"]
    write_claims(
        {name: Study.model_validate(study) for name, study in spec["studies"].items()},
        scales={name: ReportScale.model_validate(scale) for name, scale in spec["scales"].items()},
        records=records or [],
        published=published,
        out=out,
    )
    _leave(
        "claims",
        asked,
        fingerprint(*MODULES["claims"]),
        inputs=[*(records or []), published],
        outputs=[out.with_suffix(suffix) for suffix in (".csv", ".html", ".md")],
    )


def page(
    order: Order,
    published: Published,
    out: Out,
    figures: Annotated[list[Path] | None, typer.Argument(help="Finished figures, PNG.")] = None,
) -> None:
    """Put tables, figures, claims, gallery and runs on one page."""
    from fdsl.lineage.modules import MODULES
    from fdsl.provenance import fingerprint
    from fdsl.report.page import write_page
    from fdsl.schema.catalogue import SyntheticDataset
    from fdsl.schema.study.paper import Study
    from fdsl.schema.study.report_scale import ReportScale

    asked = job_records.asked(order)
    spec = asked["order"]
    write_page(
        {name: Study.model_validate(study) for name, study in spec["studies"].items()},
        scales={name: ReportScale.model_validate(scale) for name, scale in spec["scales"].items()},
        table_records={
            name: [Path(path) for path in paths] for name, paths in spec["table_records"].items()
        },
        pretraining_records=[Path(path) for path in spec["pretraining_records"]],
        figures=figures or [],
        published=published,
        datasets={
            name: SyntheticDataset.model_validate(entry) for name, entry in spec["datasets"].items()
        },
        seed=spec["seed"],
        out=out,
    )
    shown = {path for paths in spec["table_records"].values() for path in paths}
    shown |= set(spec["pretraining_records"])
    _leave(
        "page",
        asked,
        fingerprint(*MODULES["page"]),
        seed=spec["seed"],
        inputs=[*map(Path, sorted(shown)), *(figures or []), published],
        outputs=[out],
    )


def _leave(
    kind: str, asked: dict[str, Any], code: str, *, outputs: list[Path], **entries: Any
) -> None:
    """Leave the record of a report beside it. A report is made by one process at a time, so the
    rules need not declare it.
    """
    record = record_files.record_path(outputs[0])
    job_records.leave(record, kind, asked, code, outputs=outputs, **entries)
