"""What stands behind an image."""

import json

import numpy as np
import pytest

import fdsl
from fdsl.images.export import locate, manifest as manifest_file
from fdsl.images.export.render import FORMATS, render
from fdsl.io.storage import DamagedFile

SMALL = {"classes": 3, "instances": 30, "image_size_px": 32, "points": 300}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {format: tmp_path_factory.mktemp(format) for format in FORMATS}
    for format, folder in made.items():
        render(fdsl.load("fractaldb1k", seed=4, **SMALL), folder, format=format, images_per_file=40)
    return made


def test_a_file_leads_to_its_image(folders):
    dataset = fdsl.load("fractaldb1k", seed=4, **SMALL)
    for path in folders["png"].rglob("*.png"):
        folder, index = locate.index_of_file(path, member=None)
        found = locate.of_index(locate.dataset_of(folder), index)
        assert path.parent.name == f"{found['category']:05d}"
    path = folders["png"] / "00002" / "00002_03_count_0_flip1.png"
    folder, index = locate.index_of_file(path, member=None)
    found = locate.of_index(locate.dataset_of(folder), index)
    assert (found["category"], found["instance"], found["seed"]) == (2, 28, 4)
    frame = dataset.parameters
    assert found["parameters"]["a"] == frame[frame["category"] == 2]["a"].tolist()
    np.testing.assert_array_equal(locate.dataset_of(folder)[index][0], dataset[88][0])


@pytest.mark.parametrize("format", [f for f in FORMATS if f != "png"])
def test_a_member_of_an_archive_leads_to_its_image(folders, format):
    path = sorted(folders[format].glob("data/*"))[1]
    assert locate.index_of_file(path, member="7") == (folders[format], 47)
    assert locate.index_of_file(path, member="000002_000005.png") == (folders[format], 65)
    for wrong in ("40", "000000_000000", "x"):
        with pytest.raises(DamagedFile, match=f"no member {wrong}"):
            locate.index_of_file(path, member=wrong)
    with pytest.raises(DamagedFile, match="images 40 to 79: say which"):
        locate.index_of_file(path, member=None)


def test_official_images_keep_their_parameters(tmp_path):
    sizes = {"classes": 2, "instances": 2, "image_size_px": 64}
    render(fdsl.load("rcdb1k", official=True, **sizes), tmp_path)
    folder, index = locate.index_of_file(tmp_path / "image/00001/00001_0001.png", member=None)
    dataset = locate.dataset_of(folder)
    assert "radius" in locate.of_index(dataset, index)["parameters"]
    expected = fdsl.load("rcdb1k", official=True, **sizes)[3][0]
    np.testing.assert_array_equal(dataset[index][0], expected)


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_that_is_not_what_was_written_is_refused(tmp_path, format):
    render(fdsl.load("fractaldb1k", seed=4, **SMALL), tmp_path, format=format, images_per_file=40)
    pattern, member = ("*/*.png", None) if format == "png" else ("data/*", "7")
    files = sorted(tmp_path.glob(pattern))
    files[0].write_bytes(files[1].read_bytes())
    with pytest.raises(DamagedFile, match=f"{files[0].name} is damaged or another picture"):
        locate.index_of_file(files[0], member=member)
    assert locate.index_of_file(files[1], member=member)
    (tmp_path / "spec.json").write_text('{"format": 1}')
    with pytest.raises(DamagedFile, match=r"spec\.json is not of fdsl render"):
        locate.index_of_file(files[1], member=member)


ORIGIN = {
    "dataset": "x",
    "formula": "fractaldb",
    "classes": 2,
    "instances": 2,
    "seed": 0,
    "settings": {},
}
SPEC = {
    "format": 2,
    "origin": ORIGIN,
    "files": "png",
    "layout": "plain",
    "images_per_file": 1,
    "code": "",
}


@pytest.mark.parametrize(
    "spec",
    [
        [],
        "x",
        SPEC | {"images_per_file": 0},
        SPEC | {"layout": "../x"},
        SPEC | {"files": "zip"},
        SPEC | {"origin": []},
        SPEC | {"origin": ORIGIN | {"classes": "2"}},
        SPEC | {"origin": ORIGIN | {"instances": 0}},
        SPEC | {"origin": ORIGIN | {"seed": -1}},
        SPEC | {"origin": ORIGIN | {"settings": [1]}},
        SPEC | {"origin": ORIGIN | {"dataset": None}},
    ],
)
def test_what_a_folder_of_others_says_of_itself_is_checked(spec, tmp_path):
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    assert manifest_file.read_spec(tmp_path) == SPEC
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    with pytest.raises(DamagedFile, match=r"spec\.json is not of fdsl render"):
        manifest_file.read_spec(tmp_path)
    (tmp_path / "spec.json").write_text("[" * 100_000)
    with pytest.raises(DamagedFile, match=r"spec\.json is not valid JSON"):
        manifest_file.read_spec(tmp_path)


def test_foreign_files_are_refused_by_name(folders, tmp_path):
    stranger = tmp_path / "stranger.png"
    stranger.write_bytes(b"")
    with pytest.raises(DamagedFile, match=r"stranger\.png does not lie in a folder of fdsl"):
        locate.index_of_file(stranger, member=None)
    for name in ("00009/00009_00_count_0_flip0.png", "manifest.json"):
        with pytest.raises(DamagedFile, match="is not an image of fractaldb1k"):
            locate.index_of_file(folders["png"] / name, member=None)
    with pytest.raises(IndexError, match="0 to 89"):
        locate.of_index(locate.dataset_of(folders["png"]), 90)
