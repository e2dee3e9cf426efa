"""The authors' parameter files."""

import numpy as np
import pytest

import fdsl
from fdsl.images.export import authors_csv
from fdsl.images.export.imported import import_folder, read_parameters
from fdsl.images.parameters import read_table, stack
from fdsl.io.storage import DamagedFile
from fdsl.schema.base import ConfigError

SMALL = {"classes": 3, "instances": 2, "image_size_px": 32}
NAMES = {"fractaldb": "fractaldb1k", "exfractaldb": "exfractaldb1k", "rcdb": "rcdb1k"}
FRACTAL = "0.5,0.1,-0.1,0.5,0.2,0.3,5.0e-01\n0.3,0.0,0.1,0.4,-0.5,0.1,5.0e-01\n"
RCDB = "Vertex,49\r\nPerlin_noise,2.14\r\nline_width,0.09\r\nCenter_rad,40\r\nLine_num,89\r\n"


def written(folder, formula):
    dataset = fdsl.load(NAMES[formula], **SMALL)
    known = stack([dataset.images.parameters.of(k) for k in range(3)])
    authors_csv.write_folder(folder, known, formula=formula)
    return dataset, known


@pytest.mark.parametrize("formula", list(NAMES))
def test_what_is_written_comes_back_to_the_last_bit(tmp_path, formula):
    dataset, known = written(tmp_path, formula)
    again = authors_csv.read_folder(tmp_path, formula=formula)
    assert np.array_equal(again.offsets, known.offsets)
    for name in set(known.columns) - {"candidate", "map"}:
        assert np.array_equal(again.columns[name], known.columns[name])
    drawn = fdsl.load(NAMES[formula], parameters=tmp_path, **SMALL)
    for k in range(6):
        np.testing.assert_array_equal(drawn[k][0], dataset[k][0])


def test_files_look_as_the_authors_write_them(tmp_path):
    _, known = written(tmp_path, "fractaldb")
    lines = (tmp_path / "00000.csv").read_text(encoding="utf-8").splitlines()
    rows = known.of(0)
    assert lines[0] == ",".join(f"{rows[name][0]:.18e}" for name in "abcdefp")
    path = tmp_path / "numpy.csv"
    np.savetxt(path, np.array([rows[name] for name in "abcdefp"]).T, delimiter=",")
    assert path.read_bytes() == (tmp_path / "00000.csv").read_bytes()
    written(tmp_path / "3d", "exfractaldb")
    text = (tmp_path / "3d" / "000000.csv").read_text(encoding="utf-8")
    assert {line.count(",") for line in text.splitlines()} == {12}


def test_an_official_category_is_written_with_its_instance_0(tmp_path):
    dataset = fdsl.load("rcdb1k", official=True, classes=2, instances=1)
    text = authors_csv.text_of(dataset.images.parameters.of(0), formula="rcdb")
    keys = [line.split(",")[0] for line in text.split("\r\n")]
    assert keys[:-1] == list(authors_csv.RCDB_COLUMNS)
    (tmp_path / "00000.csv").write_bytes(text.encode())
    rows = authors_csv.read_file(tmp_path / "00000.csv", formula="rcdb")
    assert rows["vertices"] == dataset.images.parameters.of(0)["vertices"]


def test_folders_of_threads_are_looked_into(tmp_path):
    _, known = written(tmp_path, "fractaldb")
    (tmp_path / "csv1").mkdir()
    (tmp_path / "00002.csv").rename(tmp_path / "csv1" / "00002.csv")
    again = authors_csv.read_folder(tmp_path, formula="fractaldb")
    assert np.array_equal(again.columns["a"], known.columns["a"])


@pytest.mark.parametrize(
    ("formula", "content", "message"),
    [
        ("fractaldb", "", "is empty"),
        ("fractaldb", FRACTAL[:-1], "truncated"),
        ("fractaldb", FRACTAL.splitlines()[0] + "\n", "sum to 1"),
        ("fractaldb", FRACTAL.replace("0.5,0.1", "nan,0.1"), "'nan' is not finite"),
        ("fractaldb", FRACTAL.replace("0.5,0.1", "inf,0.1"), "'inf' is not finite"),
        ("fractaldb", FRACTAL.replace("0.5,0.1", "0,5,0.1"), "8 columns, not 7"),
        ("fractaldb", FRACTAL.replace("0.5,0.1", "a,0.1"), "'a' is not a number"),
        ("exfractaldb", FRACTAL, "7 columns, not 13"),
        ("rcdb", FRACTAL, "not key,value"),
        ("rcdb", RCDB.replace("Vertex,49", "Vertex,0"), "Vertex = 0 must be a whole number"),
        ("rcdb", RCDB.replace("Vertex,49", "Vertex,4.5"), "whole number"),
        ("rcdb", RCDB.replace("Vertex", "Vertices"), r"keys \['Vertex'\] are missing"),
        ("rcdb", RCDB + "Colour,1\r\n", r"\['Colour'\] are unknown"),
        ("rcdb", RCDB + "Vertex,49\r\n", "is repeated"),
        ("rcdb", RCDB.replace("49", "1e300"), "Vertex = 1e300 must be a whole number from 1 to"),
        ("rcdb", RCDB.replace("89", "4000000000"), "Line_num = 4000000000 must be a whole"),
        ("fractaldb", "9" * 200_000 + ",1\n", "field larger than field limit"),
        ("fractaldb", '"' + FRACTAL, "columns, not 7|EOF|unexpected"),
        ("fractaldb", FRACTAL.replace("0.5,0.1", "=1+1,0.1"), "'=1\\+1' is not a number"),
        ("fractaldb", FRACTAL.splitlines()[0] * 2 + "\n", "columns, not 7"),
        ("rcdb", RCDB.replace("2.14", "-1"), "Perlin_noise = -1 must be a number from 0.0"),
    ],
)
def test_what_is_no_parameter_file_is_refused_by_name(tmp_path, formula, content, message):
    path = tmp_path / authors_csv.file_name(formula, 0)
    path.write_text(content, encoding="utf-8", newline="")
    with pytest.raises(DamagedFile, match=rf"{path.name}.*{message}"):
        authors_csv.read_folder(tmp_path, formula=formula)


def test_binary_files_are_refused_by_name(tmp_path):
    (tmp_path / "00000.csv").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(DamagedFile, match=r"00000\.csv is not text"):
        authors_csv.read_folder(tmp_path, formula="fractaldb")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "00001.csv").unlink(), "lacks 1 categories before 2, first 1"),
        (lambda f: (f / "notes.csv").write_text("x"), r"notes\.csv is not named by a number"),
        (lambda f: (f / "000001.csv").write_text(FRACTAL), "the same category"),
        (lambda f: [p.unlink() for p in f.iterdir()], "holds no CSV files such as 00000.csv"),
    ],
)
def test_a_folder_must_be_whole(tmp_path, change, message):
    written(tmp_path, "fractaldb")
    change(tmp_path)
    with pytest.raises(DamagedFile, match=message):
        authors_csv.read_folder(tmp_path, formula="fractaldb")


def test_a_number_in_a_file_name_costs_no_memory(tmp_path):
    written(tmp_path, "fractaldb")
    (tmp_path / f"{10**17}.csv").write_text(FRACTAL)
    with pytest.raises(
        DamagedFile, match=f"lacks {10**17 - 3} categories before {10**17}, first 3"
    ):
        authors_csv.read_folder(tmp_path, formula="fractaldb")


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    written(tmp_path, "fractaldb")
    with (tmp_path / "00001.csv").open("r+b") as file:
        file.truncate(2**40)  # a hole, which takes no disk
    with pytest.raises(DamagedFile, match=r"00001\.csv has 1,099,511,627,776 bytes; a category"):
        authors_csv.read_folder(tmp_path, formula="fractaldb")


def test_nothing_is_overwritten(tmp_path):
    written(tmp_path, "fractaldb")
    (tmp_path / "00001.csv").write_text(FRACTAL, encoding="utf-8")
    with pytest.raises(DamagedFile, match=r"00001\.csv is in the way and differs from category 1"):
        written(tmp_path, "fractaldb")
    assert (tmp_path / "00001.csv").read_text(encoding="utf-8") == FRACTAL


def test_an_import_is_one_file_that_draws_the_same(tmp_path):
    dataset, _ = written(tmp_path / "csv", "fractaldb")
    path = tmp_path / "p.parquet"
    assert import_folder(tmp_path / "csv", path, formula="fractaldb").classes == 3
    drawn = fdsl.load("fractaldb1k", parameters=path, instances=2, image_size_px=32)
    assert drawn.classes == 3
    np.testing.assert_array_equal(drawn[5][0], dataset[5][0])
    assert drawn.origin["imported"] == read_table(path)[1]["content"]
    with pytest.raises(DamagedFile, match="in the way"):
        import_folder(tmp_path / "csv", path, formula="fractaldb")
    with pytest.raises(DamagedFile, match="of fractaldb, not of rcdb"):
        read_parameters(path, formula="rcdb")
    with pytest.raises(ConfigError, match="classes = 4, but 3 categories"):
        fdsl.load("fractaldb1k", parameters=path, classes=4)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        fdsl.load("fractaldb1k", parameters=tmp_path / "nowhere")


def test_a_formula_without_such_files_is_refused():
    with pytest.raises(ConfigError, match="formula = 'perlin' is unknown"):
        authors_csv.file_name("perlin", 0)
