"""Whole trainings: what they leave, and that nothing of how they are executed changes it."""

import base64
import contextlib
import fcntl
import json
import logging
import os
import signal

import numpy as np
import pytest
import torch
from train.tiny_training import Images, everything_random, finetune, pretrain, recipe

from fdsl.io import records
from fdsl.train import checkpoint, weights
from fdsl.train.checkpoint import ForeignCheckpoint, Interrupted
from fdsl.train.metrics import NonFiniteLoss


def record(folder):
    return json.loads((folder / "record.json").read_text())


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def timeless(folder):
    return [
        {name: value for name, value in line.items() if name != "images_per_second"}
        for line in lines(folder)
    ]


def tensors(folder):
    return weights.read(folder / "model.safetensors")[0]


def assert_same(folder, other):
    assert (folder / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    assert record(folder)["result"] == record(other)["result"]
    assert timeless(folder) == timeless(other)


def assert_close(folder, other, tolerance=2e-5):
    theirs = tensors(other)
    for name, tensor in tensors(folder).items():
        assert torch.allclose(tensor, theirs[name], atol=tolerance, rtol=1e-3), name


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    pretrain(folder, recipe=everything_random())
    return folder


def test_pretraining_leaves_weights_record_and_metrics(reference):
    found = record(reference)
    assert {
        n: found[n] for n in ("kind", "run", "scale", "seed", "pretraining", "dataset", "model")
    } == {
        "kind": "pretrain",
        "run": "stripes-tiny-s3",
        "scale": "laptop",
        "seed": 3,
        "pretraining": "stripes",
        "dataset": "stripes",
        "model": "tiny",
    }
    result = found["result"]
    assert (result["steps"], result["epochs"], result["train_images"]) == (12, 4, 50)
    assert result["training_images"] == 4 * 16  # the updates that hold the last epoch
    assert 0 < result["final_loss"] < 3
    assert result["accuracy_last_epoch"] == 100 * result["training_correct"] / 64
    assert result["chance"] == 25
    assert found["recipe"]["augmentation"]["repeated_aug"] == 3
    assert (found["code"], found["inputs"]) == ("abc", {"shard-0.arrow": "0" * 64})
    assert found["cost"]["resumed"] == 0
    assert found["cost"]["wall_seconds"] == found["cost"]["device_seconds"] > 0
    assert found["cost"]["images_per_second"] > 0
    assert not (reference / "checkpoints").exists()
    assert weights.read(reference / "model.safetensors")[1]["run"] == "stripes-tiny-s3"


def test_a_cool_down_is_trained_recorded_and_evaluated(tmp_path):
    finetune(tmp_path, recipe=recipe(epochs=2, cooldown_epochs=1))
    result = record(tmp_path)["result"]
    assert (result["steps"], result["epochs"]) == (9, 3)
    rates = [line["lr"] for line in lines(tmp_path) if "lr" in line]
    assert min(rates[1:6]) > 1.01e-5
    assert rates[6:] == pytest.approx([1e-5] * 3)
    assert result["evaluations"][-1]["epoch"] == 3


def test_metrics_hold_every_update_once(reference):
    found = lines(reference)
    assert [line["step"] for line in found] == list(range(1, 13))
    assert all(line["images"] == 16 for line in found)
    assert found[-1]["epoch"] == 12 * 16 / 50


def test_the_averaged_weights_are_the_result(tmp_path, reference):
    pretrain(tmp_path, recipe=everything_random(ema_decay=None))
    assert not torch.equal(tensors(tmp_path)["head.weight"], tensors(reference)["head.weight"])


def test_seeds_differ_and_the_same_seed_does_not(tmp_path, reference):
    pretrain(tmp_path / "same", recipe=everything_random())
    assert_same(tmp_path / "same", reference)
    pretrain(tmp_path / "other", recipe=everything_random(), seed=4)
    assert record(tmp_path / "other")["result"] != record(reference)["result"]


def test_loader_processes_change_nothing(tmp_path, reference):
    pretrain(tmp_path, recipe=everything_random(), devices={"loader_workers": 2})
    assert_same(tmp_path, reference)


@pytest.mark.parametrize("micro_batch", [8, 2])
def test_accumulated_micro_batches_equal_one_big_batch(tmp_path, micro_batch):
    # no stochastic depth: its masks are drawn for a micro-batch
    plain = everything_random(drop_path=0.0, clip_norm=None, optimizer="sgd", lr=0.05)
    pretrain(tmp_path / "one", recipe=plain)
    pretrain(tmp_path / "many", recipe=plain, devices={"micro_batch": micro_batch})
    assert_close(tmp_path / "many", tmp_path / "one")
    assert record(tmp_path / "many")["result"]["final_loss"] == pytest.approx(
        record(tmp_path / "one")["result"]["final_loss"], rel=1e-5
    )


class Signalling(Images):
    """Sends this process a signal when some image is asked for the n-th time in all."""

    def __init__(self, n, *, at, number):
        super().__init__(n)
        self.left, self.number = at, number

    def __getitem__(self, index):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.number)
        return super().__getitem__(index)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_saves_and_leaves_and_the_next_attempt_ends_with_the_same_bits(
    tmp_path, reference, number
):
    handlers = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGUSR1)]
    for at in (7, 70):  # the first update; some later one of the second attempt
        with pytest.raises(Interrupted) as stopped:
            pretrain(
                tmp_path, recipe=everything_random(), images=Signalling(50, at=at, number=number)
            )
        assert stopped.value.code == 85
        assert not (tmp_path / "record.json").exists()
    assert stopped.value.step == 1 + 5  # image 70 stands in the fifth update after the first
    pretrain(tmp_path, recipe=everything_random())
    assert_same(tmp_path, reference)
    assert record(tmp_path)["cost"]["resumed"] == 2
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGUSR1)] == handlers


def test_the_wall_time_limit_saves_and_leaves_too(tmp_path, reference):
    attempts = 0
    while not (tmp_path / "record.json").exists():
        attempts += 1
        try:
            pretrain(tmp_path, recipe=everything_random(), devices={"wall_seconds": 1e-6})
        except Interrupted as stopped:
            assert stopped.step == attempts
    assert attempts == 12  # one update each
    assert_same(tmp_path, reference)


class Failing(Images):
    """Breaks when an image is asked for the n-th time in all."""

    def __init__(self, n, *, at):
        super().__init__(n)
        self.left = at

    def __getitem__(self, index):
        self.left -= 1
        if self.left == 0:
            raise OSError("the disk is gone")
        return super().__getitem__(index)


def test_after_a_crash_lost_updates_are_done_again_and_metrics_have_no_gap(tmp_path, reference):
    with pytest.raises(OSError, match="the disk is gone"):
        pretrain(
            tmp_path,
            recipe=everything_random(),
            images=Failing(50, at=16 * 8),
            devices={"checkpoint_steps": 3},
        )
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4, 5, 6, 7]
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "tra')
    pretrain(tmp_path, recipe=everything_random())
    assert_same(tmp_path, reference)


def test_checkpoints_of_other_code_or_recipe_are_refused(tmp_path):
    with pytest.raises(Interrupted):
        pretrain(tmp_path, recipe=recipe(), devices={"wall_seconds": 1e-6})
    with pytest.raises(ForeignCheckpoint, match="code: 'abc' in the checkpoint, 'def' now"):
        pretrain(tmp_path, recipe=recipe(), code="def")
    with pytest.raises(ForeignCheckpoint, match=r"recipe\.lr: 0\.002 in the checkpoint, 0\.1 now"):
        pretrain(tmp_path, recipe=recipe(lr=0.1))
    with pytest.raises(ForeignCheckpoint, match=r"shard-0\.arrow"):
        pretrain(tmp_path, recipe=recipe(), inputs={"shard-0.arrow": "1" * 64})


def test_a_damaged_checkpoint_costs_only_the_updates_since_the_one_before(
    tmp_path, reference, caplog
):
    with pytest.raises(OSError, match="the disk is gone"):
        pretrain(
            tmp_path,
            recipe=everything_random(),
            images=Failing(50, at=16 * 8),
            devices={"checkpoint_steps": 3},
        )
    (tmp_path / "checkpoints" / "step-000000006.pt").write_bytes(b"noise")
    pretrain(tmp_path, recipe=everything_random())
    assert "step-000000006.pt" in caplog.text
    assert "resuming after update 3" in caplog.text
    assert_same(tmp_path, reference)


def test_finetuning_learns_and_counts_exactly(tmp_path):
    finetune(tmp_path, recipe=recipe(epochs=20), evaluate_every_epochs=6)
    result = record(tmp_path)["result"]
    evaluations = result["evaluations"]
    assert [entry["epoch"] for entry in evaluations] == [6, 12, 18, 20]
    assert all(entry["images"] == 27 for entry in evaluations)
    assert result["correct"] == evaluations[-1]["correct"] > 20
    assert result["top1_last"] == 100 * result["correct"] / 27
    bits = np.frombuffer(base64.b64decode(result["correct_bits"]), np.uint8)
    assert np.unpackbits(bits, count=27).sum() == result["correct"]
    assert not {"top1_best", "best_epoch"} & result.keys()
    assert [line["kind"] for line in lines(tmp_path)].count("evaluation") == 4


def test_an_interrupted_finetuning_repeats_no_evaluation(tmp_path):
    finetune(tmp_path / "whole", recipe=recipe(), evaluate_every_epochs=1)
    folder = tmp_path / "parts"
    while not (folder / "record.json").exists():
        with contextlib.suppress(Interrupted):
            finetune(
                folder, recipe=recipe(), evaluate_every_epochs=1, devices={"wall_seconds": 1e-6}
            )
    assert_same(folder, tmp_path / "whole")
    assert [e["epoch"] for e in record(folder)["result"]["evaluations"]] == [1, 2, 3, 4]


def test_a_crash_in_the_last_evaluation_costs_no_training(tmp_path):
    class Unreadable(Images):
        def __getitem__(self, index):
            raise OSError("test images are gone")

    with pytest.raises(OSError, match="test images are gone"):
        finetune(tmp_path, recipe=recipe(), test=Unreadable(27))
    finetune(tmp_path, recipe=recipe(), train=Failing(50, at=1))
    assert record(tmp_path)["result"]["images"] == 27


def test_finetuning_starts_from_the_weights(tmp_path, reference):
    start = reference / "model.safetensors"
    finetune(
        tmp_path / "a",
        recipe=recipe(lr=1e-9, warmup_lr=0, min_lr=0, weight_decay=0),
        weights=start,
        pretraining="stripes",
    )
    found, before = tensors(tmp_path / "a"), tensors(reference)
    assert torch.allclose(found["pos_embed"], before["pos_embed"], atol=1e-6)
    assert not torch.allclose(found["head.weight"], before["head.weight"], atol=1e-3)
    assert record(tmp_path / "a")["pretraining"] == "stripes"


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_learns_too_and_resumes_to_the_bit(tmp_path, precision):
    half = recipe(precision=precision, epochs=15)
    finetune(tmp_path / "whole", recipe=half)
    assert record(tmp_path / "whole")["result"]["correct"] > 20
    with pytest.raises(OSError, match="the disk is gone"):
        finetune(
            tmp_path / "parts",
            recipe=half,
            train=Failing(50, at=16 * 9),
            devices={"checkpoint_steps": 4, "kept_mb": 0},
        )
    finetune(tmp_path / "parts", recipe=half)
    assert_same(tmp_path / "parts", tmp_path / "whole")


def test_sgd_learns_too(tmp_path):
    finetune(tmp_path, recipe=recipe(optimizer="sgd", lr=0.05, epochs=25, clip_norm=1.0))
    assert record(tmp_path)["result"]["correct"] > 20


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_batch(tmp_path, caplog):
    with pytest.raises(NonFiniteLoss, match="loss = nan at update 0 with lr = 1e-05"):
        pretrain(tmp_path, recipe=recipe(std=1e-44), devices={"checkpoint_steps": 1})
    found = json.loads((tmp_path / "nonfinite.json").read_text())
    assert (found["step"], found["lr"], found["loss"]) == (0, 1e-5, "nan")
    assert len({draw["index"] for draw in found["batch"]}) == 16
    assert "nonfinite.json" in caplog.text
    assert checkpoint.load(tmp_path / "checkpoints", identity={}) is None


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"classes": 5}, "has 4 classes in its train images, 5 are stated"),
        ({"images": Images(0)}, "the train images of stripes are none"),
        ({"recipe": recipe(global_batch=256)}, "do not fill one global_batch = 256"),
        ({"devices": {"micro_batch": 5}}, "micro_batch = 5 does not divide 16"),
        ({"devices": {"micro_batch": 1}, "recipe": recipe(mixup=0.8)}, "use an even micro_batch"),
        ({"recipe": recipe(mean=(0.5, 0.4, 0.3))}, "has 3 values"),
    ],
)
def test_what_cannot_work_is_refused_before_training(tmp_path, changes, text):
    class Untouched(Images):
        def __getitem__(self, index):
            raise AssertionError("no image may be needed to see that")

    with pytest.raises(ValueError, match=text):
        pretrain(tmp_path, **({"recipe": recipe(), "images": Untouched(50)} | changes))


@pytest.mark.parametrize(
    ("pretraining", "start"), [("scratch", "model.safetensors"), ("fractaldb1k", None)]
)
def test_scratch_and_weights_exclude_one_another(tmp_path, pretraining, start):
    with pytest.raises(ValueError, match="scratch has no weights"):
        finetune(tmp_path, recipe=recipe(), pretraining=pretraining, weights=start)


def test_colour_and_curves(tmp_path, caplog):
    entry = {"model": _colour()}
    with caplog.at_level(logging.INFO):
        finetune(
            tmp_path,
            recipe=recipe(),
            train=Images(50, colour=True),
            test=Images(9, colour=True),
            tensorboard=tmp_path / "curves",
            **entry,
        )
    assert record(tmp_path)["result"]["images"] == 9
    assert any((tmp_path / "curves").iterdir())
    assert "update 12/12, loss" in caplog.text
    assert "epoch 4: " in caplog.text


def _colour():
    from train.tiny_training import ENTRY

    return ENTRY.model_copy(update={"arguments": ENTRY.arguments | {"in_chans": 3}})


@pytest.mark.parametrize("train", [pretrain, finetune])
def test_nobody_else_trains_the_same_until_the_results_stand(tmp_path, monkeypatch, train):
    write, locked = records.write, []

    def watched(*arguments, **named):
        with (tmp_path / "checkpoints.lock").open() as file:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                locked.append(False)
            write(*arguments, **named)

    monkeypatch.setattr(records, "write", watched)
    train(tmp_path, recipe=recipe(epochs=1))
    assert locked == []
    assert (tmp_path / "record.json").exists()
    with (tmp_path / "checkpoints.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
