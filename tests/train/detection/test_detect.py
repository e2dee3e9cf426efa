"""Whole detection trainings: what they learn and leave, and that a restart changes no bit."""

import json

import numpy as np
import pytest
import torch
from train.detection import tiny_detection as tiny

from fdsl.report.read_runs import read_record
from fdsl.train import weights
from fdsl.train.checkpoint import ForeignCheckpoint, Interrupted
from fdsl.train.detection import coco_scores
from fdsl.train.metrics import NonFiniteLoss

pytest.importorskip("pycocotools")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny.parts(tmp_path_factory.mktemp("data"))


@pytest.fixture
def ends(monkeypatch):
    """The weights that are tested at the end of trainings."""
    found = []
    test = coco_scores.detect

    def watched(model, *arguments, **named):
        found.append({name: value.clone() for name, value in model.state_dict().items()})
        return test(model, *arguments, **named)

    monkeypatch.setattr(coco_scores, "detect", watched)
    return found


class Unreadable:
    """A dataset whose images are gone."""

    def __init__(self, source):
        self.source = source

    def __getattr__(self, name):
        return getattr(self.source, name)

    def __len__(self):
        return len(self.source)

    def __getitem__(self, index):
        raise AssertionError("no training image may be read")


def test_a_record_holds_coco_s_numbers_and_can_stand_in_a_table(data, tmp_path):
    record = tiny.detect(tmp_path, data)
    result = record["result"]
    assert (record["kind"], record["model"], record["dataset"]) == ("detect", "tiny", "shapes")
    assert (result["images"], result["train_images"], result["steps"]) == (6, 12, 6)
    assert len(result["box"]) == len(result["mask"]) == 12
    assert np.isfinite(result["final_loss"])
    read = read_record(tmp_path / "record.json", scale="laptop")
    assert read.result.scores()["mask_ap75"] == result["mask"]["ap75"]
    assert record["recipe"] == tiny.recipe().model_dump(mode="json")
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert all("correct" not in line for line in lines)
    assert not (tmp_path / "checkpoints").exists()


def test_a_restart_ends_with_the_same_bits(data, tmp_path, ends, monkeypatch):
    whole = tiny.detect(tmp_path / "whole", data)
    calls = iter(range(10))
    with monkeypatch.context() as patch:
        reason = "fdsl.train.checkpoint.StopRequest.reason"
        patch.setattr(reason, lambda _self: "enough" if next(calls) >= 2 else None)
        with pytest.raises(Interrupted) as stopped:
            tiny.detect(tmp_path / "cut", data)
    assert stopped.value.step == 3
    assert not (tmp_path / "cut" / "record.json").exists()
    record = tiny.detect(tmp_path / "cut", data)
    assert record["result"] == whole["result"]
    assert record["cost"]["resumed"] == 1
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_a_kill_during_the_test_repeats_the_test_alone(data, tmp_path, monkeypatch):
    whole = tiny.detect(tmp_path / "whole", data)
    with monkeypatch.context() as patch:
        patch.setattr("fdsl.train.detection.coco_scores.score", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tiny.detect(tmp_path / "cut", data)
    parts = Unreadable(data[0]), data[1]
    assert tiny.detect(tmp_path / "cut", parts)["result"] == whole["result"]


def test_loader_processes_change_nothing(data, tmp_path, ends):
    tiny.detect(tmp_path / "a", data, recipe=tiny.recipe(epochs=1, drop_path=0.0))
    tiny.detect(
        tmp_path / "b",
        data,
        recipe=tiny.recipe(epochs=1, drop_path=0.0),
        devices={"loader_workers": 1},
    )
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


@pytest.mark.slow
def test_it_learns(tmp_path):
    data = tiny.parts(
        tmp_path, train_images=64, objects=(1, 1), size_px=(32, 32), object_px=(16, 16)
    )
    plan = tiny.recipe(
        epochs=12,
        lr=4e-3,
        drop_path=0.0,
        short_sides_px=(32,),
        pyramid_channels=16,
        box_head_channels=32,
    )
    record = tiny.detect(tmp_path, data, recipe=plan)
    assert record["result"]["box"]["ap50"] > 40
    assert record["result"]["mask"]["ap50"] > 40


def test_a_pre_training_is_where_it_starts(data, tmp_path, ends):
    from train import tiny_training

    entry = tiny.ENTRY
    tiny_training.pretrain(tmp_path / "p", recipe=tiny_training.recipe(epochs=1), model=entry)
    still = tiny.recipe(epochs=1, lr=1e-12, warmup_lr=0.0, min_lr=0.0, weight_decay=0.0)
    tiny.detect(
        tmp_path,
        data,
        recipe=still,
        pretraining="stripes",
        weights=tmp_path / "p/model.safetensors",
    )
    given, _ = weights.read(tmp_path / "p/model.safetensors")
    inside = "network.backbone.network.blocks.1.mlp.fc1.weight"
    torch.testing.assert_close(ends[0][inside], given["blocks.1.mlp.fc1.weight"])


def test_a_loss_that_is_not_finite_stops_and_names_its_pictures(data, tmp_path):
    with pytest.raises(NonFiniteLoss):
        tiny.detect(
            tmp_path, data, recipe=tiny.recipe(lr=90, optimizer="sgd", clip_norm=None, epochs=8)
        )
    report = json.loads((tmp_path / "nonfinite.json").read_text())
    assert len(report["batch"]) == 4
    assert not (tmp_path / "record.json").exists()


def test_a_checkpoint_of_another_training_is_refused(data, tmp_path, monkeypatch):
    monkeypatch.setattr("fdsl.train.checkpoint.StopRequest.reason", lambda _self: "enough")
    with pytest.raises(Interrupted):
        tiny.detect(tmp_path, data)
    with pytest.raises(ForeignCheckpoint, match=r"recipe\.anchor_scale"):
        tiny.detect(tmp_path, data, recipe=tiny.recipe(anchor_scale=4.0))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pretraining": "rcdb1k"}, "scratch has no weights"),
        ({"classes": 3}, "has 2 classes in its test images, 3 are stated"),
        ({"devices": {"micro_batch": 3}}, "micro_batch = 3 does not divide 4 images per process"),
    ],
)
def test_what_cannot_work_is_refused_before_training(data, tmp_path, changes, words):
    with pytest.raises(ValueError, match=words):
        tiny.detect(tmp_path, data, **changes)


def test_several_processes_are_refused(data, tmp_path, monkeypatch):
    from contextlib import contextmanager

    from fdsl.train.distributed import Processes

    @contextmanager
    def two(_devices):
        yield Processes(0, 2, torch.device("cpu"))

    monkeypatch.setattr("fdsl.train.fit.processes", two)
    with pytest.raises(ValueError, match="runs in one process, not in 2"):
        tiny.detect(tmp_path, data)
