"""The profiles are understood by Snakemake and its SLURM plugin, and name what exists. Nothing is
sent.
"""

import re
from pathlib import Path

import pytest
import yaml

from fdsl.workflow.rules import RULES

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


def test_one_line_shares_a_pretraining_among_nodes(project):
    plan = project.snakemake(
        "--profile",
        PROFILES / "slurm",
        "--dry-run",
        "--config",
        "scale=paper",
        "nodes_x_processes={vit_base: 4x8}",
        targets=[BASE],
    )
    asked = resources(plan, "pretrain")
    shape = ["nodes", "tasks_per_node", "tasks_per_gpu", "cpus_per_task", "gres", "mpi"]
    assert [asked[name] for name in shape] == ["4", "8", "0", "2", "gpu:8", "srun"]
    assert "gpu" not in asked
    assert "srun --nodes=4 --ntasks=32" in plan.stdout


def test_the_slurm_profile_names_rules_that_exist():
    content = profile("slurm")
    assert content["set-resources"].keys() <= RULES.keys()
    assert set(content["slurm-array-jobs"].split(",")) <= RULES.keys()
    assert {"pretrain", "finetune"} <= content["set-resources"].keys()


def test_without_a_profile_incomplete_files_are_made_again(project):
    """Snakemake takes the default profile up by itself where the workflow is."""
    assert profile("default") == {"rerun-incomplete": True}
