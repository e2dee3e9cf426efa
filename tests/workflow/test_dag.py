"""What Snakemake plans: the job table, re-runs, refusals. Nothing is computed here."""

import re

import pytest
from forecast.given import children_s
from workflow.configured import job_table, processes

TABLE = "results/tables/table3.csv"
MOST_JOBS, MOST_SECONDS = 5000, 60  # of processor time, so that neighbours do not count
LONGEST = 1024  # bytes of a command; the kernel refuses one argument of 131,072
COMMAND = re.compile(r"^Shell command: (?!None$)(.*)$", re.MULTILINE)


def jobs(plan):
    """Return {rule: count} of a dry run."""
    assert plan.returncode == 0, plan.stdout + plan.stderr
    table = plan.stdout.split("Job stats:")[1].split("\n\n")[0]
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


def expected(**changes):
    """Return {rule: count} that the job table has for everything."""
    found = processes(job_table(**changes), "all")
    return {**found, "all": 1, "total": found.total() + 1}


def test_snakemake_plans_the_jobs_of_the_table_with_short_commands(project):
    """Twelve seeds: once the command of `page` would not have fitted any more, and those of twelve
    replicates are one command.
    """
    seeds = list(range(12))
    planned = project.snakemake(
        "--dry-run", "--printshellcmds", "--cores", "1", "--config", f"seeds={seeds}"
    )
    assert jobs(planned) == expected(seeds=seeds)
    commands = COMMAND.findall(planned.stdout)
    assert len(commands) == jobs(planned)["total"] - 1
    assert max(len(command.encode()) for command in commands) < LONGEST
    (shared,) = (c.split() for c in commands if "fdsl pretrain rcdb1k-" in c)
    after = shared.index("pretrain") + 1
    assert shared[after : after + 13] == [
        *(f"rcdb1k-vit_micro-s{seed}" for seed in seeds),
        "--scale",
    ]
    (page,) = (command.split() for command in commands if "fdsl page " in command)
    digest = job_table(seeds=seeds).job("page").spec_digest
    assert page[:8] == f"python -m fdsl page --scale laptop --spec {digest}".split()


def test_a_scale_has_a_plan_without_data(project):
    change = ["scale=workstation", "data_root=nowhere"]
    planned = jobs(project.snakemake("--dry-run", "--cores", "1", "--config", *change))
    assert planned == expected(scale="workstation")
    assert planned["total"] < 2000


def test_the_whole_paper_is_planned_in_a_minute(project):
    began = children_s()
    planned = jobs(project.snakemake("--dry-run", "--cores", "1", "--config", "scale=paper"))
    spent = children_s() - began
    assert planned == expected(scale="paper")
    assert planned["total"] < MOST_JOBS
    assert spent < MOST_SECONDS


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
            "points: 20000",
            "ponts: 20000",
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
    target = "results/laptop/published_weights/authors_rcdb21k/model.safetensors"
    assert jobs(project.snakemake("--dry-run", "--cores", "1", targets=[target])) == {
        "import_weights": 1,
        "total": 1,
    }
    stopped = project.snakemake("--cores", "1", targets=[target])
    said = stopped.stderr + stopped.stdout
    assert stopped.returncode != 0
    assert "rcdb_21k_base.pth.tar" in said
    assert "drive.google.com" in said
