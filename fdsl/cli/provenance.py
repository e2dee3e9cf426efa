"""Verbs about where results come from: the chain behind a number, the check of a results folder,
the crate of a table.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

PANEL = "Where results come from"
PER_MIB = 2**20

Result = Annotated[
    Path, typer.Argument(help="A finished result, such as results/tables/table3.csv.")
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a key of config.yaml, as Snakemake's --config does; repeatable.",
    ),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Another config.yaml than the checkout's.")
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    for verb in [provenance, verify, crate]:
        app.command(rich_help_panel=PANEL)(verb)


def provenance(
    result: Result,
    cell: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="ROW COLUMN", help="One number of a table, by its row and column."),
    ] = None,
    claim: Annotated[str | None, typer.Option(help="One claim of claims.csv.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print all that is known, as JSON.")] = False,
) -> None:
    """Print the chain from a table, figure, claims.csv or record to the formulas and data that it
    was made from.
    """
    from json import dumps

    from fdsl.io.escaping import printable
    from fdsl.lineage.chain import chain
    from fdsl.lineage.tree import tree

    found = chain(result, cell=cell, claim=claim)
    typer.echo(dumps(found.as_json(), indent=2) if json else printable(tree(found)))


def verify(
    folder: Annotated[Path, typer.Argument(help="A results folder.")] = Path("results"),
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Exit with 1 also for what is stale or in another's place."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    config: ConfigFile = None,
    set_: Set = None,
    threads: Annotated[int | None, typer.Option(min=1, help="That hash; default: cores.")] = None,
) -> None:
    """Check every digest below a results folder; say what is damaged, stale or foreign. Exits with
    1 if something is damaged.
    """
    from dataclasses import asdict
    from json import dumps

    from fdsl.io.escaping import printable
    from fdsl.lineage.expected import Asked
    from fdsl.lineage.verify import verify as check

    found = check(folder, Asked.by(_plan(config, set_)), threads=threads)
    if json:
        typer.echo(dumps(asdict(found), indent=2))
    else:
        for finding in found.findings:
            typer.echo(printable(f"{finding.status:<8} {finding.path}: {finding.reason}"))
        counts = [
            sum(f.status == status for f in found.findings)
            for status in ("damaged", "stale", "foreign")
        ]
        typer.echo(
            f"{found.files:,} files with digests ({found.size_bytes / PER_MIB:,.1f} MiB):"
            f" {counts[0]} damaged, {counts[1]} stale, {counts[2]} foreign; {len(found.undigested)}"
            f" without a digest, {len(found.absent)} jobs of the configuration not run"
        )
    if found.failed(strict=strict):
        raise typer.Exit(1)


def crate(
    result: Result,
    out: Annotated[Path, typer.Option(help="The folder, or .zip, to make.")],
    largest_mib: Annotated[
        float,
        typer.Option(
            min=0, help="Larger weights and images are described, with their digest, and left out."
        ),
    ] = 10,
    config: ConfigFile = None,
    set_: Set = None,
) -> None:
    """Pack a finished table or figure with its whole provenance as a Workflow Run RO-Crate."""
    from fdsl.lineage.crate import write_crate

    made = write_crate(result, out, _plan(config, set_), largest_bytes=int(largest_mib * PER_MIB))
    typer.echo(f"{out}: {made.files} files, {made.jobs} jobs")
    for warning in made.warnings:
        typer.echo(f"fdsl: {warning}", err=True)


def _plan(config: Path | None, changes: list[str] | None) -> Any:
    """Return the plan of a configuration file with changes."""
    from fdsl.cli.inspect import assignment
    from fdsl.schema.yaml_files import read_yaml, workflow_folder
    from fdsl.workflow.load import load
    from fdsl.workflow.plan import Plan

    path = config or workflow_folder().parent / "config.yaml"
    changed = dict(assignment(text) for text in changes or [])
    return Plan(load({**read_yaml(path), **changed}, where=str(path)))
