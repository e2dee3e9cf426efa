"""Threads, GPUs, nodes and launchers of jobs: what decides no result."""

import re

import pytest
from workflow.configured import job_table

from fdsl.schema.base import ConfigError
from fdsl.workflow.launch import ProcessGrid, launcher
from fdsl.workflow.resources import RETRIED
from fdsl.workflow.rules import RULES

TINY = "fractaldb1k-vit_tiny-s0"
BASE = "fractaldb21k-vit_base-s0"


@pytest.mark.parametrize(
    ("scale", "changes", "count"),
    [
        ("laptop", {}, 1),
        ("laptop", {"processes": 2}, 2),
        ("paper", {}, 1),
        ("paper", {"gpu": 4}, 4),
        ("paper", {"gpu": 4, "processes": 2}, 2),
        ("paper", {"gpu": 4, "device": "cpu"}, 1),
    ],
)
def test_a_training_has_a_process_for_each_gpu_or_as_many_as_the_user_says(scale, changes, count):
    gpu = changes.pop("gpu", None)
    here = job_table(scale=scale, **changes)
    if gpu:
        resources = here.config.scales[scale].resources
        resources["pretrain"] = resources["pretrain"].model_copy(update={"gpu": gpu})
    assert here.resources.grid(scale, "pretrain", TINY) == ProcessGrid(1, count)
    assert here.resources.launcher(scale, "pretrain", TINY) == launcher(ProcessGrid(1, count))


def test_a_job_has_a_thread_for_each_of_its_processes():
    assert job_table(processes=3).resources.threads("laptop", "finetune", TINY) == 3
    assert job_table(scale="paper", processes=3).resources.threads("paper", "pretrain", TINY) == 16
    assert (
        job_table(scale="paper", nodes_x_processes={"vit_base": "2x24"}).resources.threads(
            "paper", "pretrain", BASE
        )
        == 24
    )


def test_a_network_on_several_nodes_has_nodes_and_gpus_and_others_have_none():
    here = job_table(scale="paper", nodes_x_processes={"vit_base": "4x8"})
    assert here.resources.devices("paper", "pretrain", BASE) == {
        "mpi": "srun",
        "nodes": 4,
        "tasks_per_node": 8,
        "tasks_per_gpu": 0,
        "cpus_per_task": 2,
        "gres": "gpu:8",
    }
    assert here.resources.launcher("paper", "pretrain", BASE) == launcher(
        ProcessGrid(4, 8), threads=16, gpus=True
    )
    assert here.resources.devices("paper", "pretrain", TINY) == {"gpu": 1}
    tuned = BASE.replace("-s0", "-cifar10-s0")
    assert here.resources.devices("paper", "finetune", tuned) == {"gpu": 1}
    assert here.resources.launcher("paper", "finetune", tuned) == launcher(ProcessGrid(1, 1))


def test_one_process_on_each_of_several_nodes():
    shape = job_table(scale="paper", nodes_x_processes={"vit_base": "2x1"}).resources.devices(
        "paper", "pretrain", BASE
    )
    assert (shape["tasks"], shape["gres"], "tasks_per_node" in shape) == (2, "gpu:1", False)


def test_several_processes_on_one_node_need_no_srun():
    here = job_table(scale="paper", nodes_x_processes={"vit_base": "1x8"})
    assert here.resources.devices("paper", "pretrain", BASE) == {"gpu": 8}
    assert here.resources.launcher("paper", "pretrain", BASE) == launcher(ProcessGrid(1, 8))


def test_without_gpus_none_is_asked_for():
    here = job_table(scale="paper", nodes_x_processes={"vit_base": "2x1"}, device="cpu")
    assert here.resources.devices("paper", "pretrain", TINY) == {"gpu": 0}
    assert "gres" not in here.resources.devices("paper", "pretrain", BASE)
    assert "--gres" not in here.resources.launcher("paper", "pretrain", BASE)


@pytest.mark.parametrize(
    ("grids", "words"),
    [
        ({"vit_bas": "4x8"}, "did you mean 'vit_base'"),
        ({"vit_base": "32"}, "nodes_x_processes.vit_base = '32'"),
        ({"vit_base": "2x2; true"}, "nodes_x_processes.vit_base = '2x2; true'"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(grids, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        job_table(nodes_x_processes=grids)


@pytest.mark.parametrize("scale", ["laptop", "workstation", "paper"])
def test_jobs_that_begin_anew_ask_for_more_at_each_attempt_and_trainings_do_not(scale):
    here = job_table(scale=scale)
    for rule, budget in here.config.scales[scale].resources.items():
        run = TINY if rule in {*RETRIED, "probe"} else ""
        first, third = (here.resources.of(rule, scale=scale, run=run, attempt=n) for n in (1, 3))
        grown = 1 if rule in RETRIED else 3
        assert rule in RULES
        assert (first["mem_mb"], first["runtime"]) == (budget.mem_mb, budget.runtime)
        assert (third["mem_mb"], third["runtime"]) == (
            grown * budget.mem_mb,
            grown * budget.runtime,
        )
    assert {"pretrain", "finetune", "detect"} == set(RETRIED)


def test_every_rule_with_a_scale_has_a_budget():
    scaled = {name for name, rule in RULES.items() if "scale" in rule.wildcards} - {"curves"}
    for name, scale in job_table().config.scales.items():
        assert scaled == set(scale.resources), name
