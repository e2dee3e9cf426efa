import pytest
import torch

from fdsl.schema.base import ConfigError
from fdsl.schema.catalogue import ModelEntry
from fdsl.schema.yaml_files import catalog, workflow_folder
from fdsl.train import models


def make(entry, **changes):
    values = {"image_size_px": 16, "classes": 4, "drop_path": 0.0, "seed": 0}
    return models.build(entry, **(values | changes))


def change(entry, **values):
    return entry.model_copy(update=values)


def test_network_fits_entry_and_recipe(entry):
    model = make(entry, classes=7, drop_path=0.3)
    assert model(torch.zeros(2, 1, 16, 16)).shape == (2, 7)
    assert models.channels(entry) == 1
    assert model.blocks[-1].drop_path1.drop_prob == pytest.approx(0.3)
    assert models.parameter_count(model) == sum(p.numel() for p in model.parameters())


def test_weights_depend_on_the_seed_and_on_no_global_state(entry):
    torch.manual_seed(1)
    first = make(entry)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    again = make(entry)
    assert torch.equal(state, torch.get_rng_state())
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first.head.weight, make(entry, seed=1).head.weight)


def test_networks_without_a_fixed_size_are_made_too(entry):
    resnet = change(entry, timm="resnet18", arguments={"base_width": 64})
    assert models.channels(resnet) == 3
    assert make(resnet).eval()(torch.zeros(1, 3, 40, 40)).shape == (1, 4)


MILLIONS = {
    "vit_tiny": 5.72,
    "vit_small": 22.05,
    "vit_base": 86.57,
    "vit_large": 304.33,
    "vit_huge": 632.05,
    "swin_base": 87.77,
    "resnet50": 25.56,
    "vit_micro": 0.565,
}


def test_every_network_of_the_catalogue_is_made_with_its_published_size():
    entries = catalog(workflow_folder(), "models", ModelEntry)
    assert entries.keys() == MILLIONS.keys()
    for name, entry in entries.items():
        side = 32 if name == "vit_micro" else 224
        with torch.device("meta"):  # no memory, no random numbers
            model = make(entry, image_size_px=side, classes=1000)
        assert models.parameter_count(model) / 1e6 == pytest.approx(MILLIONS[name], abs=0.006), name


def test_the_last_scale_of_resnets_blocks_is_that_of_torchvision():
    entry = catalog(workflow_folder(), "models", ModelEntry)["resnet50"]
    small = change(entry, timm="resnet18")
    assert torch.equal(make(small).layer1[0].bn2.weight, torch.ones(64))


def test_a_network_for_any_size_has_the_same_tensors_and_answers(entry):
    fixed, free = make(entry, classes=0), make(entry, classes=0, any_size=True)
    assert free(torch.zeros(2, 1, 8, 8)).shape == free(torch.zeros(2, 1, 24, 24)).shape == (2, 32)
    free.load_state_dict(fixed.state_dict())
    images = torch.rand(2, 1, 16, 16)
    assert torch.allclose(free(images), fixed(images), atol=1e-6)
    with pytest.raises(AssertionError, match="height"):
        fixed(torch.zeros(2, 1, 8, 8))


def test_unknown_networks_are_named_with_similar_ones(entry):
    with pytest.raises(
        ConfigError, match=r"'vit_tinny_patch16' is unknown to timm\. Similar: .*vit_tin"
    ):
        make(change(entry, timm="vit_tinny_patch16"))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"num_classes": 10}, "num_classes comes from the dataset or the recipe"),
        ({"img_size": 32}, "img_size = 32 contradicts the recipe's image_size_px = 16"),
        ({"depht": 4}, "depht"),
        ({"embed_dim": 33, "num_heads": 2}, "divisible"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(entry, arguments, text):
    with pytest.raises(ConfigError, match=text):
        make(change(entry, arguments=entry.arguments | arguments))


def test_half_precision_on_a_cpu_uses_plain_attention_with_the_same_result(entry):
    model = make(entry).eval()
    images = torch.rand(2, 1, 16, 16)
    fused = model(images)
    models.choose_attention(model, device=torch.device("cpu"), precision="fp32")
    assert model.blocks[0].attn.fused_attn
    models.choose_attention(model, device=torch.device("cuda"), precision="bf16")
    assert model.blocks[0].attn.fused_attn
    models.choose_attention(model, device=torch.device("cpu"), precision="bf16")
    assert not any(block.attn.fused_attn for block in model.blocks)
    assert torch.allclose(model(images), fused, atol=1e-5)


def test_positions_can_start_with_sines_and_cosines_that_are_trained(entry):
    model, plain = make(entry, position_start="sin_cos"), make(entry)
    assert model.pos_embed.requires_grad
    classes, patches = model.pos_embed[0, :1], model.pos_embed[0, 1:].detach()
    assert not classes.any()
    assert torch.allclose(patches.square().sum(1), torch.full((4,), 16.0))  # of 16 angles
    assert len(torch.unique(patches, dim=0)) == 4
    for (name, a), b in zip(model.named_parameters(), plain.parameters(), strict=True):
        assert torch.equal(a, b) == (name != "pos_embed")


@pytest.mark.parametrize(
    ("timm", "arguments"),
    [
        ("resnet18", {}),
        ("swin_tiny_patch4_window7_224", {}),
        ("vit_tiny_patch16_224", {"embed_dim": 30, "num_heads": 2, "patch_size": 8}),
    ],
)
def test_a_network_without_such_positions_is_refused(entry, timm, arguments):
    other = change(entry, timm=timm, arguments=arguments)
    with pytest.raises(ConfigError, match="position_start = sin_cos needs a learnt position"):
        make(other, image_size_px=32, position_start="sin_cos")
