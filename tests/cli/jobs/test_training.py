"""The jobs that pre-train on real images, with and without labels."""

from pathlib import Path

import pytest
from oracles import downstream_layouts as layouts
from workflow.configured import job_table, with_scale

from fdsl.cli.jobs import training
from fdsl.cli.jobs.running import RunningJob
from fdsl.datasets import downstream
from fdsl.io import storage
from fdsl.schema.scale import Pretraining
from fdsl.train import weights

SHORT = {"epochs": 1, "global_batch": 50, "warmup_epochs": 0.5}


def pretrain(name, *, recipe):
    """Pre-train once over 100 images of Digits, in the working directory; return the job."""
    laptop = job_table(device="cpu")
    scale = laptop.config.scales["laptop"]
    stand_in = scale.real[name].model_copy(update={"dataset": "digits", "pictures": 100})
    rule = Pretraining(recipe=recipe, override=SHORT)
    table = with_scale(laptop, real={**scale.real, name: stand_in}, pretrain=[rule])
    job = table.job("pretrain", scale="laptop", run=f"{name}-vit_micro-s0")
    (manifest,) = job.inputs["manifest"]
    storage.write_checksummed(manifest, downstream.check(layouts.entry("digits"), "nowhere"))
    training.pretrain(RunningJob(job, table.config, threads=1, started="2026-01-02T03:04:05+00:00"))
    return job


@pytest.mark.parametrize(
    ("name", "recipe", "classes"),
    [
        ("imagenet1k_supervised", "pretrain_laptop", 10),
        ("imagenet1k_shuffled", "pretrain_laptop", 10),
        ("imagenet1k_dino", "pretrain_dino_laptop", 0),
    ],
)
def test_real_images_are_pretrained_on_with_and_without_labels(
    tmp_path, monkeypatch, name, recipe, classes
):
    monkeypatch.chdir(tmp_path)
    job = pretrain(name, recipe=recipe)
    assert all(Path(path).is_file() for path in job.outputs.values())
    found = storage.read_json(job.record)
    assert (found["kind"], found["pretraining"]) == ("pretrain", name)
    assert (found["result"]["classes"], found["result"]["train_images"]) == (classes, 100)
    assert list(found["inputs"]) == job.inputs["manifest"] == job.recorded_inputs
    assert (found["spec"], found["code"]) == (job.spec, job.code)
    tensors, about = weights.read(job.outputs["weights"])
    assert ("head.weight" in tensors) == (classes > 0)
    assert about["classes"] == classes
    assert job.spec["labels"] == ("shuffled" if name.endswith("shuffled") else True)
