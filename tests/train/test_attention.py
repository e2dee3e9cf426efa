"""Attention maps against timm's own softmax, by hand."""

import numpy as np
import pytest
import timm
import torch

from fdsl.train.attention import attention


def network(**changes):
    torch.manual_seed(0)
    small = {
        "img_size": 32,
        "patch_size": 8,
        "embed_dim": 24,
        "depth": 2,
        "num_heads": 3,
        "in_chans": 1,
    }
    return timm.create_model("vit_tiny_patch16_224", num_classes=5, **small, **changes).eval()


@pytest.mark.parametrize("changes", [{}, {"class_token": False, "global_pool": "avg"}])
@torch.no_grad()
def test_a_map_is_the_last_softmax_over_patches(changes):
    vit, images = network(**changes), torch.randn(3, 1, 32, 32)
    found = attention(vit, images)
    assert (found.shape, found.dtype) == ((3, 4, 4), np.float32)
    assert np.allclose(found.sum((1, 2)), 1, atol=1e-5)
    tokens = vit._pos_embed(vit.patch_embed(images))
    tokens = vit.blocks[0](vit.norm_pre(tokens))
    block = vit.blocks[1]
    qkv = block.attn.qkv(block.norm1(tokens)).reshape(3, tokens.shape[1], 3, 3, 8)
    q, k, _ = qkv.permute(2, 0, 3, 1, 4)
    paid = torch.softmax(q @ k.transpose(-1, -2) / 8**0.5, -1).mean(1)
    paid = paid[:, 0, 1:] if "class_token" not in changes else paid.mean(1)
    assert np.allclose(found.reshape(3, 16), paid / paid.sum(1, keepdim=True), atol=1e-5)


@torch.no_grad()
def test_looking_changes_nothing():
    vit, images = network(), torch.randn(2, 1, 32, 32)
    before = vit(images)
    attention(vit, images)
    assert torch.equal(vit(images), before)


@pytest.mark.parametrize("name", ["resnet18", "swin_tiny_patch4_window7_224"])
def test_a_network_without_attention_over_all_patches_is_refused(name):
    with pytest.raises(ValueError, match="has no attention over all patches"):
        attention(timm.create_model(name, num_classes=2), torch.zeros(1, 3, 224, 224))
