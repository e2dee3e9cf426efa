"""Jobs that look at a network as it is."""

from __future__ import annotations

from fdsl.cli.jobs import job_inputs
from fdsl.cli.jobs.running import RunningJob

SHOWN_CATEGORIES = 4  # of an attention map


def attention(job: RunningJob) -> None:
    """Map a pre-trained network's attention on the first image of its first categories."""
    from fdsl.images.streamed import preview
    from fdsl.schema.catalogue import ModelEntry
    from fdsl.schema.recipe import Recipe
    from fdsl.train.attention import write_attention

    spec = job.spec
    if spec["kind"] == "synthetic":
        shown = {"classes": SHOWN_CATEGORIES, "instances": 1}
        few = job_inputs.dataset(spec).model_copy(update=shown)
        images = [line[0] for line in preview(few, seed=spec["seed"])]
    else:
        pictures = job_inputs.pretraining_images(job)
        images = [pictures[index][0] for index in range(SHOWN_CATEGORIES)]
    write_attention(
        job.output("maps"),
        images,
        weights_file=job.inputs("weights")[0],
        recipe=Recipe.model_validate(spec["recipe"]),
        model=ModelEntry.model_validate(spec["model"]),
    )
    job.write_record(seed=spec["run_seed"])


def probe(job: RunningJob) -> None:
    """Classify the frozen features of a network by k-NN and by a linear probe."""
    from fdsl.schema.probe import Probe
    from fdsl.schema.recipe import Preparation
    from fdsl.train.probe import ProbeTask, probe as run

    splits = job_inputs.splits(job)
    task = ProbeTask(
        **job_inputs.task(job),
        inputs=job.input_digests(),
        recipe=Preparation.model_validate(job.spec["preparation"]),
        settings=Probe.model_validate(job.spec["probe"]),
        train=splits.train,
        test=splits.test,
        classes=job.spec["classes"],
    )
    run(task)
