import json
import subprocess
import sys

import numpy as np
import pytest
from oracles import downstream_layouts as layouts
from PIL import Image
from typer.testing import CliRunner

from fdsl.cli import app
from fdsl.datasets.downstream import MissingData, require
from fdsl.io import records
from fdsl.io.storage import DamagedFile
from fdsl.schema import yaml_files
from fdsl.schema.catalogue import DownstreamDataset

QUICK = [
    "--set",
    "points=500",
    "--set",
    "search_points=4000",
    "--set",
    "search_size_px=64",
    "--set",
    "image_size_px=40",
]


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def command(*arguments):
    call = [sys.executable, "-m", "fdsl", *map(str, arguments)]
    return subprocess.run(call, capture_output=True, text=True, check=False)


def test_help_names_every_verb_and_loads_nothing_heavy():
    code = """
import sys
from typer.testing import CliRunner
from fdsl.cli import app
shown = CliRunner().invoke(app, ["--help"])
heavy = {"torch", "numba", "pandas", "matplotlib", "timm", "pyarrow", "sklearn"}
heavy &= sys.modules.keys()
print(shown.exit_code, sorted(heavy)); print(shown.output)
"""
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert shown.startswith("0 []")
    for command in [
        "list",
        "show",
        "recipe",
        "deviations",
        "show-table",
        "data",
        "sample-parameters",
        "pretrain",
        "finetune",
        "table",
    ]:
        assert f" {command} " in shown


def test_list_names_datasets_networks_and_recipes():
    shown = run("list")
    assert shown.exit_code == 0
    for name in ["fractaldb1k", "rcdb1k", "cifar10", "vit_tiny", "pretrain_vit_tiny_1k"]:
        assert name in shown.output


def test_show_draws_a_labelled_grid(tmp_path):
    shown = run(
        "show",
        "fractaldb1k",
        "--categories",
        2,
        "--instances",
        3,
        "--out",
        tmp_path / "grid.png",
        *QUICK,
    )
    assert shown.exit_code == 0, shown.output
    with Image.open(tmp_path / "grid.png") as grid:
        assert np.asarray(grid.convert("L")).std() > 10
        assert f"{grid.width} × {grid.height} px" in shown.output
    drawn = (tmp_path / "grid.png").read_bytes()
    again = run("show", "perlin100", "--categories", 2, "--out", tmp_path / "grid.png")
    assert "grid.png is in the way" in str(again.exception)
    assert (tmp_path / "grid.png").read_bytes() == drawn


def test_generation_needs_none_of_the_extras(tmp_path):
    """`pip install fdsl` without extras draws, lists and exports."""
    code = f"""
import sys
for name in ["torch", "torchvision", "timm", "matplotlib", "sklearn", "scipy", "snakemake",
             "tensorboard", "safetensors", "jinja2"]:
    sys.modules[name] = None
from typer.testing import CliRunner
import fdsl
from fdsl.cli import app
quick = {[*QUICK]!r}
run = CliRunner()
grid = ["--categories", "2", "--instances", "2", "--out", "grid.png"]
few = ["--set", "classes=2", "--set", "instances=2", "--workers", "0", "--out", "images"]
for call in [["list"], ["show", "fractaldb1k", *grid, *quick],
             ["render", "fractaldb1k", *few, *quick]]:
    done = run.invoke(app, call, catch_exceptions=False)
    assert done.exit_code == 0, done.output
image, label = fdsl.load("rcdb1k", classes=2, instances=2, image_size_px=32)[3]
assert image.shape == (32, 32) and label == 1
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_show_prints_the_settings(tmp_path):
    shown = run(
        "show", "fractaldb1k", "--settings", "--set", "points=500", "--out", tmp_path / "grid.png"
    )
    assert "points: 500" in shown.output
    assert "filling_rate: 0.2" in shown.output
    assert not (tmp_path / "grid.png").exists()


def test_show_draws_what_a_scale_trains_on(tmp_path):
    def grid(name, *more):
        path = tmp_path / name
        shown = run("show", "rcdb1k", "--categories", 1, "--instances", 2, "--out", path, *more)
        assert shown.exit_code == 0, shown.output
        with Image.open(path) as image:
            return image.size

    whole, small = grid("whole.png"), grid("small.png", "--scale", "laptop")
    assert small < whole  # the laptop's side


def test_a_recipe_is_shown_with_its_sources():
    shown = run("recipe", "pretrain_vit_tiny_1k")
    assert shown.exit_code == 0
    for word in ["augmentation.mixup", "0.8", "released code"]:
        assert word in shown.output
    assert "Recipe file" not in shown.output
    assert "finetune_small_sets" in run("recipe").output


def test_inherited_values_name_the_file_that_states_them(monkeypatch):
    monkeypatch.setenv("COLUMNS", "220")
    shown = run("recipe", "pretrain_vit_base_50k").output
    lines = {line.split()[1]: line for line in shown.splitlines() if line.count("│") > 4}
    assert "pretrain_vit_base_50k.yaml" in lines["epochs"]
    assert "40" in lines["epochs"]
    assert "pretrain_vit_base_21k.yaml" in lines["lr"]
    assert "exe_rcdb_21k.sh" in lines["lr"] or "used as it stands" in lines["lr"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["show", "fractaldb1kk"],
            ["'fractaldb1kk' is unknown", "did you mean 'fractaldb1k'", "rcdb1k"],
        ),
        (["show", "rcdb1k", "--set", "vertice=3"], ["vertice", "did you mean 'vertices'"]),
        (
            ["show", "rcdb1k", "--set", "image_size_px=0"],
            ["image_size_px = 0", "greater than or equal to"],
        ),
        (["recipe", "pretrain"], ["'pretrain' is unknown", "pretrain_laptop"]),
        (["data", "check", "cifar"], ["'cifar' is unknown", "cifar10"]),
        (
            ["data", "check", "cars", "--data-root", "nowhere"],
            ["Stanford Cars", "nowhere", "cars_train_annos.mat", "kaggle"],
        ),
    ],
)
def test_a_mistake_is_one_message_and_no_traceback(arguments, words):
    said = command(*arguments)
    assert said.returncode == 2
    assert "Traceback" not in said.stderr
    for word in words:
        assert word.lower() in said.stderr.lower()


DATASETS = yaml_files.catalog(yaml_files.workflow_folder(), "downstream", DownstreamDataset)


@pytest.mark.parametrize("name", DATASETS)
def test_data_check_says_of_every_dataset_what_is_missing(name, tmp_path):
    entry = DATASETS[name].model_copy(update={"also_in": []})
    if name == "digits":
        shown = run("data", "check", name, "--data-root", tmp_path)
        assert json.loads(shown.output)["parts"]["test"]["images"] == 360
        return
    with pytest.raises(MissingData) as caught:
        require({name: entry}, tmp_path)
    said = str(caught.value)
    for word in (entry.title, entry.layout, entry.how_to_get, str(tmp_path / entry.folder)):
        assert word in said
    assert (f"fdsl data fetch {name}" in said) == entry.fetchable
    if name != "fashion_mnist":  # which Debian's package may have
        shown = run("data", "check", name, "--data-root", tmp_path)
        assert str(shown.exception) == said
        if not entry.fetchable:
            fetched = run("data", "fetch", name, "--data-root", tmp_path)
            assert entry.how_to_get in str(fetched.exception)


def test_data_check_and_fetch_find_an_own_copy(tmp_path, monkeypatch):
    entry, _ = layouts.parquet(tmp_path)
    monkeypatch.setattr("fdsl.schema.yaml_files.catalog", lambda *_: {"own": entry})
    shown = run("data", "check", "own", "--data-root", tmp_path)
    assert json.loads(shown.output)["parts"]["train"]["per_class"] == [3, 2]
    assert "own is in" in run("data", "fetch", "own", "--data-root", tmp_path).output


def test_version():
    from fdsl import __version__

    assert run("--version").output.strip() == __version__


@pytest.fixture
def table(tmp_path):
    """A finished table with its record."""
    csv = tmp_path / "table3.csv"
    csv.write_text("table,row\n")
    csv.with_suffix(".md").write_text("# table3\n\n| a | b |\n|:--|--:|\n| x\x1b[2J | 1 |\n")
    records.write(
        csv.with_suffix(".record.json"), {"kind": "table"}, outputs=[csv, csv.with_suffix(".md")]
    )
    return csv


def test_a_finished_table_is_shown_as_markdown(table):
    shown = run("show-table", table)
    assert shown.stdout == "# table3\n\n| a | b |\n|:--|--:|\n| x\\x1b[2J | 1 |\n"


def test_a_terminal_gets_a_drawn_table_and_no_command(table, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = run("show-table", table).stdout
    assert "───" in shown
    assert "|:--" not in shown
    assert "\x1b[2J" not in shown


@pytest.mark.parametrize("suffix", [".csv", ".md"])
def test_a_table_that_was_edited_is_not_shown(table, suffix):
    file = table.with_suffix(suffix)
    file.write_text(file.read_text() + "more\n")
    found = run("show-table", table)
    assert isinstance(found.exception, DamagedFile)
    assert "run the same command again" in str(found.exception)
