"""Whole datasets to files."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from oracles.rendered import dataset, tree
from PIL import Image

import fdsl
from fdsl.images.export import manifest as manifest_file, writers
from fdsl.images.export.render import FORMATS, render
from fdsl.images.export.render_pool import digest
from fdsl.io import locks
from fdsl.io.storage import DamagedFile
from fdsl.schema.base import ConfigError


def stored(folder: Path, format: str):
    """Yield (image, label) of a folder in the order of its files."""
    files = sorted(folder.glob("data/train-*"))
    if format == "webdataset":
        for file in files:
            with tarfile.open(file) as tar:
                members = {member.name: tar.extractfile(member).read() for member in tar}
            for name in [name for name in members if name.endswith(".png")]:
                label = int(members[name.replace(".png", ".cls")])
                yield np.asarray(Image.open(io.BytesIO(members[name]))), label
        return
    for file in files:
        table = pq.read_table(file) if format == "parquet" else pa.ipc.open_stream(file).read_all()
        for row in table.to_pylist():
            yield np.asarray(Image.open(io.BytesIO(row["image"]["bytes"]))), row["label"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "png"
    return folder, render(dataset(), folder, images_per_file=20)


def test_a_folder_holds_every_image_once(whole):
    folder, manifest = whole
    images = dataset()
    pictures = sorted(folder.rglob("*.png"))
    assert len(pictures) == manifest["images"] == len(images) == 90
    for instance, name in ((0, "00001_00_count_0_flip0"), (29, "00001_04_count_0_flip1")):
        found = np.asarray(Image.open(folder / "00001" / f"{name}.png"))
        np.testing.assert_array_equal(found, images.image(category=1, instance=instance))
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("format", [f for f in FORMATS if f != "png"])
def test_archives_hold_every_image_in_order(tmp_path, whole, format):
    manifest = render(dataset(), tmp_path, format=format, images_per_file=40)
    assert manifest["content"] == whole[1]["content"]
    assert len(list(tmp_path.glob("data/*"))) == 3
    images = dataset()
    found = list(stored(tmp_path, format))
    assert len(found) == 90
    for (image, label), (expected, category) in zip(found, images, strict=True):
        np.testing.assert_array_equal(image, expected)
        assert label == category


def test_the_manifest_says_what_decides_and_what_came_out(whole):
    folder, manifest = whole
    images = dataset()
    assert json.loads((folder / "manifest.json").read_text(encoding="utf-8")) == manifest
    assert manifest["origin"] == images.origin
    assert manifest["origin"]["settings"]["image_size_px"] == 32
    assert len(manifest["code"]) == 12
    assert manifest["environment"]["numpy"] == np.__version__
    rows, _ = manifest_file.read_provenance(folder, 2)
    assert [row.index for row in rows] == list(range(40, 60))
    assert rows[3].pixels == digest(images[43][0])
    assert (rows[3].category, rows[3].instance) == (1, 13)


@pytest.mark.parametrize("workers", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 7))])
def test_files_do_not_depend_on_workers(tmp_path, whole, workers):
    manifest = render(dataset(), tmp_path / "x", images_per_file=20, workers=workers)
    assert manifest["content"] == whole[1]["content"]
    assert tree(tmp_path / "x") == tree(whole[0])


@pytest.mark.parametrize("size", [1, 7, 90, 1000])
def test_pixels_do_not_depend_on_the_size_of_files(tmp_path, whole, size):
    manifest = render(dataset(), tmp_path, format="arrow", images_per_file=size)
    assert manifest["content"] == whole[1]["content"]


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_missing_is_drawn_again_and_nothing_else(tmp_path, format):
    render(dataset(), tmp_path, format=format, images_per_file=20)
    before = tree(tmp_path)
    manifest = (tmp_path / "manifest.json").read_bytes()
    for part in (3, 1):
        _, about = manifest_file.read_provenance(tmp_path, part)
        (tmp_path / manifest_file.provenance_name(part)).unlink()
        if about["archive"]:
            (tmp_path / about["archive"]).unlink()
    times = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    drawn = []

    def watch(items, *, unit, **_):
        for item in items:
            if unit == "images":
                drawn.append(item.index)
            yield item

    render(dataset(), tmp_path, format=format, images_per_file=20, progress=watch)
    assert drawn == [*range(20, 40), *range(60, 80)]
    assert tree(tmp_path) == before
    assert (tmp_path / "manifest.json").read_bytes() == manifest
    kept = [p for p in times if p.name != "manifest.json"]
    assert all(p.stat().st_mtime_ns == times[p] for p in kept)


def test_another_order_in_the_same_folder_is_refused_with_both_values(tmp_path):
    render(dataset(), tmp_path, images_per_file=20)
    before = tree(tmp_path)
    for change, message in [
        ({"images_per_file": 30}, "images_per_file = 20, not 30"),
        ({"format": "arrow", "images_per_file": 20}, "files = 'png', not 'arrow'"),
    ]:
        with pytest.raises(DamagedFile, match=message):
            render(dataset(), tmp_path, **change)
    with pytest.raises(DamagedFile, match=r"begun with origin\.seed = 0, not 1\. "):
        render(dataset(seed=1), tmp_path, images_per_file=20)
    assert tree(tmp_path) == before


def test_a_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(DamagedFile, match=r"not made by fdsl render: it holds holiday\.jpg"):
        render(dataset(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["holiday.jpg"]
    (tmp_path / ".notes.tmp").write_bytes(b"y")
    (tmp_path / ".partial").mkdir()
    with pytest.raises(DamagedFile, match="not made by fdsl render"):
        render(dataset(), tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"holiday.jpg", ".notes.tmp", ".partial"}
    with pytest.raises(DamagedFile, match=r"holiday\.jpg is a file, not a folder"):
        render(dataset(), tmp_path / "holiday.jpg")


def test_a_run_killed_while_it_claimed_the_folder_is_gone_on_with(tmp_path):
    (tmp_path / ".spec.json.abc.tmp").write_bytes(b"{")
    assert render(dataset(), tmp_path)["images"] == 90
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("format", FORMATS)
def test_a_different_file_in_the_way_is_named_and_left_alone(tmp_path, format):
    render(dataset(), tmp_path, format=format, images_per_file=20)
    rows, _ = manifest_file.read_provenance(tmp_path, 1)
    (tmp_path / manifest_file.provenance_name(1)).unlink()
    path = tmp_path / rows[4].file
    path.write_bytes(b"mine")
    with pytest.raises(DamagedFile, match=rf"{path.name} is in the way: .*fractaldb1k, seed 0"):
        render(dataset(), tmp_path, format=format, images_per_file=20)
    assert path.read_bytes() == b"mine"
    assert not (tmp_path / "manifest.json").exists()
    path.unlink()
    assert render(dataset(), tmp_path, format=format, images_per_file=20)["images"] == 90


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_file_of_a_complete_part_is_refused_by_name(tmp_path, format, damage):
    render(dataset(), tmp_path, format=format, images_per_file=20)
    path = tmp_path / manifest_file.read_provenance(tmp_path, 2)[0][5].file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(content if damage == "flip" else content[: len(content) // 2])
    with pytest.raises(DamagedFile, match=path.name):
        render(dataset(), tmp_path, format=format, images_per_file=20)


@pytest.mark.parametrize("name", ["provenance-00001.parquet", "parameters.parquet", "spec.json"])
@pytest.mark.parametrize("damage", ["cut", "foreign"])
def test_damaged_bookkeeping_is_refused_by_name(tmp_path, name, damage):
    render(dataset(), tmp_path, images_per_file=20)
    path = tmp_path / name
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage == "cut" else b'{"format": 1}')
    with pytest.raises(DamagedFile, match=name):
        render(dataset(), tmp_path, images_per_file=20)


def test_provenance_of_another_part_is_refused(tmp_path):
    render(dataset(), tmp_path, images_per_file=20)
    source = tmp_path / manifest_file.provenance_name(0)
    (tmp_path / manifest_file.provenance_name(1)).write_bytes(source.read_bytes())
    with pytest.raises(DamagedFile, match="provenance-00001"):
        render(dataset(), tmp_path, images_per_file=20)


def test_two_at_once_are_one_too_many(tmp_path):
    with locks.try_lock(tmp_path) as alone:
        assert alone
        with pytest.raises(DamagedFile, match="another process"):
            render(dataset(), tmp_path)
    assert render(dataset(), tmp_path)["images"] == 90


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "jpeg"}, "format = 'jpeg' is unknown"),
        ({"layout": "fractal"}, "did you mean 'fractaldb'"),
        ({"layout": "visualatom"}, "needs categories with a number of vertices"),
        ({"images_per_file": 0}, "images_per_file = 0"),
        ({"workers": -1}, "workers = -1"),
    ],
)
def test_arguments_that_cannot_be_are_refused(tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        render(dataset(), tmp_path, **change)


def test_an_interrupted_search_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("fdsl.images.export.render.CATEGORIES_BETWEEN_WRITES", 2)
    searched = []

    def interrupt(items, *, unit, **_):
        for item in items:
            if unit == "categories":
                searched.append(item)
            yield item
            if searched == [0, 1, 2]:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(dataset(classes=5), tmp_path / "a", progress=interrupt)
    assert not (tmp_path / "a" / "parameters.parquet").exists()
    manifest = render(dataset(classes=5), tmp_path / "a", progress=interrupt)
    assert searched == [0, 1, 2, 2, 3, 4]
    assert manifest["content"] == render(dataset(classes=5), tmp_path / "b")["content"]
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_rcdb_comes_with_its_parameter_files(tmp_path):
    images = fdsl.load("rcdb1k", classes=2, instances=3, image_size_px=32)
    render(images, tmp_path)
    assert (tmp_path / "image/00001/00001_0002.png").is_file()
    text = (tmp_path / "param/00001.csv").read_text(encoding="utf-8")
    assert text.startswith(f"Vertex,{images.parameters['vertices'][1]}\n")


@pytest.mark.parametrize(
    "name",
    ["rcdb1k", *(pytest.param(n, marks=pytest.mark.slow) for n in ("visualatom1k", "fractaldb1k"))],
)
def test_official_images_are_the_same_from_two_workers(tmp_path, name):
    def load():
        return fdsl.load(name, official=True, threads=2, classes=4, instances=9, image_size_px=64)

    inorder = [image for image, _ in load()]
    render(load(), tmp_path, format="arrow", images_per_file=10, workers=2)
    for expected, (image, _) in zip(inorder, stored(tmp_path, "arrow"), strict=True):
        np.testing.assert_array_equal(image, expected)


def test_colour_and_blank_images_are_stored(tmp_path):
    class Two:
        """Stands in for a formula that draws colour, and one blank image."""

        def __init__(self):
            self.base = dataset(classes=2, instances=1).images
            self.settings = self.base.settings

        def draw(self, index):
            image = np.full((4, 5, 3), 9, np.uint8)
            image[0, 0, 1] += index
            return image, index, 0

    images = dataset(classes=2, instances=1)
    images.images.draw = Two().draw
    images.images.draw_checked = lambda index: (*Two().draw(index), False)
    manifest = render(images, tmp_path, format="parquet")
    assert manifest["blank_images"] == 1
    found = [image for image, _ in stored(tmp_path, "parquet")]
    assert found[1].shape == (4, 5, 3)
    assert found[1][0, 0].tolist() == [9, 10, 9]


@pytest.mark.parametrize("official", [False, True])
def test_diverged_images_are_counted_and_named(tmp_path, official):
    sizes = {"classes": 2, "instances": 25, "image_size_px": 32, "weight": 0.5, "draw": "point"}
    images = fdsl.load("fractaldb1k", official=official, points=20_000, **sizes)
    manifest = render(images, tmp_path, images_per_file=25)
    rows = [row for part in (0, 1) for row in manifest_file.read_provenance(tmp_path, part)[0]]
    assert 0 < manifest["diverged_images"] == sum(row.diverged for row in rows) < 25
    for row in rows:
        if row.diverged and not official:
            kept = fdsl.load("fractaldb1k", points=20_000, diverged="keep", **sizes)
            image = kept.image(category=row.category, instance=row.instance)
            assert (image != images[row.index][0]).any()


def test_the_names_of_archives_tell_how_many_there_are():
    assert writers.archive_name("webdataset", 3, 12) == "data/train-00003-of-00012.tar"
