"""Trainings that are killed, and trainings that are shared: in processes of their own."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from train import launcher

from fdsl.train import weights
from fdsl.train.input.samplers import InfiniteSampler

TESTS = Path(__file__).parents[1]


def launch(*arguments, before=(), timeout=120):
    """Run launcher.py and return its log."""
    folders = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    log = Path(arguments[1]) / "launcher.log"
    with log.open("w") as file:
        finished = subprocess.run(
            [sys.executable, *before, TESTS / "train" / "launcher.py", *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": folders, "OMP_NUM_THREADS": "1"},
            stdout=file,
            stderr=file,
            check=False,
            timeout=timeout,
        )
    assert finished.returncode == 0, log.read_text()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def record(folder):
    return json.loads((folder / "record.json").read_text())


def timeless(folder):
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "images_per_second"} for line in found]


@pytest.fixture(scope="module")
def launched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("launched")
    launch("all", folder, free_port(), free_port())
    return folder


@pytest.mark.parametrize(
    ("name", "training"),
    [("killed0", launcher.train), ("killed2", launcher.train), ("dino", launcher.train_dino)],
)
def test_a_training_killed_at_random_moments_ends_with_the_same_bits(
    tmp_path, launched, name, training
):
    training(tmp_path)
    killed = launched / name
    weights_file = "model.safetensors"
    assert (killed / weights_file).read_bytes() == (tmp_path / weights_file).read_bytes()
    assert record(killed)["result"] == record(tmp_path)["result"]
    assert timeless(killed) == timeless(tmp_path)
    assert record(killed)["cost"]["resumed"] >= 1
    assert not (killed / "checkpoints").exists()


def assert_shared_equals_alone(folder, alone, tolerance=1e-4):
    theirs = weights.read(alone / "model.safetensors")[0]
    for name, tensor in weights.read(folder / "model.safetensors")[0].items():
        assert torch.allclose(tensor, theirs[name], atol=tolerance), name
    assert record(folder)["result"]["final_loss"] == pytest.approx(
        record(alone)["result"]["final_loss"], rel=tolerance
    )
    lines, others = timeless(folder), timeless(alone)
    assert [line["step"] for line in lines] == [line["step"] for line in others]


def test_two_processes_rank_the_same_images_as_one(tmp_path, launched):
    launcher.ranked(tmp_path)
    alone, pair = (record(folder)["result"] for folder in (tmp_path, launched / "ranked"))
    assert alone["images"] == pair["images"] == 27
    assert pair["average_precision"] == pytest.approx(alone["average_precision"], abs=0.5)
    assert pair["final_loss"] == pytest.approx(alone["final_loss"], rel=1e-4)


def test_trainings_one_after_the_other_in_two_processes_equal_one_process(tmp_path, launched):
    launcher.tuned(tmp_path)
    pair = launched / "tuned"
    for name in ("first", "second"):
        # Muon orthogonalises in bfloat16, which enlarges differences in rounding
        assert_shared_equals_alone(pair / name, tmp_path / name, tolerance=2e-3)
        both = [record(folder / name)["result"] for folder in (pair, tmp_path)]
        assert both[0]["correct_bits"] == both[1]["correct_bits"]
    weights_file = "model.safetensors"
    first, second = ((pair / name / weights_file).read_bytes() for name in ("first", "second"))
    assert first == second


def test_two_processes_equal_one(tmp_path, launched):
    launcher.shared(tmp_path)
    assert_shared_equals_alone(launched / "pair", tmp_path)
    cost = record(launched / "pair")["cost"]
    assert cost["device_seconds"] == 2 * cost["wall_seconds"]


@pytest.mark.slow
def test_two_compiled_processes_equal_one_plain(tmp_path):
    launcher.shared(tmp_path / "alone")
    (tmp_path / "pair").mkdir()
    launch("compiled", tmp_path / "pair", free_port())
    assert_shared_equals_alone(tmp_path / "pair", tmp_path / "alone")


def test_a_process_whose_loss_is_not_finite_stops_all_and_the_whole_batch_is_named(
    tmp_path, launched
):
    launcher.nonfinite(tmp_path, std=launcher.SPOILING)
    alone = json.loads((tmp_path / "nonfinite.json").read_text())
    shared = json.loads((launched / "nonfinite" / "nonfinite.json").read_text())
    assert shared == alone
    assert (shared["step"], shared["lr"], shared["loss"]) == (0, 1e-5, "nan")
    stream = InfiniteSampler(50, seed=3, repeated_aug=3)
    assert [tuple(draw.values()) for draw in shared["batch"]] == [stream.at(k) for k in range(16)]
    assert not (launched / "nonfinite" / "record.json").exists()


def test_two_processes_equal_one_without_labels_too(tmp_path, launched):
    launcher.shared_dino(tmp_path)
    assert_shared_equals_alone(launched / "dinos", tmp_path)


@pytest.mark.slow
def test_torchrun_starts_it(tmp_path):
    launcher.shared(tmp_path / "alone")
    pair = tmp_path / "pair"
    pair.mkdir()
    torchrun = ("-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={free_port()}")
    launch("here", pair, before=torchrun)
    assert_shared_equals_alone(pair, tmp_path / "alone")
