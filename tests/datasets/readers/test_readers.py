"""Every reader on its real layout, with real pictures where there are some, against torchvision's
readers.
"""

import gzip
import os
import pickle
import shutil

import numpy as np
import pytest
from oracles import downstream_layouts as layouts
from oracles.downstream_layouts import pixels

from fdsl.datasets.downstream import check, load, locate
from fdsl.datasets.readers import digits
from fdsl.datasets.readers.location import Found
from fdsl.io.storage import DamagedFile

FILE_SETS = {
    "cars": (layouts.cars, {"train": [0, 1, 0, 1, 0, 1], "test": [0, 1, 0, 1]}),
    "flowers": (layouts.flowers, {"train": [0, 0, 1, 1], "test": [1, 0, 1, 0, 1]}),
    "places30": (layouts.places, {"train": [0, 0, 1, 1], "test": [0, 1]}),
    "imagenet100": (layouts.image_folder, {"train": [0, 0, 0, 1, 1, 1], "test": [0, 1]}),
}
ALL = {
    "cifar10": layouts.cifar10,
    "cifar100": layouts.cifar100,
    "voc12": layouts.voc,
    "fashion_mnist": layouts.fashion_mnist,
    **{name: write for name, (write, _) in FILE_SETS.items()},
}


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_cifar_images_come_out_as_they_went_in(name, split, tmp_path):
    entry, images = ALL[name](tmp_path)
    source = load(entry, tmp_path, split=split)
    np.testing.assert_array_equal(source.images, images[split])
    np.testing.assert_array_equal(source.labels, np.arange(len(source)) % 2)
    assert source[3][0].shape == (32, 32, 3)
    assert source[3][0].dtype == np.uint8
    assert source[3][1] == 1


def test_cifar_batches_of_python_3_are_read_too(tmp_path):
    entry, images = layouts.cifar100(tmp_path)
    folder = tmp_path / "cifar-100-python"
    rows = images["train"].transpose(0, 3, 1, 2).reshape(-1, 3072)
    labels = (np.arange(12) % 2).tolist()
    (folder / "train").write_bytes(pickle.dumps({"data": rows, "fine_labels": labels}, protocol=2))
    entry = entry.model_copy(update={"files": layouts.md5_of(folder, "train", "test")})
    np.testing.assert_array_equal(load(entry, tmp_path, split="train").images, images["train"])


@pytest.mark.parametrize("name", FILE_SETS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_file_sets_give_pictures_and_labels(name, split, tmp_path):
    write, labels = FILE_SETS[name]
    entry, files = write(tmp_path)
    source = load(entry, tmp_path, split=split)
    assert source.labels.tolist() == labels[split]
    assert source.labels.dtype == np.int64
    assert len(source) == len(files[split])
    for index, file in enumerate(files[split]):
        image, label = source[index]
        np.testing.assert_array_equal(image, pixels(file))
        assert label == labels[split][index]


@pytest.mark.parametrize("split", ["train", "test"])
def test_voc_images_are_the_boxes_of_objects_that_are_not_difficult(split, tmp_path):
    entry, objects = layouts.voc(tmp_path)
    whole = pixels(layouts.real_pictures("imagenet")[split == "test"])
    source = load(entry, tmp_path, split=split)
    assert source.labels.tolist() == [label for label, *_ in objects[split]]
    for index, (_, left, top, right, bottom) in enumerate(objects[split]):
        np.testing.assert_array_equal(source[index][0], whole[top - 1 : bottom, left - 1 : right])


@pytest.mark.parametrize("zipped", [False, True])
def test_fashion_mnist_is_read_zipped_or_not(zipped, tmp_path):
    entry, images = layouts.fashion_mnist(tmp_path, zipped=zipped)
    for split in ("train", "test"):
        source = load(entry, tmp_path, split=split)
        np.testing.assert_array_equal(source.images, images[split])
        np.testing.assert_array_equal(source.labels, np.arange(len(source)) % 2)


def test_fashion_mnist_of_data_root_comes_before_the_systems_package(tmp_path):
    entry, _ = layouts.fashion_mnist(tmp_path / "package")
    packaged = entry.model_copy(update={"also_in": [str(tmp_path / "package" / entry.folder)]})
    assert locate(packaged, tmp_path / "root").where == tmp_path / "package" / entry.folder
    shutil.copytree(tmp_path / "package", tmp_path / "root")
    assert locate(packaged, tmp_path / "root").where == tmp_path / "root" / entry.folder


def test_fashion_mnist_of_debian_is_the_published_one(tmp_path):
    entry = layouts.entry("fashion_mnist", train_images=60000, test_images=10000)
    if not isinstance(locate(entry, tmp_path), Found):
        pytest.skip("needs the Debian package: apt-get install dataset-fashion-mnist")
    manifest = check(entry, tmp_path)
    assert (
        manifest["md5"] == entry.files
    )  # although the package's gzip files are not the published ones
    parts = manifest["parts"]
    assert parts["train"]["per_class"] == [6000] * 10
    assert parts["test"]["per_class"] == [1000] * 10
    test = load(entry, tmp_path, split="test")
    rows = {
        image.tobytes(): int(label) for image, label in zip(test.images, test.labels, strict=True)
    }
    for path in layouts.real_pictures("fashionMNIST"):
        with layouts.Image.open(path) as image:
            assert rows[np.array(image).tobytes()] == int(path.stem.split("_")[2])


def test_digits_split_is_fixed_stratified_and_whole(tmp_path):
    from sklearn.datasets import load_digits

    entry = layouts.entry("digits", train_images=1437, test_images=360)
    parts = [load(entry, tmp_path, split=split) for split in ("train", "test")]
    assert np.bincount(parts[1].labels).tolist() == [36] * 10
    rows = np.concatenate([part.images for part in parts])
    assert (rows.max(), rows.shape) == (255, (1797, 8, 8))
    theirs = np.rint(load_digits().images * 255 / 16).astype(np.uint8)
    np.testing.assert_array_equal(
        np.sort(rows.reshape(-1, 64), axis=0), np.sort(theirs.reshape(-1, 64), axis=0)
    )
    assert parts[1].digest() == "24ffe251190709b6c86159417c2c53c76e75f0af328bdafd31bd4629a4db20a9"


@pytest.mark.parametrize("content", [None, b"no gzip", gzip.compress(b"1,2,3\n", mtime=0)])
def test_a_damaged_file_of_digits_is_named(tmp_path, content):
    path = tmp_path / "datasets" / "data" / "digits.csv.gz"
    path.parent.mkdir(parents=True)
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DamagedFile, match=r"digits\.csv\.gz cannot be read .*scikit-learn again"):
        digits.read(layouts.entry("digits"), Found(tmp_path), "train")


@pytest.mark.parametrize("name", ALL)
def test_sources_pickle_hold_no_file_and_decode_late(name, tmp_path):
    entry, _ = ALL[name](tmp_path)
    source = load(entry, tmp_path, split="train")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  (the count of open files)
    image, label = source[0]
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    again, same = pickle.loads(pickle.dumps(source))[0]
    np.testing.assert_array_equal(image, again)
    assert label == same
    image[:] = 0
    np.testing.assert_array_equal(source[0][0], again)
    with pytest.raises(IndexError):
        source[len(source)]


@pytest.mark.parametrize("name", FILE_SETS)
def test_labels_need_no_picture(name, tmp_path):
    entry, _ = ALL[name](tmp_path)
    before = load(entry, tmp_path, split="train").labels
    for path in tmp_path.rglob("*.[jJ]*"):
        path.unlink()
        path.write_bytes(b"not a picture")
    np.testing.assert_array_equal(load(entry, tmp_path, split="train").labels, before)


def test_order_of_the_class_list_does_not_matter(tmp_path):
    for write, name in (
        (layouts.places, "places365/places30.txt"),
        (layouts.image_folder, "imagenet/imagenet100.txt"),
    ):
        entry, _ = write(tmp_path)
        before = load(entry, tmp_path, split="train")
        lines = (tmp_path / name).read_text().splitlines()
        (tmp_path / name).write_text("\n".join(reversed(lines)))
        assert load(entry, tmp_path, split="train").digest() == before.digest()


def test_folders_without_a_class_list_use_all_classes(tmp_path):
    entry, _ = layouts.image_folder(tmp_path)
    entry = entry.model_copy(update={"class_list": None, "classes": 3})
    assert load(entry, tmp_path, split="train").labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert load(entry, tmp_path, split="test").labels.tolist() == [0, 1, 2]


def torchvision_reader(name, root, split, monkeypatch):
    """Return torchvision's dataset on the same small copy; where it compares digests, with those of
    the copy.
    """
    from scipy.io import savemat
    from torchvision import datasets

    test = split == "test"
    entry, _ = ALL[name](root)
    if name in ("cifar10", "cifar100"):
        cls = datasets.CIFAR10 if name == "cifar10" else datasets.CIFAR100
        folder = root / cls.base_folder
        meta = cls.meta["filename"]
        (folder / meta).write_bytes(layouts.python2_pickle({cls.meta["key"]: ["a", "b"]}))
        monkeypatch.setattr(cls, "meta", {**cls.meta, "md5": layouts.md5_of(folder, meta)[meta]})
        for part in ("train_list", "test_list"):
            names = [file for file, _ in getattr(cls, part)]
            monkeypatch.setattr(cls, part, list(map(list, layouts.md5_of(folder, *names).items())))
        return entry, cls(root, train=not test)
    if name == "flowers":
        files = {
            key: (file, entry.files.get(file))
            for key, (file, _) in datasets.Flowers102._file_dict.items()
        }
        monkeypatch.setattr(datasets.Flowers102, "_file_dict", files)
        return entry, datasets.Flowers102(root, split=split if test else "val")
    if name == "imagenet100":
        return entry, datasets.ImageFolder(
            root / "imagenet" / ("val" if test else "train"), is_valid_file=visible
        )
    if name == "fashion_mnist":
        return entry, datasets.FashionMNIST(root, train=not test)
    savemat(
        root / "stanford_cars/devkit/cars_meta.mat",
        {"class_names": np.array(["a", "b"], dtype=object)},
    )
    return entry, datasets.StanfordCars(root, split=split)


def visible(path):
    return path.endswith(".JPEG") and "/._" not in path


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "cars", "imagenet100", "fashion_mnist"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_torchvision_reads_the_same(name, split, tmp_path, monkeypatch):
    entry, theirs = torchvision_reader(name, tmp_path, split, monkeypatch)
    if name == "imagenet100":
        entry = entry.model_copy(update={"class_list": None, "classes": 3})
    ours = load(entry, tmp_path, split=split)
    assert len(ours) == len(theirs)
    for (image, label), (their_image, their_label) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(image, np.array(their_image))
        assert label == their_label


def test_torchvision_reads_the_same_test_part_of_flowers(tmp_path, monkeypatch):
    entry, theirs = torchvision_reader("flowers", tmp_path, "test", monkeypatch)
    ours = load(entry, tmp_path, split="test")
    by_file = {
        file.name: label for file, label in zip(theirs._image_files, theirs._labels, strict=True)
    }
    assert {ours.path(i).name: int(label) for i, label in enumerate(ours.labels)} == by_file
