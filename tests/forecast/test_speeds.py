"""Speeds of networks: measured before published before derived."""

import pytest
from forecast.given import published, shipped

from fdsl.forecast.amount import Origin
from fdsl.forecast.rates import Rates
from fdsl.forecast.speeds import CPU, Speeds
from fdsl.schema.base import ConfigError


def speeds(rates=None, gpu=None):
    return Speeds(rates or shipped(), published(), gpu)


def of(name, *, device=CPU, image_size_px=32, precision="bf16", train=True, known=None):
    return (known or speeds()).of(
        name, image_size_px=image_size_px, precision=precision, device=device, train=train
    )


def test_a_measured_network_keeps_its_speed_and_its_memory():
    entry = next(
        e for e in shipped().shipped.training if (e.network, e.precision) == ("vit_micro", "bf16")
    )
    found = of("vit_micro")
    assert (found.images_per_s, found.origin) == (entry.training_images_per_s, Origin.SHIPPED)
    assert found.memory_mb.value == entry.memory_mb
    assert of("vit_micro", train=False).images_per_s == entry.inference_images_per_s


def test_on_a_cpu_another_network_is_derived_by_its_work():
    found, known = of("vit_tiny", image_size_px=224), of("vit_micro")
    assert found.images_per_s == pytest.approx(known.images_per_s * 0.0076 / 1.26)
    assert found.origin == Origin.ASSUMED
    assert "vit_tiny at 224 px, bf16, on cpu: not measured" in found.words[0]
    assert found.memory_mb is None


def test_a_published_gpu_has_no_memory_of_the_host():
    found = of("vit_tiny", device="RTX 3090", image_size_px=224)
    assert (found.images_per_s, found.origin) == (2293.54, Origin.PUBLISHED)
    assert found.memory_mb is None


def test_nothing_known_of_a_kind_of_work_is_refused_with_the_remedy():
    few = [e for e in shipped().shipped.training if not e.network.startswith("mask_rcnn")]
    rates = Rates(shipped().shipped.model_copy(update={"training": tuple(few)}))
    with pytest.raises(ConfigError, match=r"no speed of mask_rcnn_swin_base.*fdsl bench --save"):
        of("mask_rcnn_swin_base", known=speeds(rates))
