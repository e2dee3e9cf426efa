"""The rules' own command lines with one process and with two."""

import pytest
from safetensors.numpy import load_file

from fdsl.storage import read_json

RUN = "fractaldb1k-vit_micro-digits-s0"
RECORD = f"results/laptop/finetune/{RUN}/record.json"
CURVES = f"results/laptop/finetune/{RUN}/curves.png"
PRETRAINED = "results/laptop/pretrain/fractaldb1k-vit_micro-s0"


def build(project, *, processes):
    """Pre-train, fine-tune and draw the curves with fp32, whose rounding alone may differ; return the record."""

    def exact(scale):
        # images that share no slice among processes; half precision would round coarsely
        scale["finetune"]["digits"]["override"]["precision"] = "fp32"
        for rule in scale["pretrain"]:
            rule.setdefault("override", {})["precision"] = "fp32"

    project.edit("workflow/scales/laptop.yaml", exact)
    built = project.snakemake(
        "--cores", "2", "--config", f"processes={processes}", targets=[RECORD, CURVES]
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return read_json(project.work / RECORD)


@pytest.mark.slow
def test_two_processes_give_the_result_of_one(tiny):
    shared = build(tiny, processes=2)
    log = (tiny.work / f"logs/laptop/finetune/{RUN}.log").read_text()
    assert "process 1 of 2 on cpu" in log
    weights = load_file(tiny.work / PRETRAINED / "model.safetensors")
    assert (tiny.work / CURVES).stat().st_size > 10_000
    tiny.run("rm", "-rf", tiny.work / "results" / "laptop" / "pretrain")
    tiny.run("rm", "-rf", tiny.work / "results" / "laptop" / "finetune")

    alone = build(tiny, processes=1)
    found = load_file(tiny.work / PRETRAINED / "model.safetensors")
    assert found.keys() == weights.keys()
    for name, tensor in found.items():
        assert abs(tensor - weights[name]).max() < 1e-3, name
    ours, theirs = alone["result"], shared["result"]
    assert theirs["images"] == ours["images"] == 50
    assert theirs["steps"] == ours["steps"]
    assert theirs["final_loss"] == pytest.approx(ours["final_loss"], rel=1e-3)
    assert abs(theirs["correct"] - ours["correct"]) <= 1
    assert shared["cost"]["device_seconds"] == 2 * shared["cost"]["wall_seconds"]
