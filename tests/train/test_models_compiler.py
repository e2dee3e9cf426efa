"""Compiled and plain trainings: one result but for rounding, and the same names in files."""

import json

import pytest
import torch
from torch import nn
from train.tiny_training import everything_random, finetune, recipe

from fdsl.train import Devices, weights
from fdsl.train.checkpoint import Interrupted
from fdsl.train.models import compiler


def tensors(folder):
    return weights.read(folder / "model.safetensors")[0]


def assert_close(folder, other, tolerance):
    theirs = tensors(other)
    assert tensors(folder).keys() == theirs.keys()
    for name, tensor in tensors(folder).items():
        assert torch.allclose(tensor, theirs[name], atol=tolerance, rtol=1e-3), name


def test_without_the_option_nothing_is_wrapped():
    model = nn.Linear(2, 2)
    assert compiler(Devices())(model) is model


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_compiled_training_gives_the_same_files(tmp_path, backend, monkeypatch):
    asked = []
    real = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda *a, **k: asked.append(k["backend"]) or real(*a, **k)
    )
    # stochastic depth on: its masks must not change with compilation
    random = everything_random(rand_augment=None, epochs=2)
    finetune(tmp_path / "plain", recipe=random)
    options = {"compile": True, "compile_backend": backend}
    finetune(tmp_path / "compiled", recipe=random, devices=options)
    assert asked == [backend]
    assert_close(tmp_path / "compiled", tmp_path / "plain", 1e-5)


def test_a_compiled_training_goes_on_from_a_plain_ones_checkpoint(tmp_path):
    with pytest.raises(Interrupted):
        finetune(tmp_path / "a", recipe=recipe(), devices={"wall_seconds": 1e-6})
    finetune(tmp_path / "a", recipe=recipe(), devices={"compile": True, "compile_backend": "eager"})
    finetune(tmp_path / "b", recipe=recipe())
    assert_close(tmp_path / "a", tmp_path / "b", 1e-5)
    assert json.loads((tmp_path / "a" / "record.json").read_text())["cost"]["resumed"] == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # inductor imports packages that warn
def test_the_default_backend_gives_the_same_result(tmp_path):
    random = everything_random(rand_augment=None, epochs=2)
    finetune(tmp_path / "plain", recipe=random)
    finetune(tmp_path / "compiled", recipe=random, devices={"compile": True})
    assert_close(tmp_path / "compiled", tmp_path / "plain", 1e-4)
