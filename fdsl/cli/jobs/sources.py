"""What comes from elsewhere: downstream datasets and published weights."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from fdsl.cli import records
from fdsl.cli.jobs import job_inputs
from fdsl.cli.jobs.options import Code, Data, Record, Weights
from fdsl.cli.options import Order, Out
from fdsl.io import storage


def fetch_downstream(order: Order, data: Data, out: Out, record: Record) -> None:
    """Find, fetch if necessary, and check a downstream dataset."""
    from fdsl.datasets import downstream
    from fdsl.datasets.fetch import fetch
    from fdsl.lineage.modules import MODULES
    from fdsl.provenance import fingerprint

    asked = records.asked(order)
    entry, root = job_inputs.downstream(data)
    fetch(entry, root)
    manifest = downstream.check(entry, root)
    # where the copy lies, and who read it, must not decide whether a training is repeated
    storage.write_checksummed(
        out, {key: value for key, value in manifest.items() if key not in {"folder", "versions"}}
    )
    # the rule has no code, since reading again changes nothing that follows
    code = fingerprint(*MODULES["fetch_downstream"])
    records.leave(record, "fetch_downstream", asked, code, outputs=[out])


def adopt_weights(
    order: Order,
    code: Code,
    data: Annotated[
        str,
        typer.Option(help="The published weights: `root` folder and catalogue `entry`, as JSON."),
    ],
    weights: Weights,
    record: Record,
) -> None:
    """Bring weights that others published into the form of a pre-training."""
    from fdsl.datasets.weight_files import file_of, require
    from fdsl.provenance import environment
    from fdsl.schema.catalogue import ModelEntry, PublishedWeights
    from fdsl.train.import_weights import import_weights

    asked, place = records.asked(order), json.loads(data)
    spec = asked["order"]
    entry = PublishedWeights.model_validate(place["entry"])
    require({spec["released"]: entry}, place["root"])
    import_weights(
        entry,
        name=spec["released"],
        scale=spec["scale"],
        model=ModelEntry.model_validate(spec["model"]),
        file=file_of(entry, place["root"]),
        out=weights,
        record=record,
        code=code,
        environment=environment(),
        job_start=asked,
    )
