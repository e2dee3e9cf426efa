"""One verb for each rule that makes images or trains. A verb reads its order, calls one function
and writes what Snakemake waits for.
"""

import typer

from fdsl.cli.jobs.evaluate import attention, probe
from fdsl.cli.jobs.images import compose, render_shard, sample_parameters
from fdsl.cli.jobs.sources import adopt_weights, fetch_downstream
from fdsl.cli.jobs.training import detect, finetune, pretrain
from fdsl.cli.options import PANEL


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    for verb in [
        sample_parameters,
        render_shard,
        compose,
        fetch_downstream,
        pretrain,
        adopt_weights,
        attention,
        finetune,
        probe,
        detect,
    ]:
        app.command(rich_help_panel=PANEL)(verb)
