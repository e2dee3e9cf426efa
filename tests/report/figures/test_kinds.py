"""Every kind of figure, from invented records; what it plots stands beside it."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from workflow.configured import job_table

from fdsl.images import parameters
from fdsl.io.storage import DamagedFile
from fdsl.report.figures.attention_maps import read_maps
from fdsl.report.figures.inputs import FigureInputs, write
from fdsl.report.html import read_fragment


@pytest.fixture(scope="session")
def laptop_jobs():
    return job_table(scale="laptop")


@pytest.fixture
def draw(laptop_jobs, folder, published_csv):
    """A function that draws a figure of the main paper at laptop scale; returns what it plots."""

    def drawn(name, *, records=(), files=(), **words):
        spec = laptop_jobs.job("figure", figure=name).spec
        spec["figure"] |= words
        given = {"records": list(records), "files": list(files), "published": published_csv}
        out = folder / f"results/figures/{name}.png"
        out.parent.mkdir(parents=True, exist_ok=True)
        write(FigureInputs.model_validate(spec | given), out=out)
        with Image.open(out) as picture:
            assert min(picture.size) > 300
        assert out.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
        fragment = read_fragment(out.with_suffix(".fragment.html"))
        assert fragment.startswith(f"<h3>{name}: ")
        assert f'href="figures/{name}.pdf"' in fragment
        return pd.read_csv(out.with_suffix(".csv"))

    return drawn


@pytest.fixture
def maps(folder):
    """A function that writes invented attention maps of a pre-training."""

    def written(pretraining):
        path = folder / f"results/laptop/attention/{pretraining}-vit_micro-s0.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        images = np.full((4, 32, 32, 1), 90, np.uint8)
        np.savez(path, images=images, attention=np.full((4, 4, 4), 1 / 16, np.float32))
        return path

    return written


def test_an_ablation_shows_printed_numbers_beside_ours(draw, record, maps):
    records = [
        record("rcdb1k", "digits", seed, correct, images=100, scale="laptop")
        for seed, correct in enumerate([40, 44])
    ]
    table = draw("figure5", records=records, files=[maps("rcdb1k"), maps("rcdb1k_broken")])
    table = table.set_index(["column", "bar"])
    assert table.loc[("Cars", "RCDB with corruption"), "published"] == 1.1
    ours = table.loc[("Digits, 200 labels", "RCDB without corruption")]
    assert (ours["reproduced"], ours["replicates"]) == (42.0, 2)
    assert ours["sd"] == pytest.approx(8**0.5)
    assert table.loc[("Digits, 200 labels", "RCDB with corruption"), "replicates"] == 0


def test_printed_bars_may_be_columns_of_the_paper(draw):
    table = draw("figure4").set_index(["column", "bar"])
    assert table.loc[("Flowers", "50k"), "published"] == 97.4
    assert table["reproduced"].isna().all()


def test_a_teaser_without_a_run_says_so(draw, maps):
    table = draw("figure1", files=[maps("rcdb21k")]).set_index(["column", "bar"])
    assert table.loc[("ImageNet-1k top-1", "ExFractalDB-21k"), "published"] == 82.7


def test_words_of_a_figure_are_no_formulas(draw):
    draw("figure3", caption=r"For $5 or $\nothing$")


def test_the_construction_has_a_row_for_each_step(draw):
    table = draw("figure3")
    assert list(table["polygons"]) == [1, 1, 5, 5, 5]
    assert list(table["vertices"][:4]) == [3, 3, 3, 3]


def test_curves_are_those_of_the_runs(draw, folder):
    path = folder / "results/laptop/pretrain/rcdb1k-vit_micro-s0/metrics.jsonl"
    path.parent.mkdir(parents=True)
    line = {
        "kind": "train",
        "lr": 0.1,
        "loss": 2.0,
        "correct": 5,
        "images": 10,
        "images_per_second": 1.0,
    }
    lines = [line | {"step": step, "epoch": step / 4} for step in range(1, 9)]
    path.write_text("".join(json.dumps(entry) + "\n" for entry in lines), encoding="utf-8")
    table = draw("training_curves", files=[path])
    assert (set(table["run"]), len(table)) == ({"rcdb1k-vit_micro-s0"}, 8)
    assert (table["percent_correct"] == 50).all()
    path.write_text("no json\n", encoding="utf-8")
    with pytest.raises(DamagedFile, match="cannot be read"):
        draw("training_curves", files=[path])


def test_scaling_is_drawn_against_the_sizes_of_the_scale(draw, laptop_jobs, record):
    records = [
        record(name, "digits", 0, 30 + number, images=100, scale="laptop")
        for number, name in enumerate(laptop_jobs.runs.figure("scaling").datasets)
    ]
    table = draw("scaling", records=records)
    ours = table[table["replicates"] > 0].set_index("bar")
    entry = laptop_jobs.config.dataset("laptop", "fractaldb100")
    found = ours.loc["fractaldb100", ["categories", "instances", "reproduced"]]
    assert list(found) == [entry.classes, entry.instances, 30.0]


def test_histograms_count_every_category(draw, laptop_jobs, folder):
    files = []
    for name in laptop_jobs.runs.figure("parameter_distributions").datasets:
        entry = laptop_jobs.config.dataset("laptop", name)
        found = list(parameters.sample(entry, seed=laptop_jobs.config.user.dataset_seed))
        files.append(folder / f"{name}.parquet")
        parameters.write(files[-1], parameters.stack(found), dataset=entry, seed=0)
    table = draw("parameter_distributions", files=files)
    vertices = table[(table["dataset"] == "RCDB-1k") & (table["parameter"] == "vertices")]
    assert vertices["count"].sum() == laptop_jobs.config.dataset("laptop", "rcdb1k").classes


def test_damaged_attention_is_named(draw, folder):
    path = folder / "rcdb1k-vit_micro-s0.npz"
    path.write_bytes(b"PK no archive")
    with pytest.raises(DamagedFile, match="holds no attention maps"):
        draw("figure5", files=[path])


def test_no_flipped_bit_of_attention_maps_is_drawn(maps):
    path = maps("rcdb1k")
    whole, expected = path.read_bytes(), read_maps([path], ["rcdb1k"])["rcdb1k"]
    rng = np.random.default_rng(0)
    refused = 0
    for place in rng.integers(0, len(whole), 400):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            found = read_maps([path], ["rcdb1k"])["rcdb1k"]
        except DamagedFile:
            refused += 1
            continue
        for array, other in zip(found, expected, strict=True):  # a date in the archive, for example
            np.testing.assert_array_equal(array, other)
    assert refused > 300
