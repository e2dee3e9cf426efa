"""Trainings and probes one after the other in one process: the bits of processes of their own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from train import tiny_training
from train.tiny_training import everything_random, finetune, pretrain, pretrain_dino, recipe

from fdsl.schema.probe import Probe
from fdsl.schema.recipe import Preparation
from fdsl.train import Devices
from fdsl.train.probe import ProbeTask, probe

TESTS = Path(__file__).parents[1]
MUON = {"optimizer": "muon", "muon_lr_factor": 5.0, "momentum": 0.95, "layer_decay": None}


def pretrained(folder):
    plan = everything_random(**MUON, position_start="sin_cos", normalisation="per_image")
    pretrain(folder, recipe=plan)


def distilled(folder):
    pretrain_dino(folder, recipe=tiny_training.dino_recipe())


def tuned(folder):
    finetune(folder, recipe=recipe(drop_path=0.2), devices={"deterministic": True})


def tuned_with_another_seed(folder):
    finetune(folder, recipe=recipe(drop_path=0.2), seed=4)


def probed(folder):
    settings = {"precision": "fp32", "k": 5, "temperature": 0.07, "inverse_penalties": (0.1, 1.0)}
    settings |= {"folds": 3, "tolerance": 1e-4, "max_iterations": 100}
    probe(
        ProbeTask(
            run="scratch-tiny-stripes-s3",
            scale="laptop",
            pretraining="scratch",
            dataset="stripes",
            seed=3,
            recipe=Preparation(model="tiny", image_size_px=16, mean=0.5, std=0.5),
            settings=Probe(**settings),
            model=tiny_training.ENTRY,
            classes=4,
            train=tiny_training.Images(50),
            test=tiny_training.Images(27, shift=1000),
            record=folder / "record.json",
            code="abc",
            inputs={},
            environment={},
            devices=Devices(device="cpu"),
        )
    )


WORK = {
    work.__name__: work for work in (pretrained, distilled, tuned, tuned_with_another_seed, probed)
}


def state():
    """Return what a training could leave changed in its process."""
    return (
        torch.get_num_threads(),
        torch.get_rng_state().tolist(),
        torch.are_deterministic_algorithms_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)],
    )


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """All of them, twice, in this process."""
    folder = tmp_path_factory.mktemp("together")
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    before = state()
    for turn in ("first", "again"):
        for name, work in WORK.items():
            work(folder / turn / name)
            assert state() == before, name
    torch.set_num_threads(threads)
    return folder


@pytest.mark.parametrize("name", WORK)
def test_each_has_the_bits_of_a_process_of_its_own(tmp_path, together, name):
    folders = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    subprocess.run(
        [sys.executable, __file__, name, tmp_path],
        env=os.environ | {"PYTHONPATH": folders},
        check=True,
        timeout=120,
    )
    for turn in ("first", "again"):
        here = together / turn / name
        assert result(here) == result(tmp_path)
        for file in ("model.safetensors", "metrics.jsonl"):
            assert (here / file).exists() == (tmp_path / file).exists()
        if (here / "model.safetensors").exists():
            theirs = (tmp_path / "model.safetensors").read_bytes()
            assert (here / "model.safetensors").read_bytes() == theirs


def test_a_fine_tuning_imports_nothing_that_it_does_not_use():
    script = "import sys, fdsl.train.finetune; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    unused = {"lightly", "matplotlib", "numba", "pandas", "pyarrow", "sklearn", "tensorboard"}
    assert not unused & set(found.stdout.split())


def result(folder):
    return json.loads((folder / "record.json").read_text())["result"]


if __name__ == "__main__":
    WORK[sys.argv[1]](Path(sys.argv[2]))
