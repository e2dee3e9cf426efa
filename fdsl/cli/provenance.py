"""Commands about provenance: the chain behind a number, the check of results, the crate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from fdsl.cli.configuration import Changes, ConfigFile, read_config

PANEL = "Provenance"
PER_MIB = 2**20

Result = Annotated[Path, typer.Argument(help="A result, such as results/tables/table3.csv.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    commands: list[Callable[..., None]] = [provenance, verify, crate]
    for command in commands:
        app.command(rich_help_panel=PANEL)(command)


def provenance(
    result: Result,
    cell: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="ROW COLUMN", help="One number of a table, by its row and column."),
    ] = None,
    claim: Annotated[str | None, typer.Option(help="One claim of claims.csv.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print all that is known, as JSON.")] = False,
) -> None:
    """Print the chain from a table, figure, claims.csv or record back to formulas and data."""
    from json import dumps

    from fdsl.io.escaping import printable
    from fdsl.lineage.chain import chain
    from fdsl.lineage.tree import tree

    found = chain(result, cell=cell, claim=claim)
    typer.echo(dumps(found.as_json(), indent=2) if json else printable(tree(found)))


def verify(
    folder: Annotated[Path, typer.Argument(help="A results folder.")] = Path("results"),
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 also for stale or misplaced results.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    config: ConfigFile = None,
    set_: Changes = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Hashing threads; default: cores.")
    ] = None,
) -> None:
    """Check every digest below a results folder; exit with 1 if a file is damaged.

    Reports what is damaged, stale or foreign.
    """
    from collections import Counter
    from dataclasses import asdict
    from json import dumps

    from fdsl.io.escaping import printable
    from fdsl.lineage.expected import Expected
    from fdsl.lineage.verify import Status, verify as check
    from fdsl.workflow.jobs import Jobs

    found = check(folder, Expected.by(Jobs(read_config(config, set_))), threads=threads)
    if json:
        typer.echo(dumps(asdict(found), indent=2))
    else:
        for finding in found.findings:
            typer.echo(printable(f"{finding.status:<8} {finding.path}: {finding.reason}"))
        count = Counter(finding.status for finding in found.findings)
        counts = ", ".join(f"{count[status]} {status}" for status in Status)
        typer.echo(
            f"{found.files:,} files with digests ({found.size_bytes / PER_MIB:,.1f} MiB): {counts};"
            f" {len(found.undigested)} without a digest, {len(found.absent)} jobs of the"
            " configuration not run"
        )
    if found.failed(strict=strict):
        raise typer.Exit(1)


def crate(
    result: Result,
    out: Annotated[Path, typer.Option(help="The folder, or .zip, to make.")],
    largest_mib: Annotated[
        float,
        typer.Option(min=0, help="Larger files are described with their digest and left out."),
    ] = 10,
    config: ConfigFile = None,
    set_: Changes = None,
) -> None:
    """Pack a finished table or figure with its whole provenance as a Workflow Run RO-Crate."""
    from fdsl.lineage.crate import write_crate
    from fdsl.workflow.jobs import Jobs

    made = write_crate(
        result, out, Jobs(read_config(config, set_)), largest_bytes=int(largest_mib * PER_MIB)
    )
    typer.echo(f"{out}: {made.files} files, {made.jobs} jobs")
    for warning in made.warnings:
        typer.echo(f"fdsl: {warning}", err=True)
