"""Jobs that look at a network as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fdsl.cli import records
from fdsl.cli.jobs import job_inputs
from fdsl.cli.jobs.options import Code, Data, Machine, Manifest, RealData, Record, Start, Threads
from fdsl.cli.options import Order, Out

SHOWN_CATEGORIES = 4  # of an attention map


def attention(
    order: Order,
    code: Code,
    weights: Annotated[Path, typer.Option(help="Weights of the pre-training.")],
    out: Out,
    record: Record,
    data: RealData = "",
    manifest: Annotated[
        list[Path] | None, typer.Argument(help="What is known of the real pictures.")
    ] = None,
) -> None:
    """Look where a pre-trained network attends on the first image of its first categories."""
    from fdsl.images.streamed import preview
    from fdsl.schema.catalogue import ModelEntry, SyntheticDataset
    from fdsl.schema.recipe import Recipe
    from fdsl.train.attention import write_attention

    asked = records.asked(order)
    spec = asked["order"]
    if spec["kind"] == "synthetic":
        entry = SyntheticDataset.model_validate(spec["dataset"])
        few = entry.model_copy(update={"classes": SHOWN_CATEGORIES, "instances": 1})
        images = [line[0] for line in preview(few, seed=spec["seed"])]
    else:
        pictures = job_inputs.real(spec, data, (manifest or [])[0])
        images = [pictures[index][0] for index in range(SHOWN_CATEGORIES)]
    write_attention(
        out,
        images,
        weights_file=weights,
        recipe=Recipe.model_validate(spec["recipe"]),
        model=ModelEntry.model_validate(spec["model"]),
    )
    inputs = [weights, *(manifest or [])]
    records.leave(
        record, "attention", asked, code, seed=spec["run_seed"], inputs=inputs, outputs=[out]
    )


def probe(
    order: Order,
    code: Code,
    data: Data,
    manifest: Manifest,
    machine: Machine,
    threads: Threads,
    record: Record,
    weights: Start = None,
) -> None:
    """Test the frozen features of a network by k-NN and by a linear probe."""
    from fdsl.schema.probe import Probe
    from fdsl.schema.recipe import Preparation
    from fdsl.train.probe import probe as judge

    asked = records.asked(order)
    spec = asked["order"]
    entry, parts = job_inputs.parts(spec, data, manifest)
    judge(
        **job_inputs.run(asked, weights, manifest=manifest, machine=machine, threads=threads),
        preparation=Preparation.model_validate(spec["preparation"]),
        settings=Probe.model_validate(spec["probe"]),
        train=parts.train,
        test=parts.test,
        classes=entry.classes,
        record=record,
        code=code,
    )
