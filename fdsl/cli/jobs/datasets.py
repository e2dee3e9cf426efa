"""What comes from elsewhere: downstream datasets and published weights."""

from __future__ import annotations

from typing import Any

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
    sources: dict[str, list[Any]] = {
        name: [
            load_verified(
                job.config.downstream[name],
                data_folder(job.config, job.job.scale, name),
                manifest=manifests[name],
                split=part,
            )
            for part in parts
        ]
        for name, parts in composition.sources.items()
    }
    found = composing.categories(composition, sources)
    composing.write(job.output("folder"), composition, found, names=job.spec["parts"])
    job.write_record(seed=composition.seed)


def import_weights(job: RunningJob) -> None:
    """Bring weights that others published into the form of a pre-training."""
    from fdsl.datasets.weight_files import file_of, require
    from fdsl.provenance import environment
    from fdsl.schema.catalogue import ModelEntry
    from fdsl.train.import_weights import import_weights as import_

    name, root = job.spec["weights"], job.config.user.data_root
    entry = job.config.published_weights[name]
    require({name: entry}, root)
    import_(
        entry,
        name=name,
        scale=job.job.scale,
        model=ModelEntry.model_validate(job.spec["model"]),
        file=file_of(entry, root),
        out=job.output("weights"),
        record=job.output("record"),
        code=job.code,
        environment=environment(),
        job_start=job.job_start,
    )
