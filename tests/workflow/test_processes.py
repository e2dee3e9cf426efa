"""The rules' own command lines with two processes; `tests/train/test_processes.py` compares them
with one.
"""

import pytest

from fdsl.io.storage import read_json

RUN = "fractaldb1k-vit_micro-s0"
RECORD = f"results/laptop/pretrain/{RUN}/record.json"
CURVES = f"results/laptop/pretrain/{RUN}/curves.png"


@pytest.mark.slow
def test_a_training_of_the_workflow_is_shared_by_two_processes(tiny):
    built = tiny.snakemake("--cores", "2", "--config", "processes=2", targets=[RECORD, CURVES])
    assert built.returncode == 0, built.stdout + built.stderr
    log = (tiny.work / "logs/laptop/pretrain/fractaldb1k-vit_micro.log").read_text()
    assert "process 0 of 2 on cpu" in log
    assert "process 1 of 2 on cpu" in log
    cost = read_json(tiny.work / RECORD)["cost"]
    assert cost["device_seconds"] == 2 * cost["wall_seconds"]
    assert (tiny.work / CURVES).stat().st_size > 10_000
