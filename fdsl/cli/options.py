"""What the verbs of the workflow have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PANEL = "Jobs of the workflow (Snakemake calls these)"

Order = Annotated[
    str,
    typer.Option(help="All that decides what is computed, as JSON; made by fdsl.workflow.plan."),
]
Out = Annotated[Path, typer.Option(help="The file to write.")]
