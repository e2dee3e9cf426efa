"""Forecasts: properties of the sums, and what changes them."""

import subprocess
import sys

import pytest
from forecast.given import ROOT, configuration, published, shipped

from fdsl.forecast.amount import Origin
from fdsl.forecast.forecast import forecast
from fdsl.forecast.speeds import Speeds
from fdsl.schema.base import ConfigError

ALL = ["all"]
TABLE3 = ["results/tables/table3.csv"]
RUN = "results/paper/pretrain/rcdb1k-vit_tiny-s0/record.json"


def of(targets, *, gpu=None, rates=None, **changes):
    return forecast(configuration(**changes), targets, Speeds(rates or shipped(), published(), gpu))


def line(found, rule):
    return next(line for line in found.lines if line.rule == rule)


@pytest.fixture(scope="module")
def laptop():
    return of(ALL)


def test_every_rule_of_the_laptop_scale_takes_time_and_leaves_files(laptop):
    for rule in ("sample_parameters", "render_shard", "pretrain", "finetune", "probe", "detect"):
        found = line(laptop, rule)
        assert min(x.value for x in (found.core_s, found.disk_bytes, found.memory_mb)) > 0, rule
    assert laptop.total.memory_mb.value == max(x.memory_mb.value for x in laptop.lines)


def test_the_total_is_the_sum_of_the_lines(laptop):
    for name in ("core_s", "gpu_s", "disk_bytes"):
        assert getattr(laptop.total, name).value == pytest.approx(
            sum(getattr(line, name).value for line in laptop.lines)
        )
    assert laptop.total.jobs == sum(line.jobs for line in laptop.lines)


def test_no_gpu_is_counted_where_none_is_used(laptop):
    assert laptop.gpu is None
    assert laptop.total.gpu_s.value == 0
    assert of([RUN], scale="paper", device="cpu").total.gpu_s.value == 0


def test_one_pre_training_of_a_million_images_takes_what_the_published_speed_says():
    gpu_s = of([RUN], scale="paper", gpu="RTX 3090", loader_workers=64).total.gpu_s
    by_hand = 300e6 / (2293.54 / (727.0 / 357.2))  # the published recipe is fp32
    assert gpu_s.value == pytest.approx(by_hand, rel=0.01)
    assert gpu_s.marks == "a"
    assert of([RUN], scale="paper").gpu == "RTX 3090"


def test_loader_processes_take_the_images_off_the_gpus_time():
    alone, shared = (
        line(of([RUN], scale="paper", loader_workers=n), "pretrain").gpu_s.value for n in (0, 64)
    )
    assert alone > 1.3 * shared
    words = of([RUN], scale="paper", loader_workers=0).words
    assert any("loader_workers: 0" in line for line in words)


def test_beside_a_gpu_images_are_prepared_by_as_many_processes_as_the_job_has_threads():
    chosen, sixteen = (
        line(of([RUN], scale="paper", loader_workers=n), "pretrain").gpu_s.value for n in (None, 16)
    )
    assert chosen == sixteen


def test_many_gpus_share_the_hours_of_one():
    one, many = (
        of([RUN], scale="paper", nodes_x_processes=grids, loader_workers=16)
        for grids in ({}, {"vit_tiny": "2x8"})
    )
    assert line(many, "pretrain").gpu_s.value == pytest.approx(
        line(one, "pretrain").gpu_s.value, rel=0.02
    )


def test_streaming_trades_disk_for_drawing_anew():
    stored, streamed = (
        of([RUN], scale="paper", images=images, loader_workers=0) for images in ("shards", "stream")
    )
    assert streamed.total.disk_bytes.value < 0.01 * stored.total.disk_bytes.value
    assert line(streamed, "pretrain").core_s.value > line(stored, "pretrain").core_s.value


def test_a_faster_gpu_takes_fewer_hours():
    hours = {
        gpu: of(TABLE3, scale="paper", gpu=gpu, loader_workers=64).total.gpu_s.value
        for gpu in ("RTX 3090", "RTX 4090", "RTX 5090")
    }
    assert hours["RTX 3090"] > hours["RTX 4090"] > hours["RTX 5090"]


def test_a_measured_gpu_is_taken_first():
    rates = shipped()
    fast = rates.shipped.training[0].model_copy(
        update={
            "device": "My GPU",
            "network": "vit_tiny",
            "image_size_px": 224,
            "precision": "fp32",
            "training_images_per_s": 1e4,
            "inference_images_per_s": 3e4,
        }
    )
    mine = rates.shipped.model_copy(update={"training": (fast,)})
    found = of([RUN], scale="paper", loader_workers=256, rates=type(rates)(rates.shipped, mine))
    assert found.gpu == "My GPU"
    assert found.total.gpu_s.value == pytest.approx(300e6 / 1e4, rel=0.01)
    assert Origin.MEASURED in found.total.gpu_s.marks


def test_the_pictures_to_bring_are_listed_and_no_part_of_the_disk():
    found = of(TABLE3, scale="paper", images="stream")
    (archives,) = [mb for names, mb in found.pictures.items() if "imagenet1k" in names]
    assert archives > 100_000
    assert found.pictures["cars"] is None
    assert found.total.disk_bytes.value < 1e9


def test_every_target_at_every_scale_has_a_forecast():
    for scale in ("laptop", "workstation", "paper"):
        for images in ("shards", "stream"):
            found = of(["all", "all_curves"], scale=scale, images=images)
            assert found.total.core_s.value > 0


def test_trainings_that_share_a_process_are_one_job_that_starts_once():
    config = configuration()
    apart = config.scales["laptop"].model_copy(update={"share_process": []})
    apart = config.model_copy(update={"scales": {**config.scales, "laptop": apart}})
    speeds = Speeds(shipped(), published(), None)
    shared, alone = (forecast(each, ["claims"], speeds) for each in (config, apart))
    seeds, (begin, _) = len(config.scales["laptop"].seeds), shipped().start("training")
    for rule in ("pretrain", "finetune", "probe"):
        one, many = line(shared, rule), line(alone, rule)
        assert seeds * one.jobs == many.jobs
        saved = (many.jobs - one.jobs) * begin.seconds
        assert many.core_s.value - one.core_s.value == pytest.approx(saved)
        assert one.disk_bytes.value == pytest.approx(many.disk_bytes.value)


def test_a_run_brings_those_that_share_its_process_with_their_draws():
    found = of(["results/laptop/finetune/rcdb1k-vit_micro-digits-s0/record.json"])
    jobs = {line.rule: line.jobs for line in found.lines}
    assert (jobs["sample_parameters"], jobs["pretrain"], jobs["finetune"]) == (4, 1, 1)


def test_an_unknown_gpu_is_refused_with_those_that_are_known():
    with pytest.raises(ConfigError, match=r"--gpu: 'RTX 9090' is unknown. Allowed: RTX 3090, "):
        of(ALL, gpu="RTX 9090")


def test_a_forecast_of_the_whole_paper_needs_no_heavy_package():
    program = (
        "import sys; from fdsl.cli import app; app(['forecast', 'all', '--scale', 'paper'],"
        " standalone_mode=False);heavy = {'torch', 'timm', 'numba', 'pandas', 'matplotlib',"
        " 'pyarrow'} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "total" in done.stdout
