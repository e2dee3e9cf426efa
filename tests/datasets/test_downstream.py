"""Finding, requiring, checking: one error tells everything, before anything is read."""

import json
import subprocess
import sys

import numpy as np
import pytest
from oracles import downstream_layouts as layouts

from fdsl.datasets.downstream import MissingData, check, load, locate, require
from fdsl.datasets.readers.location import Missing
from fdsl.datasets.readers.pictures import read_picture
from fdsl.datasets.readers.sources import Subset
from fdsl.io.storage import DamagedFile
from fdsl.schema.base import ConfigError

WRITERS = {
    "cifar10": layouts.cifar10,
    "cifar100": layouts.cifar100,
    "cars": layouts.cars,
    "flowers": layouts.flowers,
    "voc12": layouts.voc,
    "places30": layouts.places,
    "imagenet100": layouts.image_folder,
    "fashion_mnist": layouts.fashion_mnist,
}


def no_decoding(*_, **__):
    raise AssertionError("a picture was decoded")


def test_require_names_every_missing_dataset_once_with_all_that_is_needed(tmp_path):
    # nobody lacks digits, and composed pictures are made
    names = [name for name in layouts.entries() if name not in {"digits", "composed_pictures"}]
    entries = {name: layouts.entry(name, also_in=[]) for name in names}
    with pytest.raises(MissingData) as caught:
        require({**entries, "digits": layouts.entry("digits")}, tmp_path)
    text = str(caught.value)
    assert "digits" not in text
    for name, entry in entries.items():
        assert text.count(f"{name} ({entry.title}) is missing.") == 1
        assert str(tmp_path / entry.folder) in text
        assert entry.how_to_get in text
        assert (f"fdsl data fetch {name}\n" in text) == entry.fetchable
        for archive in entry.archives:
            assert archive.name in text
            assert (archive.md5 or "not published") in text
    assert "kaggle" in text.lower()


@pytest.mark.parametrize("name", WRITERS)
def test_require_and_locate_decode_nothing(name, tmp_path, monkeypatch):
    monkeypatch.setattr("fdsl.datasets.readers.sources.read_picture", no_decoding)
    entry, _ = WRITERS[name](tmp_path)
    require({name: entry}, tmp_path)
    assert locate(entry, tmp_path).where == tmp_path / entry.folder


@pytest.mark.parametrize("name", WRITERS)
def test_each_needed_file_is_missed(name, tmp_path):
    entry, _ = WRITERS[name](tmp_path)
    for file in locate(entry, tmp_path).files:
        path = tmp_path / entry.folder / file
        path.rename(path.with_suffix(".away"))
        gap = locate(entry, tmp_path)
        assert isinstance(gap, Missing)
        assert file in gap.reason
        with pytest.raises(MissingData, match=path.name):
            load(entry, tmp_path, split="train")
        path.with_suffix(".away").rename(path)
    require({name: entry}, tmp_path)


def test_cars_nested_as_on_kaggle_says_what_to_move(tmp_path):
    entry, _ = layouts.cars(tmp_path)
    (tmp_path / "stanford_cars/cars_train").rename(tmp_path / "away")
    (tmp_path / "stanford_cars/cars_train").mkdir()
    (tmp_path / "away").rename(tmp_path / "stanford_cars/cars_train/cars_train")
    with pytest.raises(MissingData, match="move its pictures one folder up"):
        require({"cars": entry}, tmp_path)


@pytest.mark.parametrize("name", WRITERS)
def test_check_describes_the_copy_wherever_it_lies(name, tmp_path):
    manifests = []
    for folder in ("here", "there"):
        entry, _ = WRITERS[name](tmp_path / folder)
        manifest = check(entry, tmp_path / folder, decode=True)
        assert json.loads(json.dumps(manifest, allow_nan=False)) == manifest
        assert manifest.pop("folder") == str(tmp_path / folder / entry.folder)
        manifests.append(manifest)
    for part in manifests[0]["parts"].values():
        assert sum(part["per_class"]) == part["images"]
    if name not in ("cars", "flowers"):  # MATLAB files hold the time of writing
        assert manifests[0] == manifests[1]
    assert manifests[0]["parts"] == manifests[1]["parts"]


def test_check_sees_lost_and_broken_pictures(tmp_path):
    entry, _ = layouts.places(tmp_path)
    victim = tmp_path / "places365/data_256_standard/c/canyon/00000002.jpg"
    victim.write_bytes(victim.read_bytes()[:3000])
    check(entry, tmp_path)
    with pytest.raises(DamagedFile, match=r"00000002\.jpg cannot be read"):
        check(entry, tmp_path, decode=True)
    victim.unlink()
    with pytest.raises(
        DamagedFile, match=r"1 listed files do not exist, the first is .*00000002\.jpg"
    ):
        check(entry, tmp_path)


@pytest.mark.parametrize("name", WRITERS)
def test_counts_and_classes_are_enforced(name, tmp_path):
    entry, _ = WRITERS[name](tmp_path)
    images = len(load(entry, tmp_path, split="test"))
    with pytest.raises(DamagedFile, match=f"{images} test images, expected {images + 1}"):
        load(entry.model_copy(update={"test_images": images + 1}), tmp_path, split="test")
    if name in ("cifar10", "cifar100", "cars", "flowers", "voc12", "fashion_mnist"):
        with pytest.raises(DamagedFile, match="no train image of class"):
            load(entry.model_copy(update={"classes": entry.classes + 1}), tmp_path, split="train")
        with pytest.raises(DamagedFile, match="expected 0 to 0"):
            load(entry.model_copy(update={"classes": 1}), tmp_path, split="train")


def test_unknown_split_is_refused(tmp_path):
    with pytest.raises(ValueError, match="split = 'val' is unknown"):
        load(layouts.entry("digits"), tmp_path, split="val")


@pytest.mark.parametrize("names", [["a"] * 2, ["n02869837", "n01440764", "n01443537"], []])
def test_unusable_class_lists_are_refused(names, tmp_path):
    entry, _ = layouts.image_folder(tmp_path)
    (tmp_path / "imagenet/imagenet100.txt").write_text("\n".join(names))
    with pytest.raises(ConfigError, match=r"imagenet100\.txt: .*needs 2 different names"):
        load(entry, tmp_path, split="train")


def test_unknown_classes_are_refused(tmp_path):
    entry, _ = layouts.image_folder(tmp_path)
    (tmp_path / "imagenet/imagenet100.txt").write_text("n01440764\nn09999999\n")
    with pytest.raises(DamagedFile, match="n09999999 does not exist"):
        load(entry, tmp_path, split="train")
    entry, _ = layouts.places(tmp_path)
    (tmp_path / "places365/places30.txt").write_text("/a/airfield\n/z/zoo\n")
    with pytest.raises(ConfigError, match=r"places30\.txt: '/z/zoo' is not a category"):
        load(entry, tmp_path, split="train")


def test_folders_that_differ_or_are_empty_are_refused(tmp_path):
    entry, _ = layouts.image_folder(tmp_path)
    free = entry.model_copy(update={"class_list": None, "classes": 3})
    (tmp_path / "imagenet/val/extra").mkdir()
    with pytest.raises(DamagedFile, match="only one of train and val has the class folder 'extra'"):
        load(free, tmp_path, split="train")
    (tmp_path / "imagenet/train/extra").mkdir()
    with pytest.raises(DamagedFile, match="has 4 class folders, ImageNet-100 has 3"):
        load(free, tmp_path, split="train")
    with pytest.raises(DamagedFile, match="extra has no image directly in it"):
        load(free.model_copy(update={"classes": 4}), tmp_path, split="train")


def test_subset_gives_the_chosen_images(tmp_path):
    entry, _ = layouts.image_folder(tmp_path)
    whole = load(entry, tmp_path, split="train")
    part = Subset(whole, np.array([5, 0]))
    assert (len(part), part.classes, part.labels.tolist()) == (2, 2, [1, 0])
    np.testing.assert_array_equal(part[0][0], read_picture(whole.path(5)))
    assert part[1][1] == 0


def test_finding_needs_no_heavy_package():
    heavy = (
        "{'torch', 'torchvision', 'sklearn', 'scipy', 'pandas', 'numba', 'pyarrow', 'pycocotools'}"
    )
    code = (
        f"import sys, fdsl.datasets.downstream, fdsl.datasets.fetch; print({heavy} &"
        " set(sys.modules))"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout
        == "set()\n"
    )
