import copy

import pytest
import torch
from torch import nn

from fdsl.train import models
from fdsl.train.models import PatchProduct, choose_patches

CPU = torch.device("cpu")


def vit(entry, **arguments):
    changed = entry.model_copy(update={"arguments": entry.arguments | arguments})
    return models.build(changed, image_size_px=16, classes=4, drop_path=0.0, seed=0)


@pytest.mark.parametrize("channels", [1, 3])
def test_product_and_convolution_are_one_function(entry, channels):
    convolved = vit(entry, in_chans=channels)
    product = copy.deepcopy(convolved)
    choose_patches(product, device=CPU, image_size_px=16)
    assert type(product.patch_embed.proj) is PatchProduct
    images = torch.rand(5, channels, 16, 16)
    for model in (convolved, product):
        model(images).square().sum().backward()
    torch.testing.assert_close(product(images), convolved(images))
    for (name, one), (same, other) in zip(
        convolved.named_parameters(), product.named_parameters(), strict=True
    ):
        assert name == same
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-5)
    assert product.state_dict().keys() == convolved.state_dict().keys()


def test_kernels_that_are_not_square_are_told_apart():
    convolution = nn.Conv2d(2, 7, (2, 4), (2, 4))
    owner = nn.Module()
    owner.proj = convolution
    images = torch.rand(3, 2, 8, 8)
    before = convolution(images)
    choose_patches(owner, device=CPU, image_size_px=8)
    assert type(convolution) is PatchProduct
    torch.testing.assert_close(owner.proj(images), before)


@pytest.mark.parametrize(
    "changes", [{"stride": 4}, {"padding": 1}, {"dilation": 2}, {"groups": 2}, {"kernel_size": 5}]
)
def test_other_convolutions_stay(changes):
    size = changes.pop("kernel_size", 8)
    owner = nn.Module()
    owner.proj = nn.Conv2d(2, 2, size, **({"stride": size} | changes))
    choose_patches(owner, device=CPU, image_size_px=16)
    assert type(owner.proj) is nn.Conv2d


def test_a_gpu_keeps_its_convolution(entry):
    model = vit(entry)
    choose_patches(model, device=torch.device("cuda"), image_size_px=16)
    assert type(model.patch_embed.proj) is nn.Conv2d
