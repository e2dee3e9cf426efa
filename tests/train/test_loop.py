import copy

import pytest
import torch
from torch import nn
from torch.amp import GradScaler

from fdsl.train import optim
from fdsl.train.classification import Classification
from fdsl.train.loop import TrainState, seed_layers


def mask(*, seed=0, step=0, number=0):
    seed_layers(seed, step=step, number=number)
    return nn.functional.dropout(torch.ones(200)).tolist()


def test_stochastic_layers_are_keyed_by_seed_update_and_slice():
    here = {"seed": 3, "step": 5, "number": 1}
    assert mask(**here) == mask(**here)
    assert all(mask(**here) != mask(**(here | {name: 7})) for name in here)


def train_state(recipe, *, seed, **changes):
    torch.manual_seed(seed)
    plan = recipe(ema_decay=0.5, **changes)
    model = nn.Linear(3, 2)
    scaler = GradScaler("cpu", enabled=True)
    objective = Classification(
        network=model,
        average=optim.average(model, recipe=plan),
        recipe=plan,
        device=torch.device("cpu"),
        batch_transform=None,
    )
    made = TrainState(objective, optim.optimizer(model, recipe=plan), scaler)
    scaler.scale(model(torch.rand(4, 3)).sum()).backward()
    return made


def advance(train_state):
    network = train_state.objective.network
    optim.update(train_state.optimizer, scaler=train_state.scaler, model=network, clip_norm=1.0)
    train_state.objective.after_update(step=5)
    train_state.step += 1


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_restored_train_state_is_the_same_in_every_part(recipe, optimizer):
    source = train_state(recipe, seed=1, optimizer=optimizer)
    advance(source)
    source.scaler.update(new_scale=8.0)
    other = train_state(recipe, seed=2, optimizer=optimizer)
    other.restore(copy.deepcopy(source.state()))
    assert other.scaler.get_scale() == 8.0
    assert other.step == 1
    for one in (source, other):
        one.objective.network.zero_grad()
        one.scaler.scale(one.objective.network(torch.full((4, 3), 0.1)).sum()).backward()
        advance(one)
    for name, tensor in source.objective.network.state_dict().items():
        assert torch.equal(tensor, other.objective.network.state_dict()[name])
        assert torch.equal(source.result.state_dict()[name], other.result.state_dict()[name])
        assert not torch.equal(tensor, source.result.state_dict()[name])
