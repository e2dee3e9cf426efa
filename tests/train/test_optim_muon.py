"""Muon on the matrices of blocks, beside torch's own, alone and in whole trainings."""

import re

import pytest
import torch
from pydantic import ValidationError
from torch.amp import GradScaler
from train import tiny_training
from train.test_fit import assert_same, record
from train.tiny_training import Images, everything_random, finetune, pretrain

from fdsl.schema.catalogue import ModelEntry
from fdsl.train import models, optim
from fdsl.train.checkpoint import Interrupted
from fdsl.train.optim import BatchedMuon, orthogonalised

MUON = {"optimizer": "muon", "muon_lr_factor": 5.0, "momentum": 0.95, "layer_decay": None}
SHAPES = [(288, 96), (96, 96), (96, 384), (96, 96), (384, 96), (288, 96)]


@pytest.fixture
def model(entry):
    return models.build(entry, image_size_px=16, classes=4, drop_path=0.0, seed=0)


def _matrices(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in SHAPES]


def test_updates_are_those_of_torch():
    settings = {"lr": 0.01, "weight_decay": 0.05, "momentum": 0.95}
    ours, theirs = ([torch.nn.Parameter(m) for m in _matrices()] for _ in range(2))
    together = BatchedMuon([{"params": ours}], **settings)
    single = torch.optim.Muon(theirs, **settings, adjust_lr_fn="match_rms_adamw")
    for step in range(4):
        for parameters in (ours, theirs):
            for parameter, gradient in zip(parameters, _matrices(step + 1), strict=True):
                parameter.grad = gradient.clone()
        together.step()
        single.step()
        for a, b in zip(ours, theirs, strict=True):
            largest = (a.detach() - b.detach()).abs().max().item()
            assert largest <= 0.02 * 0.01 * 0.2 * max(a.shape) ** 0.5  # of a step's rounding
    for a, b in zip(ours, theirs, strict=True):
        mine, other = (o.state[p]["momentum_buffer"] for o, p in ((together, a), (single, b)))
        assert torch.equal(mine, other)


def test_singular_values_come_near_one_and_a_zero_matrix_stays_zero():
    matrices = torch.stack([torch.randn(24, 16, generator=torch.Generator().manual_seed(1))] * 2)
    matrices[1] = 0
    found = orthogonalised(matrices, coefficients=(3.4445, -4.775, 2.0315), steps=5, eps=1e-7)
    values = torch.linalg.svdvals(found[0].float())
    assert 0.5 < values.min() < values.max() < 1.5
    assert not found[1].any()


def test_parameters_without_a_gradient_stay_as_they_are():
    matrices = [torch.nn.Parameter(m) for m in _matrices()]
    before = matrices[1].detach().clone()
    for matrix in matrices:
        matrix.grad = torch.ones_like(matrix)
    matrices[1].grad = None
    BatchedMuon([{"params": matrices}], lr=0.1, weight_decay=0.1, momentum=0.95).step()
    assert torch.equal(matrices[1], before)


def test_matrices_of_blocks_have_muon_and_everything_else_adamw(model, recipe):
    optimizer = optim.optimizer(model, recipe=recipe(**MUON, weight_decay=0.07))
    matrices, others = optimizer.parts
    inside = {id(p) for group in matrices.param_groups for p in group["params"]}
    names = {name for name, p in model.named_parameters() if id(p) in inside}
    layers = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
    assert names == {f"blocks.{block}.{layer}.weight" for block in (0, 1) for layer in layers}
    outside = {id(p) for group in others.param_groups for p in group["params"]}
    assert not inside & outside
    assert inside | outside == {id(p) for p in model.parameters()}
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.07, 0.07, 0.0]
    assert others.param_groups[0]["fused"]


def test_tables_of_relative_positions_have_adamw(recipe):
    entry = ModelEntry(
        timm="swin_tiny_patch4_window7_224",
        arguments={"embed_dim": 24, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4},
    )
    network = models.build(entry, image_size_px=32, classes=4)
    found = {id(parameter) for parameter in optim.block_matrices(network)}
    names = {name for name, p in network.named_parameters() if id(p) in found}
    assert len(names) == 8
    assert not [name for name in names if "position" in name or "downsample" in name]


def test_a_schedule_scales_both_rates(model, recipe):
    optimizer = optim.optimizer(model, recipe=recipe(**MUON))
    optim.set_lr(optimizer, 0.25)
    matrices, others = optimizer.parts
    assert [group["lr"] for group in matrices.param_groups] == [1.25]
    assert [group["lr"] for group in others.param_groups] == [0.25, 0.25]


def test_weight_decay_can_be_scheduled_for_both(model, recipe):
    optimizer = optim.optimizer(model, recipe=recipe(**MUON))
    optim.set_weight_decay(optimizer, 0.3)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.3, 0.0]


def _trained(model, optimizer, scaler, *, steps):
    for step in range(steps):
        model.zero_grad(set_to_none=True)
        images = torch.randn(4, 1, 16, 16, generator=torch.Generator().manual_seed(step))
        scaler.scale(model(images).square().mean()).backward()
        optim.set_lr(optimizer, 1e-3 * (step + 1))
        optim.update(optimizer, model, scaler, clip_norm=1.0)
    return [parameter.detach().clone() for parameter in model.parameters()]


def test_the_loss_scale_is_taken_out_for_both(entry, recipe):
    found = []
    for scaler in (GradScaler("cpu", enabled=False), GradScaler("cpu", init_scale=1024.0)):
        network = models.build(entry, image_size_px=16, classes=4)
        optimizer = optim.optimizer(network, recipe=recipe(**MUON))
        found.append(_trained(network, optimizer, scaler, steps=3))
    for plain, scaled in zip(*found, strict=True):
        assert torch.allclose(plain, scaled, atol=1e-5)


def test_gradients_that_overflow_change_nothing(entry, recipe):
    network = models.build(entry, image_size_px=16, classes=4)
    optimizer = optim.optimizer(network, recipe=recipe(**MUON))
    before = [parameter.detach().clone() for parameter in network.parameters()]
    scaler = GradScaler("cpu", init_scale=float("inf"))
    after = _trained(network, optimizer, scaler, steps=1)
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))


def test_state_of_both_survives_a_checkpoint(entry, recipe, tmp_path):
    networks = [models.build(entry, image_size_px=16, classes=4) for _ in range(2)]
    first, again = (optim.optimizer(network, recipe=recipe(**MUON)) for network in networks)
    scaler = GradScaler("cpu", enabled=False)
    _trained(networks[0], first, scaler, steps=2)
    torch.save(first.state_dict(), tmp_path / "state.pt")
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    networks[1].load_state_dict(networks[0].state_dict())
    found = [
        _trained(network, optimizer, scaler, steps=3)
        for network, optimizer in zip(networks, (first, again), strict=True)
    ]
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_an_interrupted_training_ends_with_the_same_bits(tmp_path):
    plan = everything_random(**MUON)
    pretrain(tmp_path / "whole", recipe=plan)
    attempts = 0
    while not (tmp_path / "parts" / "record.json").exists():
        attempts += 1
        devices = {"wall_seconds": 1e-6} if attempts % 3 else {}
        try:
            pretrain(tmp_path / "parts", recipe=plan, devices=devices)
        except Interrupted as stopped:
            assert stopped.step == attempts
    assert attempts == 3
    assert_same(tmp_path / "parts", tmp_path / "whole")


def test_accumulated_micro_batches_equal_one_big_batch(tmp_path):
    plain = everything_random(**MUON, drop_path=0.0, clip_norm=1.0)
    pretrain(tmp_path / "one", recipe=plain)
    pretrain(tmp_path / "many", recipe=plain, devices={"micro_batch": 4})
    losses = [record(tmp_path / name)["result"]["final_loss"] for name in ("one", "many")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)


def test_it_learns(tmp_path):
    finetune(tmp_path, recipe=tiny_training.recipe(**MUON, epochs=20))
    assert record(tmp_path)["result"]["top1_last"] > 90


def test_a_dino_training_can_use_it(tmp_path):
    plan = tiny_training.dino_recipe(**MUON)
    tiny_training.pretrain_dino(tmp_path, recipe=plan)
    assert record(tmp_path)["result"]["steps"] == 12


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layer_decay": 0.7}, "layer_decay = 0.7 cannot be used with muon: use null"),
        ({"muon_lr_factor": None}, "muon_lr_factor = None with optimizer = muon"),
        ({"optimizer": "adamw"}, "muon_lr_factor = 5.0 with optimizer = adamw"),
    ],
)
def test_what_cannot_be_combined_is_refused(recipe, changes, message):
    with pytest.raises(ValidationError, match=re.escape(message)):
        recipe(**(MUON | changes))


def test_a_network_without_blocks_is_refused(tmp_path):
    resnet = ModelEntry(timm="resnet18", arguments={"in_chans": 1})
    with pytest.raises(ValueError, match="ResNet has no matrices in blocks; use adamw"):
        finetune(tmp_path, recipe=tiny_training.recipe(**MUON), model=resnet, train=Images(50))
