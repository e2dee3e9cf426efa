"""Both profiles are understood by Snakemake and its SLURM plugin, and name what exists. Nothing is
sent.
"""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROFILES = ROOT / "workflow/profiles"
BASE = "results/paper/pretrain/fractaldb21k-vit_base-s0/record.json"


def profile(name):
    return yaml.safe_load((PROFILES / name / "config.yaml").read_text())


def resources(plan, rule):
    """Return what a dry run says a job of a rule would ask for."""
    assert plan.returncode == 0, plan.stdout + plan.stderr
    job = re.search(
        rf"^rule {rule}:.*?^    resources: (.*?)$", plan.stdout, re.MULTILINE | re.DOTALL
    )
    return dict(re.findall(r"(?:^|, )(\w+)=([^,{]*)", job[1]))


@pytest.mark.parametrize("name", ["slurm", "workstation"])
def test_a_dry_run_takes_every_option_and_leaves_the_scale_s_gpus(project, name):
    plan = project.snakemake(
        "--profile", PROFILES / name, "--dry-run", "--config", "scale=paper", targets=[BASE]
    )
    asked = resources(plan, "pretrain")
    assert (asked["gpu"], asked["runtime"]) == ("1", "4320")
    memory = profile(name).get("resources", {}).get("mem_mb", 64000)
    assert asked["mem_mb"] == str(memory)
    assert "nodes" not in asked
    assert asked.get("slurm_extra") == ("--signal=TERM@180" if name == "slurm" else None)


def test_one_line_spreads_a_pre_training_over_nodes(project):
    plan = project.snakemake(
        "--profile",
        PROFILES / "slurm",
        "--dry-run",
        "--config",
        "scale=paper",
        "spread={vit_base: 4x8}",
        targets=[BASE],
    )
    asked = resources(plan, "pretrain")
    shape = ["nodes", "tasks_per_node", "tasks_per_gpu", "cpus_per_task", "gres", "mpi"]
    assert [asked[name] for name in shape] == ["4", "8", "0", "2", "gpu:8", "srun"]
    assert "gpu" not in asked
    assert "srun --nodes=4 --ntasks=32" in plan.stdout


def test_the_slurm_profile_names_rules_that_exist():
    content = profile("slurm")
    rules = set(
        re.findall(
            r"^rule (\w+):",
            "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk")),
            re.MULTILINE,
        )
    )
    assert content["set-resources"].keys() <= rules
    assert set(content["slurm-array-jobs"].split(",")) <= rules
    assert {"pretrain", "finetune"} <= content["set-resources"].keys()


def test_jobs_that_begin_anew_ask_for_more_at_each_attempt_and_trainings_do_not():
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        for rule, asked in re.findall(
            r"^rule (\w+):.*?^    resources:\n(.*?)^    params:",
            path.read_text(),
            re.MULTILINE | re.DOTALL,
        ):
            if "runtime" in asked:
                goes_on = "PLAN.machine.launcher" in asked or rule == "detect"
                assert len(re.findall(r"attempt\s+\* PLAN", asked)) == (0 if goes_on else 2), rule
