"""Parameters and images: drawn by formulas, or composed of real pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from fdsl.cli import records
from fdsl.cli.jobs import job_inputs
from fdsl.cli.jobs.options import Code, Digest, Record
from fdsl.cli.options import Order, Out
from fdsl.io import storage


def sample_parameters(
    order: Order,
    code: Code,
    out: Out,
    digest: Digest,
    record: Record,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
) -> None:
    """Search the categories of a synthetic dataset."""
    from fdsl.cli.progress import track
    from fdsl.images import parameters
    from fdsl.schema.catalogue import SyntheticDataset

    asked = records.asked(order)
    spec = asked["order"]
    dataset = SyntheticDataset.model_validate(spec["dataset"])
    found = parameters.sample(dataset, seed=spec["seed"], workers=workers)
    rows = list(track(found, total=dataset.classes, unit="categories", title=dataset.formula))
    parameters.write(out, parameters.stack(rows), dataset=dataset, seed=spec["seed"])
    storage.write_digest(digest, of=out)
    records.leave(
        record,
        "sample_parameters",
        asked,
        code,
        seed=spec["seed"],
        outputs=[out, digest],
        settings=parameters.formula_settings(dataset).model_dump(mode="json"),
    )


def render_shard(
    order: Order,
    code: Code,
    out: Out,
    digest: Digest,
    record: Record,
    parameters: Annotated[Path, typer.Option(help="The dataset's parameter file.")],
) -> None:
    """Draw and store one part of a synthetic dataset."""
    from fdsl.cli.progress import track
    from fdsl.images.shards import render_shard as render, shard_range

    asked = records.asked(order)
    spec = asked["order"]
    job_inputs.noted([parameters])
    images = job_inputs.streamed(spec, parameters)
    part = shard_range(spec["shard"], shards=spec["shards"], images=len(images))
    title = f"{images.dataset.formula}, shard {spec['shard']}"
    render(out, images, part=part, indices=track(part, total=len(part), unit="images", title=title))
    storage.write_digest(digest, of=out)
    records.leave(
        record,
        "render_shard",
        asked,
        code,
        run=f"{out.parent.name}/{out.stem}",
        seed=spec["seed"],
        inputs=[parameters],
        outputs=[out, digest],
    )


def compose(
    order: Order,
    code: Code,
    data: Annotated[str, typer.Option(help="Where the pictures are, as JSON by dataset.")],
    out: Annotated[Path, typer.Option(help="The folder to make.")],
    record: Record,
    manifests: Annotated[
        list[Path] | None, typer.Argument(help="What is known of the pictures' datasets.")
    ] = None,
) -> None:
    """Compose a small dataset in COCO's format from real pictures."""
    from fdsl.datasets import compose as composing
    from fdsl.datasets.splits import load_verified
    from fdsl.schema.catalogue import Composition

    asked = records.asked(order)
    spec = asked["order"]
    composition = Composition.model_validate(spec["composed"])
    known = {path.stem: storage.read_checksummed(path) for path in manifests or []}
    sources = {}
    for name, where in json.loads(data).items():
        entry, root = job_inputs.downstream(json.dumps(where))
        sources[name] = [
            load_verified(entry, root, manifest=known[name], split=part)
            for part in composition.sources[name]
        ]
    found = composing.categories(composition, sources)
    composing.write(out, composition, found, names=spec["parts"])
    records.leave(
        record, "compose", asked, code, seed=composition.seed, inputs=manifests or [], outputs=[out]
    )
