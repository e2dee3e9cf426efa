"""What comes from elsewhere: downstream datasets and published weights."""

from __future__ import annotations

from typing import Any, Literal

from fdsl.cli.jobs.running import RunningJob
from fdsl.io import storage
from fdsl.workflow.sources import data_folder


def fetch_downstream(job: RunningJob) -> None:
    """Find, fetch if necessary, and check a downstream dataset."""
    from fdsl.datasets import downstream
    from fdsl.datasets.fetch import fetch

    name = job.spec["name"]
    entry, root = job.config.downstream[name], data_folder(job.config, job.job.scale, name)
    fetch(entry, root)
    manifest = downstream.check(entry, root)
    # where the copy is, and who read it, must not decide whether a training is repeated
    varying = {"folder", "versions"}
    kept = {key: value for key, value in manifest.items() if key not in varying}
    storage.write_checksummed(job.output("manifest"), kept)
    job.write_record()


def compose(job: RunningJob) -> None:
    """Compose a small dataset in COCO's format from real pictures."""
    from fdsl.datasets import compose as composing
    from fdsl.datasets.splits import load_verified
    from fdsl.schema.catalogue import Composition

    composition = Composition.model_validate(job.spec["composed"])
    manifests = {path.stem: storage.read_checksummed(path) for path in job.inputs("manifests")}

    def images(name: str, part: Literal["train", "test"]) -> Any:
        entry, root = job.config.downstream[name], data_folder(job.config, job.job.scale, name)
        return load_verified(entry, root, manifest=manifests[name], split=part)

    parts_of = composition.sources.items()
    sources = {name: [images(name, part) for part in parts] for name, parts in parts_of}
    found = composing.categories(composition, sources)
    composing.write(job.output("folder"), composition, found, names=job.spec["parts"])
    job.write_record(seed=composition.seed)


def import_weights(job: RunningJob) -> None:
    """Bring weights that others published into the form of a pre-training."""
    from fdsl.datasets.weight_files import file_of, require
    from fdsl.schema.catalogue import ModelEntry
    from fdsl.train.import_weights import import_weights as import_

    name, root = job.spec["weights"], job.config.user.data_root
    entry = job.config.published_weights[name]
    require({name: entry}, root)
    model, file = ModelEntry.model_validate(job.spec["model"]), file_of(entry, root)
    out = job.output("weights")
    found = import_(entry, name=name, model=model, file=file, out=out, code=job.code)
    job.write_record(scale=job.job.scale, **found)
