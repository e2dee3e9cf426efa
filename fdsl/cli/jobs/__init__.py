"""One command for each rule: it rebuilds its job from the job table and performs it.

Snakemake calls `fdsl RULE NAME --scale S --spec DIGEST --config FILE`; typed by hand, the last two
can be left out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from fdsl.cli.configuration import Changes, ConfigFile, read_config
from fdsl.cli.jobs import datasets, evaluate, images, reports, training
from fdsl.cli.jobs.running import RunningJob, begin

PANEL = "Jobs of the workflow (Snakemake calls these)"
# Rule -> what performs it, and what its command calls the rule's wildcards but for the scale.
COMMANDS: dict[str, tuple[Callable[[RunningJob], None], tuple[str, ...]]] = {
    "sample_parameters": (images.sample_parameters, ("dataset",)),
    "render_shard": (images.render_shard, ("dataset", "shard")),
    "difficulty": (images.difficulty, ("dataset",)),
    "fetch_downstream": (datasets.fetch_downstream, ("dataset",)),
    "compose": (datasets.compose, ("dataset",)),
    "pretrain": (training.pretrain, ("runs",)),
    "import_weights": (datasets.import_weights, ("weights",)),
    "attention": (evaluate.attention, ("run",)),
    "finetune": (training.finetune, ("runs",)),
    "probe": (evaluate.probe, ("runs",)),
    "detect": (training.detect, ("run",)),
    "table": (reports.table, ("table",)),
    "figure": (reports.figure, ("figure",)),
    "curves": (reports.curves, ("stage", "run")),
    "claims": (reports.claims, ()),
    "runs": (reports.runs, ()),
    "page": (reports.page, ()),
}
HELP = {
    "dataset": "Name in the catalogue.",
    "shard": "Number of the shard, four digits.",
    "run": "Key of the run, such as fractaldb1k-vit_tiny-s0.",
    "runs": "Keys of runs, performed one after the other in one process.",
    "weights": "Name in the catalogue of published weights.",
    "table": "Name in its study.",
    "figure": "Name in its study.",
    "stage": "pretrain, finetune or detect.",
}
OPTIONS: dict[str, Any] = {
    "scale": Annotated[str | None, typer.Option(help="Budget; default: that of config.yaml.")],
    "config": ConfigFile,
    "set_": Changes,
    "spec": Annotated[
        str | None, typer.Option(help="Digest of the planned spec; any other is refused.")
    ],
    "threads": Annotated[int | None, typer.Option(min=1, help="CPU threads of all processes.")],
}


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for rule, (perform, names) in COMMANDS.items():
        app.command(rule.replace("_", "-"), rich_help_panel=PANEL)(_command(rule, perform, names))


def _command(
    rule: str, perform: Callable[[RunningJob], None], names: tuple[str, ...]
) -> Callable[..., None]:
    """Return the command of a rule, whose arguments are the rule's wildcards."""

    def command(**given: Any) -> None:
        scale = {} if given["scale"] is None else {"scale": given["scale"]}
        config = read_config(given["config"], given["set_"], **scale)
        single = {name: given[name] for name in names if name != "runs"} | scale
        wildcards = [single | {"run": run} for run in given.get("runs", [])] or [single]
        options = {name: given[name] for name in ("spec", "threads")}
        for job in begin(rule, wildcards, config=config, **options):
            perform(job)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    types: dict[str, Any] = {"runs": list[str]}
    arguments = {
        name: Annotated[types.get(name, str), typer.Argument(help=HELP[name])] for name in names
    }
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, kind, annotation=about) for name, about in arguments.items()]
        + [
            inspect.Parameter(name, kind, annotation=about, default=None)
            for name, about in OPTIONS.items()
        ]
    )
    command.__doc__ = perform.__doc__
    return command
