"""What Snakemake plans: targets, re-runs, refusals. Nothing is computed here."""

import re

import pytest

TABLE = "results/tables/table3.csv"


def jobs(plan):
    """Return {rule: count} of a dry run."""
    assert plan.returncode == 0, plan.stdout + plan.stderr
    table = plan.stdout.split("Job stats:")[1].split("\n\n")[0]
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


def test_every_target_has_a_plan_without_data(project):
    """At the other scales `test_forecast_jobs.py` counts the same plan."""
    planned = jobs(
        project.snakemake(
            "--dry-run", "--cores", "1", "--config", "scale=workstation", "data_root=nowhere"
        )
    )
    assert planned["table"] >= 1
    assert planned["figure"] >= 1
    assert planned["total"] < 2000


def test_the_paper_scale_is_the_whole_of_table_3(project):
    planned = jobs(
        project.snakemake("--dry-run", "--cores", "1", "--config", "scale=paper", targets=[TABLE])
    )
    assert planned["pretrain"] == 8
    # Places-365 is not evaluated on Places30, nor labelled ImageNet-1k on ImageNet-100: they share
    # pictures and labels
    assert planned["finetune"] == planned["probe"] == 9 * 7 - 2
    assert planned["fetch_downstream"] == 7 + 3


def test_probes_need_what_their_fine_tunings_need_and_no_fine_tuning(project):
    probes = ["scratch-vit_micro-digits-s0", "rcdb1k-vit_micro-digits-s2"]
    targets = [f"results/laptop/probe/{run}/record.json" for run in probes]
    assert jobs(project.snakemake("--dry-run", "--cores", "1", targets=targets)) == {
        "fetch_downstream": 1,
        "sample_parameters": 1,
        "render_shard": 2,
        "pretrain": 1,
        "probe": 2,
        "total": 7,
    }


def test_detections_need_their_composed_pictures_and_their_pre_training(project):
    detections = ["scratch-vit_micro-composed_pictures-s0", "rcdb1k-vit_micro-composed_pictures-s0"]
    targets = [f"results/laptop/detect/{run}/record.json" for run in detections]
    assert jobs(project.snakemake("--dry-run", "--cores", "1", targets=targets)) == {
        "fetch_downstream": 3,
        "compose": 1,
        "sample_parameters": 1,
        "render_shard": 2,
        "pretrain": 1,
        "detect": 2,
        "total": 10,
    }


def test_composed_pictures_that_were_deleted_are_made_again_for_a_detection(project):
    for name in ("digits", "fashion_mnist", "composed_pictures"):
        manifest = project.work / f"results/laptop/downstream/{name}.json"
        manifest.parent.mkdir(parents=True, exist_ok=True)
        manifest.touch()
    target = "results/laptop/detect/scratch-vit_micro-composed_pictures-s0/record.json"
    planned = jobs(project.snakemake("--dry-run", "--cores", "1", targets=[target]))
    assert {"compose", "detect"} <= planned.keys()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("scale=lptop", ["config.yaml", "scale = 'lptop'", "'laptop', 'workstation' or 'paper'"]),
        ("scal=laptop", ["config.yaml", "scal = 'laptop'", "did you mean 'scale'"]),
        ("checkpoint_seconds=0", ["checkpoint_seconds = 0", "greater than 0"]),
    ],
)
def test_a_fault_on_the_command_line_stops_with_key_value_and_range(project, change, words):
    stopped = project.snakemake("--dry-run", "--cores", "1", "--config", change)
    assert stopped.returncode != 0
    for word in words:
        assert word in stopped.stderr + stopped.stdout


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        (
            "workflow/scales/laptop.yaml",
            "points: 3000",
            "ponts: 3000",
            ["laptop.yaml", "ponts", "did you mean 'points'"],
        ),
        (
            "workflow/scales/laptop.yaml",
            "classes: 100",
            "classes: 1",
            ["laptop.yaml", "classes = 1", "greater than or equal to 2"],
        ),
        (
            "workflow/scales/laptop.yaml",
            "rcdb1k:",
            "rcbd1k:",
            ["laptop.yaml", "rcbd1k", "did you mean 'rcdb1k'"],
        ),
        (
            "workflow/studies/contours.yaml",
            "dataset: cars}",
            "dataset: carz}",
            ["contours.yaml", "carz", "cars"],
        ),
        (
            "workflow/scales/laptop.yaml",
            "of: [imagenet1k_dino, pass_dino]",
            "of: [pass_dino]",
            ["laptop.yaml", "imagenet1k_dino is of kind dino", "recipe pretrain_laptop"],
        ),
        (
            "workflow/recipes/pretrain_laptop.yaml",
            "source: ours",
            "source: hearsay",
            ["pretrain_laptop.yaml", "source = 'hearsay'"],
        ),
        (
            "workflow/catalog/synthetic.yaml",
            "formula: rcdb",
            "formula: rcbd",
            ["synthetic.yaml", "rcbd", "did you mean 'rcdb'"],
        ),
    ],
)
def test_a_fault_in_a_file_stops_with_file_key_value_and_range(project, file, old, new, words):
    project.replace(file, old, new)
    stopped = project.snakemake("--dry-run", "--cores", "1")
    assert stopped.returncode != 0
    for word in words:
        assert word in stopped.stderr + stopped.stdout


def test_lint_advises_nothing_but_an_environment_for_each_rule(project):
    linted = project.snakemake("--lint")
    advice = re.findall(r"^    \* (.*)$", linted.stdout + linted.stderr, re.MULTILINE)
    assert set(advice) == {"Specify a conda environment or container for each rule.:"}


def test_missing_data_stops_before_the_first_job(project):
    stopped = project.snakemake("--cores", "1", "--config", "scale=paper", targets=[TABLE])
    said = stopped.stderr + stopped.stdout
    assert stopped.returncode != 0
    assert "Stanford Cars" in said
    assert "ILSVRC2012" in said
    assert not (project.work / "results").exists() or not any(
        (project.work / "results").rglob("*.parquet")
    )


def test_missing_published_weights_stop_before_the_first_job(project):
    target = "results/laptop/released/authors_rcdb21k/model.safetensors"
    assert jobs(project.snakemake("--dry-run", "--cores", "1", targets=[target])) == {
        "adopt_weights": 1,
        "total": 1,
    }
    stopped = project.snakemake("--cores", "1", targets=[target])
    said = stopped.stderr + stopped.stdout
    assert stopped.returncode != 0
    assert "rcdb_21k_base.pth.tar" in said
    assert "drive.google.com" in said


def test_the_curves_of_every_training_can_be_asked_for(project):
    """They are no part of `all`, whose jobs `test_forecast_jobs.py` counts."""
    planned = jobs(project.snakemake("--dry-run", "--cores", "1", targets=["all_curves"]))
    trainings = ("pretrain", "finetune", "detect")
    assert planned["curves"] == sum(planned[rule] for rule in trainings) > 0
