"""Options that verbs of several rules share."""

from pathlib import Path
from typing import Annotated

import typer

Code = Annotated[str, typer.Option(help="Digest of the code behind the job, kept in the record.")]
Digest = Annotated[Path, typer.Option(help="Where to write the digest of --out.")]
Data = Annotated[
    str, typer.Option(help="The downstream dataset: `root` folder and catalogue `entry`, as JSON.")
]
RealData = Annotated[
    str, typer.Option(help="Where the real pictures are, as JSON; empty for a formula.")
]
Record = Annotated[Path, typer.Option(help="Where to write what the run did.")]
Weights = Annotated[
    Path, typer.Option(help="Where the weights go; config.json and README.md stand beside them.")
]
Checkpoints = Annotated[Path, typer.Option(help="Folder to go on from after an interruption.")]
Machine = Annotated[
    str, typer.Option(help="Device, batch on the device, loader processes …, as JSON.")
]
Manifest = Annotated[Path, typer.Option(help="What is known of the downstream dataset.")]
Start = Annotated[
    list[Path] | None, typer.Argument(help="Weights to start from; none = from scratch.")
]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads, of all processes together.")]
