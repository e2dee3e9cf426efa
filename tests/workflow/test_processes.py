"""The rules' own command lines with two processes; `tests/train/test_processes.py` compares them with one."""

import pytest

from fdsl.storage import read_json

RUN = "fractaldb1k-vit_micro-digits-s0"
RECORD = f"results/laptop/finetune/{RUN}/record.json"
CURVES = f"results/laptop/finetune/{RUN}/curves.png"
PRETRAINED = "results/laptop/pretrain/fractaldb1k-vit_micro-s0/record.json"


@pytest.mark.slow
def test_the_trainings_of_the_workflow_are_shared_by_two_processes(tiny):
    built = tiny.snakemake("--cores", "2", "--config", "processes=2", targets=[RECORD, CURVES])
    assert built.returncode == 0, built.stdout + built.stderr
    for stage, run in (("pretrain", "fractaldb1k-vit_micro-s0"), ("finetune", RUN)):
        log = (tiny.work / f"logs/laptop/{stage}/{run}.log").read_text()
        assert "process 0 of 2 on cpu" in log
        assert "process 1 of 2 on cpu" in log
    for path in (PRETRAINED, RECORD):
        cost = read_json(tiny.work / path)["cost"]
        assert cost["device_seconds"] == 2 * cost["wall_seconds"]
    assert read_json(tiny.work / RECORD)["result"]["images"] == 50
    assert (tiny.work / CURVES).stat().st_size > 10_000
