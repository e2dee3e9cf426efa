"""Files that are not what they should be: one error that names the file, and nothing of theirs is
run.
"""

import gzip
import hashlib
import os
import pickle
import struct

import numpy as np
import pytest
from oracles import downstream_layouts as layouts
from PIL import Image

from fdsl.datasets.downstream import check, load
from fdsl.io.storage import DamagedFile


def with_digest(entry, name, data):
    """Return the entry as if the published file were `data`, to pass the digest check."""
    return entry.model_copy(update={"files": {**entry.files, name: hashlib.md5(data).hexdigest()}})


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (layouts.cifar10, "data_batch_3"),
        (layouts.cifar100, "train"),
        (layouts.flowers, "imagelabels.mat"),
        (layouts.flowers, "setid.mat"),
        (layouts.places, "categories_places365.txt"),
        (layouts.places, "places365_train_standard.txt"),
        (layouts.fashion_mnist, "train-images-idx3-ubyte"),
        (layouts.fashion_mnist, "train-labels-idx1-ubyte"),
    ],
)
def test_one_changed_byte_is_seen_before_parsing(write, name, tmp_path):
    entry, _ = write(tmp_path)
    path = tmp_path / entry.folder / name
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(
        DamagedFile, match=f"{name} has md5 [0-9a-f]{{32}}, expected {entry.files[name]}"
    ):
        load(entry, tmp_path, split="train")


class Attack:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_pickles_run_nothing_even_with_the_right_digest(tmp_path):
    entry, _ = layouts.cifar100(tmp_path)
    data = pickle.dumps({"data": Attack(tmp_path / "owned"), "fine_labels": [0]}, protocol=2)
    (tmp_path / entry.folder / "train").write_bytes(data)
    with pytest.raises(DamagedFile, match=r"train is not a CIFAR batch \(it names posix\.mkdir"):
        load(with_digest(entry, "train", data), tmp_path, split="train")
    assert not (tmp_path / "owned").exists()


def test_pickles_without_a_digest_are_not_opened(tmp_path):
    entry, _ = layouts.cifar100(tmp_path)
    with pytest.raises(DamagedFile, match="pickle without an md5 in the catalogue"):
        load(entry.model_copy(update={"files": {}}), tmp_path, split="train")


@pytest.mark.parametrize(
    "content",
    [
        [1, 2],
        {"data": 5, "fine_labels": [0]},
        {"fine_labels": [0]},
        {"data": np.zeros((2, 3072), np.uint8), "fine_labels": [0]},
        {"data": np.zeros((1, 3072), np.float32), "fine_labels": [0]},
        {"data": np.zeros((1, 3072), np.uint8), "fine_labels": [0.5]},
        {"data": np.zeros((1, 3072), np.uint8), "fine_labels": 0},
    ],
)
def test_batches_of_another_structure_are_refused(content, tmp_path):
    entry, _ = layouts.cifar100(tmp_path)
    data = pickle.dumps(content, protocol=2)
    (tmp_path / entry.folder / "train").write_bytes(data)
    with pytest.raises(DamagedFile, match=r"train (is not a CIFAR batch|holds no uint8)"):
        load(with_digest(entry, "train", data), tmp_path, split="train")


@pytest.mark.parametrize("data", [b"", b"MATLAB 5.0", bytes(range(256)) * 4])
def test_annotations_that_are_not_matlab_files(data, tmp_path):
    entry, _ = layouts.cars(tmp_path)
    (tmp_path / "stanford_cars/devkit/cars_train_annos.mat").write_bytes(data)
    with pytest.raises(DamagedFile, match=r"cars_train_annos\.mat is not a MATLAB 5 file"):
        load(entry, tmp_path, split="train")


def test_annotations_without_labels(tmp_path):
    from scipy.io import savemat

    entry, _ = layouts.cars(tmp_path)
    path = tmp_path / "stanford_cars/cars_test_annos_withlabels.mat"
    savemat(path, {"annotations": [1, 2]})
    with pytest.raises(DamagedFile, match="lacks fname or class"):
        load(entry, tmp_path, split="test")
    savemat(path, {"other": [1, 2]})
    with pytest.raises(DamagedFile, match="not a MATLAB 5 file with the variable 'annotations'"):
        load(entry, tmp_path, split="test")


def test_flower_numbers_out_of_range(tmp_path):
    from scipy.io import savemat

    entry, _ = layouts.flowers(tmp_path)
    path = tmp_path / "flowers-102/setid.mat"
    savemat(path, {"trnid": [1], "valid": [2], "tstid": [10]})
    with pytest.raises(DamagedFile, match=r"setid\.mat names images 10 to 10 of 9"):
        load(with_digest(entry, "setid.mat", path.read_bytes()), tmp_path, split="test")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<annotation>", ""),
        ("<name>boat</name>", "<name>ship</name>"),
        ("<xmin>5</xmin>", ""),
        ("<xmax>34</xmax>", "<xmax>2</xmax>"),
        ("<xmax>34</xmax>", "<xmax>inf</xmax>"),
        ("<xmax>34</xmax>", "<xmax>nan</xmax>"),
    ],
)
def test_annotations_that_are_not_vocs(old, new, tmp_path):
    entry, _ = layouts.voc(tmp_path)
    path = tmp_path / "VOCdevkit/VOC2012/Annotations/2008_000001.xml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DamagedFile, match=r"2008_000001\.xml is not a VOC annotation"):
        load(entry, tmp_path, split="train")
    path.unlink()
    with pytest.raises(DamagedFile, match=r"2008_000001\.xml is missing"):
        load(entry, tmp_path, split="train")


@pytest.mark.parametrize(
    "line", ["/a/airfield/00000001.jpg", "/a/airfield/1.jpg x", "/a/../../../etc/x.jpg 0"]
)
def test_lists_that_are_not_places(line, tmp_path):
    entry, _ = layouts.places(tmp_path)
    name = "places365_train_standard.txt"
    data = f"{line}\n".encode()
    (tmp_path / "places365" / name).write_bytes(data)
    with pytest.raises(DamagedFile, match=f"{name} (is not a list|names the file)"):
        load(with_digest(entry, name, data), tmp_path, split="train")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        struct.pack(">II", 0x803, 2),
        struct.pack(">IIII", 0x801, 2, 28, 28) + bytes(2 * 784),
        struct.pack(">IIII", 0x803, 3, 28, 28) + bytes(2 * 784),
        struct.pack(">IIII", 0x803, 2**32 - 1, 2**32 - 1, 2**32 - 1),
    ],
)
def test_files_that_are_not_idx(data, tmp_path):
    entry, _ = layouts.fashion_mnist(tmp_path)
    name = "train-images-idx3-ubyte"
    (tmp_path / entry.folder / name).write_bytes(data)
    with pytest.raises(DamagedFile, match=f"{name} is not an idx file"):
        load(with_digest(entry, name, data), tmp_path, split="train")


def test_fewer_labels_than_images(tmp_path):
    entry, _ = layouts.fashion_mnist(tmp_path)
    name = "train-labels-idx1-ubyte"
    data = struct.pack(">II", 0x801, 11) + bytes(11)
    (tmp_path / entry.folder / name).write_bytes(data)
    with pytest.raises(DamagedFile, match=rf"{name} gives 12 images but labels of shape \(11,\)"):
        load(with_digest(entry, name, data), tmp_path, split="train")


def test_broken_and_oversized_gzip(tmp_path, monkeypatch):
    entry, _ = layouts.fashion_mnist(tmp_path, zipped=True)
    path = tmp_path / entry.folder / "train-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    for data in (whole[: len(whole) // 2], b"no gzip", b"", whole[:20] + b"\xff" * 40):
        path.write_bytes(data)
        with pytest.raises(DamagedFile, match=r"ubyte\.gz (cannot be unzipped|has md5)"):
            load(entry, tmp_path, split="train")
    monkeypatch.setattr("fdsl.datasets.readers.integrity.LARGEST_UNZIPPED_BYTES", 10_000)
    path.write_bytes(gzip.compress(bytes(10_001)))
    with pytest.raises(DamagedFile, match="unzips to more than 10000 bytes"):
        load(entry, tmp_path, split="train")


PICTURES = {
    "cars": (layouts.cars, "stanford_cars/cars_train/00002.jpg"),
    "flowers": (layouts.flowers, "flowers-102/jpg/image_00003.jpg"),
    "voc12": (layouts.voc, "VOCdevkit/VOC2012/JPEGImages/2008_000001.jpg"),
    "voc12_multilabel": (layouts.voc_multilabel, "VOCdevkit/VOC2012/JPEGImages/2008_000001.jpg"),
    "places": (layouts.places, "places365/data_256_standard/c/canyon/00000002.jpg"),
    "image_folder": (layouts.image_folder, "imagenet/train/n01440764/n01440764_2.JPEG"),
    "unlabelled": (layouts.unlabelled, "PASS_dataset/1/deep/c.jpg"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_bombs_and_cut_photographs_are_named_in_every_layout_of_files(name, tmp_path, monkeypatch):
    write, victim = PICTURES[name]
    entry, _ = write(tmp_path)
    path = tmp_path / victim
    whole = path.read_bytes()
    check(entry, tmp_path, decode=True)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedFile, match=f"{path.name} cannot be read as an image"):
        check(entry, tmp_path, decode=True)
    path.write_bytes(b"<html>404</html>")
    with pytest.raises(DamagedFile, match=rf"{path.name} .* \(its content is none of JPEG"):
        check(entry, tmp_path, decode=True)
    Image.new("1", (3000, 1000)).save(path, "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10**6)
    with pytest.raises(DamagedFile, match=f"{path.name} is too large to be a picture"):
        check(entry, tmp_path, decode=True)
