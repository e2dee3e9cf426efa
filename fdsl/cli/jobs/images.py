"""Parameters and stored images of synthetic datasets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fdsl.cli.jobs import job_inputs
from fdsl.cli.jobs.running import RunningJob
from fdsl.io import storage


def sample_parameters(job: RunningJob) -> None:
    """Search the categories of a synthetic dataset."""
    from fdsl.cli.progress import track
    from fdsl.images import parameters

    dataset, seed, out = job_inputs.dataset(job.spec), job.spec["seed"], job.output("parameters")
    found = parameters.sample(dataset, seed=seed, workers=job.threads)
    rows = list(track(found, total=dataset.classes, unit="categories", title=dataset.formula))
    parameters.write(out, parameters.stack(rows), dataset=dataset, seed=seed)
    storage.write_digest(job.output("digest"), of=out)
    settings = parameters.formula_settings(dataset).model_dump(mode="json")
    job.write_record(settings=settings)


def render_shard(job: RunningJob) -> None:
    """Draw and store one part of a synthetic dataset."""
    from fdsl.cli.progress import track
    from fdsl.images.shards import render_shard as render, shard_range

    spec, out = job.spec, job.output("shard")
    job_inputs.verified(job.inputs("parameters"))
    images = job_inputs.streamed(spec, job.inputs("parameters")[0])
    part = shard_range(spec["shard"], shards=spec["shards"], images=len(images))
    title = f"{images.dataset.formula}, shard {spec['shard']}"
    indices = track(part, total=len(part), unit="images", title=title)
    render(out, images, part=part, indices=indices)
    storage.write_digest(job.output("digest"), of=out)
    job.write_record()


def difficulty(job: RunningJob) -> None:
    """Measure how hard a synthetic dataset is: 1-nearest-neighbour accuracy on its pixels."""
    from fdsl.cli.progress import track
    from fdsl.images.difficulty import measure

    def progress(numbers: Sequence[int]) -> Iterator[int]:
        return track(numbers, total=len(numbers), unit="images", title=f"{job.job.name}, gallery")

    spec = job.spec
    job_inputs.verified(job.inputs("images"))
    images = job_inputs.synthetic_images(job)
    found = measure(images, side_px=spec["side_px"], seed=spec["seed"], progress=progress)
    storage.write_checksummed(job.output("measure"), found.model_dump(mode="json"))
    job.write_record()
