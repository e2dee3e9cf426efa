"""What the record of a training says of its making."""

import pytest
import torch
from train.tiny_training import finetune, pretrain, recipe

from fdsl.io import records
from fdsl.io.checksums import digest
from fdsl.train.distributed import Processes

JOB_START = {"spec": {"run_seed": 3}, "started": "2026-01-02T03:04:05+00:00"}


@pytest.mark.parametrize(
    ("train", "files"),
    [
        (pretrain, {"model.safetensors", "config.json", "README.md", "metrics.jsonl"}),
        (finetune, {"model.safetensors", "metrics.jsonl"}),
    ],
)
def test_a_record_says_what_was_asked_for_and_made_and_on_what(tmp_path, train, files):
    train(tmp_path, recipe=recipe(epochs=1), job_start=JOB_START)
    record = records.read(tmp_path / "record.json")
    assert (record["spec"], record["started"]) == (JOB_START["spec"], JOB_START["started"])
    assert record["outputs"] == {
        str(tmp_path / name): {
            "sha256": digest(tmp_path / name),
            "bytes": (tmp_path / name).stat().st_size,
        }
        for name in files
    }
    assert record["finished"] > record["started"]
    assert (record["code"], record["inputs"]) == ("abc", {"shard-0.arrow": "0" * 64})
    environment = record["environment"]
    assert environment == {"python": "3", "device": "cpu", "processes": 1, "threads": 1}


def test_what_is_asked_for_decides_nothing(tmp_path):
    pretrain(tmp_path / "a", recipe=recipe(epochs=1), job_start=JOB_START)
    pretrain(tmp_path / "b", recipe=recipe(epochs=1))
    assert digest(tmp_path / "a/model.safetensors") == digest(tmp_path / "b/model.safetensors")


def test_a_gpu_is_named_with_its_libraries(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    hardware = Processes(rank=1, world=4, device=torch.device("cuda", 2)).hardware()
    assert (hardware["device"], hardware["gpu"], hardware["processes"]) == ("cuda", "GPU 2", 4)
    assert {"cuda", "cudnn"} <= hardware.keys()
