import numpy as np
import pytest
import timm
import torch
from torch import nn

from fdsl.schema.recipe import Preparation
from fdsl.train import models
from fdsl.train.distributed import Processes
from fdsl.train.features import features


@pytest.fixture
def preparation(recipe):
    return Preparation.model_validate(recipe().model_dump(include=set(Preparation.model_fields)))


@pytest.fixture
def network(entry):
    return models.build(entry, image_size_px=16, classes=4, drop_path=0.5, seed=0)


def run(network, source, preparation, loaders=0, **changes):
    processes = Processes(0, 1, torch.device("cpu"), loaders)
    how = {"channels": 1, "precision": "fp32", "processes": processes, "batch": 8}
    return features(network, source, preparation=preparation, **how | changes)


def test_the_classifier_on_top_of_the_features_gives_the_networks_answers(
    network, source_of, preparation
):
    source = source_of(11)
    found, labels = run(network, source, preparation)
    assert (found.shape, found.dtype, labels.dtype) == ((11, 32), np.float32, np.int64)
    assert np.array_equal(labels, source.labels)
    images = torch.stack([torch.from_numpy(source[i][0])[None] for i in range(11)])
    network.eval()
    with torch.no_grad():
        logits = network((images.float() / 255 - 0.5) / 0.5)
        assert torch.allclose(network.head(torch.from_numpy(found)), logits, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_the_batch_changes_rounding_only(network, source_of, preparation, batch):
    expected, _ = run(network, source_of(11), preparation)
    found, _ = run(network, source_of(11), preparation, batch=batch)
    assert np.allclose(found, expected, atol=1e-5)


def test_loader_processes_change_nothing(network, source_of, preparation):
    expected, _ = run(network, source_of(11), preparation)
    found, labels = run(network, source_of(11), preparation, loaders=2)
    assert np.array_equal(found, expected)
    assert np.array_equal(labels, source_of(11).labels)


def test_nothing_is_random_and_the_networks_mode_and_weights_are_given_back(
    network, source_of, preparation
):
    network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    first, second = (run(network, source_of(9), preparation)[0] for _ in range(2))
    assert np.array_equal(first, second)
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_half_precision_is_near(network, source_of, preparation):
    expected, _ = run(network, source_of(9), preparation)
    found, _ = run(network, source_of(9), preparation, precision="bf16")
    assert found.dtype == np.float32
    assert not np.array_equal(found, expected)
    assert np.allclose(found, expected, atol=0.1)


@pytest.mark.parametrize("name", ["resnet10t", "test_vit"])
def test_other_networks_of_timm_give_one_vector_per_image(name, source_of, preparation):
    network = timm.create_model(name, num_classes=4)
    source = source_of(3, colour=True)
    shape = preparation.model_copy(update={"image_size_px": 160})
    found, _ = run(network, source, shape, channels=3)
    assert found.shape == (3, network.num_features)


def test_what_has_no_features_is_refused(source_of, preparation):
    with pytest.raises(TypeError, match="Flatten has no forward_features"):
        run(nn.Flatten(), source_of(3), preparation)


def test_a_map_instead_of_a_vector_is_refused(network, source_of, preparation):
    network.forward_head = lambda tokens, **_: tokens
    with pytest.raises(TypeError, match=r"features \(3, 5, 32\) of 3 images"):
        run(network, source_of(3), preparation)


def test_a_network_of_nans_is_an_error(network, source_of, preparation):
    nn.init.constant_(network.norm.weight, torch.nan)
    with pytest.raises(RuntimeError, match="features of 5 of 5 images are not finite"):
        run(network, source_of(5), preparation)
