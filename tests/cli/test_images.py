"""The commands of the generator, as a user types them."""

import json

import pytest
from cli.invocation import ok, run

import fdsl
from fdsl.io.storage import DamagedFile
from fdsl.schema.base import ConfigError

SIZES = ["--set", "classes=2", "--set", "instances=4", "--set", "image_size_px=32"]


@pytest.mark.parametrize("command", ["render", "export", "import", "which"])
def test_every_command_explains_itself(command):
    text = ok(command, "--help")
    assert "Usage" in text
    assert len(text) > 500


@pytest.mark.parametrize("command", ["render", "export"])
def test_images_to_files_and_back_to_their_parameters(tmp_path, command):
    out = tmp_path / "out"
    text = ok(command, "rcdb1k", "--out", out, "--seed", 5, "--workers", 0, *SIZES)
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert "8 images" in text
    assert manifest["content"][:16] in text
    assert len(list(out.rglob("*.png"))) == 8
    dataset = fdsl.load("rcdb1k", seed=5, classes=2, instances=4, image_size_px=32)
    of_file = json.loads(ok("which", out / "image/00001/00001_0002.png"))
    assert (of_file["category"], of_file["instance"]) == (1, 2)
    assert of_file["parameters"]["vertices"] == [dataset.parameters["vertices"][1]]
    assert json.loads(ok("which", 6, "--folder", out)) == of_file
    assert json.loads(ok("which", 6, "--dataset", "rcdb1k", "--seed", 5, *SIZES)) == of_file


def test_tables_and_members(tmp_path):
    ok(
        "render",
        "rcdb1k",
        "--out",
        tmp_path,
        "--format",
        "parquet",
        "--workers",
        0,
        "--images-per-file",
        5,
        *SIZES,
    )
    file = tmp_path / "data" / "train-00001-of-00002.parquet"
    assert json.loads(ok("which", file, "--member", 2))["index"] == 7


def test_parameters_out_and_in(tmp_path):
    csv, file, out = tmp_path / "csv", tmp_path / "p.parquet", tmp_path / "out"
    ok("render", "fractaldb1k", "--out", csv, "--format", "csv", "--workers", 1, *SIZES)
    assert sorted(p.name for p in csv.iterdir()) == ["00000.csv", "00001.csv"]
    assert "2 categories" in ok("import", csv, "--out", file, "--formula", "fractaldb")
    text = ok("render", "fractaldb1k", "--out", out, "--parameters", file, "--workers", 0, *SIZES)
    straight = ok("render", "fractaldb1k", "--out", tmp_path / "b", "--workers", 0, *SIZES)
    assert text.split("content")[1] == straight.split("content")[1]


def test_official_images(tmp_path):
    ok(
        "render",
        "visualatom1k",
        "--out",
        tmp_path,
        "--official",
        "--threads",
        2,
        "--workers",
        0,
        "--set",
        "orbits=[1, 3]",
        *SIZES,
    )
    names = sorted(p.name for p in (tmp_path / "00001").iterdir())
    assert len(names) == 4
    assert names[3].endswith("_instance_0003.png")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["render", "rcdb_1k", "--out", "x"], ConfigError, "did you mean 'rcdb1k'"),
        (["render", "rcdb1k", "--out", "x", "--set", "sise=3"], ConfigError, "'sise' is unknown"),
        (["render", "perlin100", "--out", "x", "--format", "csv"], ConfigError, "perlin"),
        (["which", "99", "--dataset", "rcdb1k", *SIZES], IndexError, "0 to 7"),
        (["which", "0", "--folder", "/"], DamagedFile, "no spec.json above it"),
    ],
)
def test_faults_are_explained(arguments, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        run(*arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["which", "nothing.png"], ["which", "3"]])
def test_what_names_no_image_is_a_fault_of_use(arguments):
    assert run(*arguments).exit_code == 2
