"""Published speeds, and what is made of them where they do not say."""

import csv

import pytest
from forecast.given import ROOT, configuration, published

from fdsl.forecast.amount import Origin
from fdsl.forecast.published import Published
from fdsl.schema.base import ConfigError

TABLE = published()


def speed(gpu, name, *, precision="bf16", image_size_px=224, train=True):
    return TABLE.speed(gpu, name, precision=precision, image_size_px=image_size_px, train=train)


@pytest.mark.parametrize(
    ("name", "train", "expected"),
    [("vit_tiny", True, 2293.54), ("vit_base", True, 390.86), ("vit_tiny", False, 6769.81)],
)
def test_what_is_published_is_taken_as_it_is(name, train, expected):
    found = speed("RTX 3090", name, train=train)
    assert (found.images_per_s, found.origin, found.words) == (expected, Origin.PUBLISHED, ())


def test_a_network_without_a_line_is_scaled_by_gmacs_and_says_so():
    found = speed("RTX 3090", "vit_huge")
    plain = 117.08 * 61.6 / 167.3
    assert plain < found.images_per_s < 1.6 * plain  # a larger network uses the GPU better
    assert found.origin == Origin.ASSUMED
    assert any(
        "vit_large by GMACs (167.3 against 61.6) to the power of 0." in w for w in found.words
    )


def test_scaling_by_gmacs_holds_for_the_networks_whose_speeds_are_known():
    """Leave one network out at a time: what is derived for it must be near what is published."""
    for row in TABLE.rates:
        others = [r for r in TABLE.rates if (r.gpu, r.network) != (row.gpu, row.network)]
        derived = Published(tuple(others), TABLE.networks)
        if row.gpu == "RTX 3090":
            found = derived.speed(
                row.gpu, row.network, precision="bf16", image_size_px=224, train=True
            )
            assert 0.5 < found.images_per_s / row.training_images_per_s < 2, row.network


def test_fp32_is_slower_by_what_the_table_says():
    fast, slow = speed("RTX 3090", "vit_tiny"), speed("RTX 3090", "vit_tiny", precision="fp32")
    assert fast.images_per_s / slow.images_per_s == pytest.approx(727.0 / 357.2)
    assert slow.origin == Origin.ASSUMED
    assert "fp32 takes 2" in slow.words[0]


def test_training_is_derived_from_evaluation_where_that_alone_is_published():
    found = speed("RTX 4090", "vit_tiny")
    assert 2.7 < 18553.34 / found.images_per_s < 3.3
    assert "from the published speed of evaluation" in found.words[0]


def test_a_detector_is_derived_from_the_gpu_on_which_one_was_published():
    stated = speed("V100", "mask_rcnn_resnet50", precision="fp32", image_size_px=800)
    assert (stated.images_per_s, stated.origin) == (7.33, Origin.PUBLISHED)
    found = speed("RTX 3090", "mask_rcnn_resnet50", precision="fp32", image_size_px=800)
    assert found.images_per_s == pytest.approx(7.33 * 390.86 / 252)
    assert "from the V100, by the training speeds of vit_base on both" in found.words[-1]


def test_more_pixels_take_longer():
    found = speed("RTX 3090", "vit_tiny", image_size_px=448)
    assert found.images_per_s == pytest.approx(2293.54 / 4)
    assert "by the number of pixels" in found.words[0]


def test_every_network_has_a_speed_on_every_gpu():
    names = [name for name in configuration().models if name != "vit_micro"]
    for gpu in TABLE.gpus:
        for name in [*names, "mask_rcnn_swin_base"]:
            for precision in ("fp32", "bf16", "fp16"):
                for train in (True, False):
                    assert speed(gpu, name, precision=precision, train=train).images_per_s > 0


def test_every_network_of_the_catalogue_has_its_work_stated():
    assert configuration().models.keys() <= TABLE.networks.keys()


def test_a_gpu_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(
        ConfigError, match=r"gpu = 'RTX 9090' is unknown.*Allowed: A100, H100, RTX 3090"
    ):
        speed("RTX 9090", "vit_tiny")


def test_a_network_without_its_work_is_refused_with_the_remedy():
    with pytest.raises(ConfigError, match=r"networks.csv has no line of 'vit_nano'.*Add its GMACs"):
        speed("RTX 3090", "vit_nano")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("training_images_per_s", "-3", "greater than 0"),
        ("network", "vit_nano", "vit_nano"),
        ("source", "", "string"),
    ],
)
def test_a_fault_in_the_table_names_file_and_line(tmp_path, column, value, message):
    folder = ROOT / "workflow" / "published"
    (tmp_path / "networks.csv").write_bytes((folder / "networks.csv").read_bytes())
    with (folder / "gpu_rates.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    lines[0][column] = value
    with (tmp_path / "gpu_rates.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, lines[0])
        writer.writeheader()
        writer.writerows(lines)
    with pytest.raises(ConfigError, match=rf"workflow/published/gpu_rates\.csv.*{message}"):
        Published.read(tmp_path)
