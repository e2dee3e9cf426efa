import pytest
import torch
from timm.optim import create_optimizer_v2
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


def test_momentum_is_sgd_without_looking_ahead(model, recipe):
    plain = optim.optimizer(model, recipe=recipe(optimizer="momentum", momentum=0.8))
    assert isinstance(plain, torch.optim.SGD)
    assert [(g["momentum"], g["nesterov"]) for g in plain.param_groups] == [(0.8, False)] * 2


def _rates(optimizer):
    return {
        id(p): (g["lr"], g["weight_decay"]) for g in optimizer.param_groups for p in g["params"]
    }


def test_layer_decay_is_that_of_timm(model, recipe):
    ours = optim.optimizer(model, recipe=recipe(layer_decay=0.5, weight_decay=0.07))
    optim.set_lr(ours, 0.8)
    theirs = create_optimizer_v2(
        model, opt="adamw", lr=0.8, weight_decay=0.07, layer_decay=0.5, filter_bias_and_bn=True
    )
    for group in theirs.param_groups:
        group["lr"] *= group["lr_scale"]
    assert _rates(ours) == _rates(theirs)


def test_layer_decay_divides_rates_by_depth_and_leaves_weight_decay_alone(model, recipe):
    decayed = optim.optimizer(model, recipe=recipe(layer_decay=0.5, weight_decay=0.07))
    optim.set_lr(decayed, 0.8)
    plain = _rates(optim.optimizer(model, recipe=recipe(weight_decay=0.07)))
    rates = _rates(decayed)
    assert rates.keys() == plain.keys()
    assert all(rates[key][1] == plain[key][1] for key in plain)
    found = {name: rates[id(p)][0] for name, p in model.named_parameters()}
    # two blocks between the head and the patches; the last norm goes with the last block
    assert found["head.weight"] == 0.8
    assert found["norm.weight"] == found["blocks.1.mlp.fc1.weight"] == pytest.approx(0.4)
    assert found["blocks.0.mlp.fc1.weight"] == pytest.approx(0.2)
    assert found["patch_embed.proj.weight"] == found["pos_embed"] == pytest.approx(0.1)


def test_without_layer_decay_all_layers_learn_alike(model, recipe):
    optimizer = optim.optimizer(model, recipe=recipe())
    optim.set_lr(optimizer, 0.3)
    assert {group["lr"] for group in optimizer.param_groups} == {0.3}


def test_layer_rates_survive_a_checkpoint(model, recipe):
    first = optim.optimizer(model, recipe=recipe(layer_decay=0.5))
    again = optim.optimizer(model, recipe=recipe(layer_decay=0.5))
    again.load_state_dict(first.state_dict())
    optim.set_lr(first, 0.8)
    optim.set_lr(again, 0.8)
    assert _rates(again) == _rates(first)


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


def test_gradients_are_clipped_tensor_by_tensor():
    layer = nn.Linear(2, 1)
    before = [parameter.detach().clone() for parameter in layer.parameters()]
    layer.weight.grad, layer.bias.grad = torch.tensor([[3.0, 4.0]]), torch.tensor([0.2])
    sgd = torch.optim.SGD(layer.parameters(), lr=1.0)
    scaler = GradScaler("cpu", enabled=False)
    optim.update(sgd, scaler=scaler, model=layer, clip_norm=0.5, clip_each=True)
    moved = [(a - b).norm().item() for a, b in zip(layer.parameters(), before, strict=True)]
    assert moved == pytest.approx([0.5, 0.2], rel=1e-4)


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
