import pytest
import torch
from torch import nn
from torch.amp import GradScaler

from fdsl.train import models, optim


@pytest.fixture
def model(entry):
    return models.build(entry, image_size_px=16, classes=4, drop_path=0.0, seed=0)


def test_groups_partition_all_parameters_and_spare_vectors_and_tokens(model):
    decayed, exempt = optim.decay_groups(model)
    every = list(model.parameters())
    assert len(decayed) + len(exempt) == len(every)
    assert {id(p) for p in decayed + exempt} == {id(p) for p in every}
    assert all(p.ndim >= 2 for p in decayed)
    spared = {name for name, p in model.named_parameters() if any(p is e for e in exempt)}
    assert {"cls_token", "pos_embed", "head.bias", "norm.weight"} <= spared
    assert not {"head.weight", "patch_embed.proj.weight"} & spared


def test_optimisers_are_those_of_the_recipe(model, recipe):
    adamw = optim.optimizer(model, recipe=recipe(weight_decay=0.07))
    assert isinstance(adamw, torch.optim.AdamW)
    assert [group["weight_decay"] for group in adamw.param_groups] == [0.07, 0.0]
    sgd = optim.optimizer(model, recipe=recipe(optimizer="sgd", momentum=0.8))
    assert isinstance(sgd, torch.optim.SGD)
    assert [(g["momentum"], g["nesterov"]) for g in sgd.param_groups] == [(0.8, True)] * 2


def test_sgd_without_momentum_is_possible(model, recipe):
    sgd = optim.optimizer(model, recipe=recipe(optimizer="sgd", momentum=0.0))
    assert not sgd.param_groups[0]["nesterov"]


@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_gradients_are_clipped_to_the_norm(clip_norm):
    layer = nn.Linear(3, 1, bias=False)
    before = layer.weight.detach().clone()
    layer.weight.grad = torch.tensor([[3.0, 4.0, 0.0]])
    sgd = torch.optim.SGD(layer.parameters(), lr=1.0)
    optim.update(sgd, scaler=GradScaler("cpu", enabled=False), model=layer, clip_norm=clip_norm)
    moved = (before - layer.weight.detach()).norm().item()
    assert moved == pytest.approx(5.0 if clip_norm is None else 0.5, rel=1e-4)


def test_gradients_are_clipped_after_the_loss_scale_is_taken_out():
    layer = nn.Linear(2, 1, bias=False)
    before = layer.weight.detach().clone()
    sgd = torch.optim.SGD(layer.parameters(), lr=1.0)
    scaler = GradScaler("cpu", init_scale=1024.0)
    scaler.scale(layer(torch.tensor([[0.3, 0.4]])).sum()).backward()
    optim.update(sgd, scaler=scaler, model=layer, clip_norm=10.0)
    assert (before - layer.weight.detach()).norm().item() == pytest.approx(0.5, rel=1e-5)


def test_average_follows_the_weights_and_never_trains(model, recipe):
    assert optim.average(model, recipe=recipe()) is None
    average = optim.average(model, recipe=recipe(ema_decay=0.9))
    start = model.head.weight.detach().clone()
    for step in (1, 2):
        with torch.no_grad():
            model.head.weight += 1.0
        average.update(model, step=step)
    # timm's average takes the first update's weights as they are
    assert torch.allclose(average.module.head.weight, start + 1.0 + 0.1, atol=1e-6)
    assert not average.module.training
