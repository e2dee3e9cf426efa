"""The files that jobs read, and where data from elsewhere are looked for."""

import pytest
from workflow.configured import job_table, with_scale

from fdsl.workflow import inputs, sources
from fdsl.workflow.runs import Run

NAME = "composed_pictures"


def test_scratch_starts_from_no_weights():
    laptop = job_table()
    assert inputs.initial_weights(laptop, "laptop", "scratch-vit_micro-digits-s0") == []
    assert inputs.initial_record(laptop, "paper", "rcdb1k-vit_tiny-cars-s2") == [
        "results/paper/pretrain/rcdb1k-vit_tiny-s2/record.json"
    ]


def test_published_weights_take_the_place_of_a_pretraining():
    name = "authors_visualatom1k"
    assert inputs.initial_weights(job_table(), "paper", f"{name}-vit_tiny-cars-s2") == [
        f"results/paper/published_weights/{name}/model.safetensors"
    ]


def test_seeds_share_the_pretrainings_of_the_scale_in_turn():
    """The laptop scale's replicates have one each."""

    def pretrained(seed, **change):
        table = with_scale(job_table(), **change)
        run = f"rcdb1k-vit_micro-digits-s{seed}"
        (record,) = inputs.initial_record(table, "laptop", run)
        return record

    record = "results/laptop/pretrain/rcdb1k-vit_micro-s{}/record.json".format
    seeds = range(4)
    assert [pretrained(s) for s in seeds] == [record(s) for s in seeds]
    assert [pretrained(s, pretrain_seeds=[0]) for s in seeds] == [record(0)] * 4
    assert [pretrained(s, pretrain_seeds=[5, 3]) for s in seeds] == [record(s) for s in (5, 3) * 2]


@pytest.mark.parametrize(
    ("draws", "names"),
    [
        (None, ["rcdb1k", "rcdb1k-d1", "rcdb1k-d2", "rcdb1k-d3"]),
        ([0], ["rcdb1k"] * 4),
        ([2, 0], ["rcdb1k-d2", "rcdb1k"] * 2),
    ],
)
def test_pretrainings_share_the_draws_of_the_scale_in_turn(draws, names):
    table = with_scale(job_table(), draws=draws)
    for seed, name in enumerate(names):
        run = f"rcdb1k-vit_micro-s{seed}"
        image = f"results/laptop/images/{name}/shard-0000"
        assert inputs.images(table, "laptop", run) == [f"{image}.arrow"]
        assert inputs.image_digests(table, "laptop", run) == [f"{image}.json"]
        job = table.maker(f"{image}.arrow")
        assert job.inputs["parameters"] == [f"results/laptop/parameters/{name}.parquet"]
        assert job.spec["seed"] == table.job("pretrain", scale="laptop", run=run).spec["seed"]


@pytest.mark.parametrize("name", ["figure4", "figure5"])
def test_the_attention_maps_of_a_figure_are_of_one_replicate(name):
    laptop = job_table(seeds=[3, 1])
    files = laptop.job("figure", figure=name).inputs["files"]
    runs = [Run.read(laptop.maker(path).name) for path in files]
    bars = [bar.pretraining for bar in laptop.runs.figure(name).bars]
    assert {run.pretraining for run in runs} == {*bars} - {"scratch"}
    assert len({run.pretraining for run in runs}) == len(runs)
    assert {run.seed for run in runs} == {3}


def test_streamed_images_need_no_shards():
    laptop, run = with_scale(job_table(), shards={"default": 2}), "rcdb1k-vit_micro-s0"
    shards = [f"results/laptop/images/rcdb1k/shard-000{k}" for k in range(2)]
    assert inputs.images(laptop, "laptop", run) == [f"{shard}.arrow" for shard in shards]
    assert inputs.image_digests(laptop, "laptop", run) == [f"{shard}.json" for shard in shards]
    streaming, parameters = with_scale(laptop, images="stream"), "results/laptop/parameters/rcdb1k"
    assert inputs.images(streaming, "laptop", run) == [f"{parameters}.parquet"]
    assert inputs.image_digests(streaming, "laptop", run) == [f"{parameters}.json"]


def test_real_images_are_read_by_their_manifest():
    laptop, run = job_table(), "imagenet1k_dino-vit_micro-s0"
    manifest = ["results/laptop/downstream/fashion_mnist.json"]
    assert inputs.pretraining_manifest(laptop, "laptop", run) == manifest
    assert inputs.images(laptop, "laptop", run) == []
    assert inputs.image_digests(laptop, "laptop", run) == []
    assert inputs.pretraining_manifest(laptop, "laptop", "rcdb1k-vit_micro-s0") == []


def test_a_composed_dataset_belongs_to_a_scale_and_is_made_of_others():
    laptop = job_table(data_root="elsewhere")
    folder = "results/paper/composed"
    assert inputs.composed_dataset(laptop, "paper", NAME) == [f"{folder}/{NAME}"]
    assert inputs.composed_dataset(laptop, "laptop", "digits") == []
    assert sources.data_folder(laptop.config, "paper", NAME) == folder
    assert sources.data_folder(laptop.config, "paper", "digits") == "elsewhere"
    manifests = [f"results/laptop/downstream/{each}.json" for each in ("digits", "fashion_mnist")]
    assert inputs.composition_sources(laptop, "laptop", NAME) == manifests
    sources.require_downstream(laptop.config, [NAME])  # it will be made, so nothing is missing


def test_reports_are_made_from_records_and_printed_numbers():
    laptop, printed = job_table(), ["workflow/published/tables.csv"]
    for name in laptop.config.studies["contours"].tables:
        records = [m.record("laptop") for m in laptop.runs.of_table(name)]
        assert laptop.job("table", table=name).inputs == {"records": records, "published": printed}
    for name in laptop.config.studies["contours"].figures:
        assert laptop.job("figure", figure=name).inputs["published"] == printed
    claims = laptop.job("claims").inputs
    assert claims["published"] == printed
    assert set(claims["records"]) < set(laptop.job("runs").inputs["records"])


def test_the_page_is_joined_from_finished_fragments():
    laptop = job_table()
    study, page = laptop.config.studies["contours"], laptop.job("page").inputs
    assert page["reports"] == [
        *(f"results/tables/{name}.fragment.html" for name in study.tables),
        *(f"results/figures/{name}.fragment.html" for name in study.figures),
    ]
    assert page["claims"] == ["results/claims.fragment.html"]
    assert page["runs"] == ["results/runs.fragment.html"]
