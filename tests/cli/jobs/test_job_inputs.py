"""What jobs take from their specs and the configuration."""

import json

import pytest
from workflow.configured import job_table

from fdsl.cli.jobs import job_inputs
from fdsl.cli.jobs.running import RunningJob


def running(rule, **wildcards):
    """Return a job of the laptop scale, begun."""
    table = job_table()
    job = table.job(rule, scale="laptop", **wildcards)
    return RunningJob(job, table.config, threads=1, started="2026-01-02T03:04:05+00:00")


def test_words_of_a_model_card_are_no_part_of_a_spec():
    job = running("pretrain", run="fractaldb1k-vit_micro-s0")
    card = job_inputs.card(job)
    assert (card.title, card.comparable) == ("FractalDB-1k", False)
    assert card.synthetic.formula == "fractaldb"
    assert card.image_seed == 0
    for words in (card.banner, card.source, card.model_title):
        assert words
        assert words not in json.dumps(job.spec, ensure_ascii=False)


def test_the_model_card_of_real_images_names_their_terms():
    job = running("pretrain", run="imagenet1k_dino-vit_micro-s0")
    card = job_inputs.card(job)
    assert card.terms == job.config.downstream["fashion_mnist"].licence
    assert card.synthetic is None
    assert "Fashion" in card.title


def test_a_task_holds_where_it_runs_and_the_job_its_beginning():
    job = running("finetune", run="scratch-vit_micro-digits-s1")
    task = job_inputs.task(job)
    assert (task["run"], task["seed"], task["pretraining"]) == (job.job.name, 1, "scratch")
    assert task["job_start"] == {"spec": job.spec, "started": job.started}
    assert task["devices"].threads == 1
    assert task["code"] == job.job.code
    folder = job_inputs.training(job)["checkpoints"]
    assert folder.as_posix() == f"results/laptop/checkpoints/{job.job.name}"


@pytest.mark.parametrize(
    ("kind", "module"),
    [
        ("synthetic", "fdsl.train.classification"),
        ("supervised", "fdsl.train.classification"),
        ("dino", "fdsl.train.dino"),
    ],
)
def test_the_kind_of_a_pretraining_chooses_what_is_learned(kind, module):
    assert job_inputs.objective(kind).__module__ == module
