"""The sizes of networks that a forecast scales speeds by, counted."""

import pytest
import timm
import torch
from forecast.given import configuration, published
from torch.utils.flop_counter import FlopCounterMode

NETWORKS = {
    name: network
    for name, network in published().networks.items()
    if network.task == "classification"
}


@pytest.mark.parametrize("name", NETWORKS)
def test_multiplications_and_parameters_are_those_of_the_network(name):
    """timm counts a head of 1,000 classes; the smallest network is pre-trained on 100."""
    entry, known = configuration().models.get(name), NETWORKS[name]
    arguments = entry.arguments if entry else {}
    if name.startswith("vit"):
        arguments = {**arguments, "img_size": known.image_size_px}
    if name == "vit_micro":
        arguments = {**arguments, "num_classes": 100}
    side, channels = known.image_size_px, arguments.get("in_chans", 3)
    with torch.device("meta"):
        network = timm.create_model(entry.timm if entry else "vit_giant_patch14_224", **arguments)
        image = torch.empty(1, channels, side, side)
    with FlopCounterMode(display=False) as counted:
        network.eval()(image)
    assert counted.get_total_flops() / 2e9 == pytest.approx(known.gmacs, rel=0.02)
    parameters = sum(p.numel() for p in network.parameters()) / 1e6
    assert parameters == pytest.approx(known.parameters_millions, rel=0.02)
