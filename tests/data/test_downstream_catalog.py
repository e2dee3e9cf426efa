"""The catalogue of downstream datasets: complete, strict, and equal to torchvision's own names and digests."""

import pytest
from oracles.downstream_layouts import entries, entry

from fdsl.catalog import DownstreamDataset
from fdsl.data.real.readers import READERS
from fdsl.strict import ConfigError, validate

COLUMNS = {
    "C10",
    "C100",
    "Cars",
    "Flowers",
    "VOC12",
    "P30",
    "IN100",
    "IN-1k",
    "Fashion-MNIST",
    "Digits",
}


def test_entries_are_valid_and_use_every_reader():
    catalog = {
        name: validate(DownstreamDataset, value, where=name) for name, value in entries().items()
    }
    assert {dataset.column for dataset in catalog.values()} == COLUMNS
    assert {dataset.loader for dataset in catalog.values()} == set(READERS)


@pytest.mark.parametrize("name", entries())
def test_archives_that_torchvision_names_have_its_digests(name):
    from torchvision.datasets import CIFAR10, CIFAR100, FashionMNIST, Flowers102, Places365
    from torchvision.datasets.imagenet import ARCHIVE_META
    from torchvision.datasets.voc import DATASET_YEAR_DICT

    theirs = dict(
        [*Flowers102._file_dict.values(), *FashionMNIST.resources, *ARCHIVE_META.values()]
    )
    theirs |= dict([*Places365._DEVKIT_META.values(), *Places365._IMAGES_META.values()])
    theirs |= {c.filename: c.tgz_md5 for c in (CIFAR10, CIFAR100)}
    theirs[DATASET_YEAR_DICT["2012"]["filename"]] = DATASET_YEAR_DICT["2012"]["md5"]
    ours = {archive.name: archive.md5 for archive in entry(name).archives if archive.md5}
    assert ours == {archive: theirs[archive] for archive in ours}


def test_digests_of_unpacked_files_are_torchvisions():
    from torchvision.datasets import CIFAR10, CIFAR100, Places365

    for name, cls in (("cifar10", CIFAR10), ("cifar100", CIFAR100)):
        assert entry(name).files == dict(map(tuple, cls.train_list + cls.test_list))
    lists = [
        Places365._CATEGORIES_META,
        Places365._FILE_LIST_META["train-standard"],
        Places365._FILE_LIST_META["val"],
    ]
    assert entry("places30").files == dict(lists)


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("cars", {"fetchable": True}, "needs archives, each with url, md5 and megabytes"),
        ("digits", {"fetchable": True}, "needs archives"),
        ("cifar10", {"class_list": "x.txt"}, "only read by the loaders places and image_folder"),
        ("places30", {"class_list": None}, "needs the categories"),
        ("cifar10", {"files": {"test_batch": "abc"}}, r"files\.test_batch = 'abc'"),
        ("cifar10", {"folderr": "x"}, "did you mean 'folder'"),
        ("cifar10", {"archives": [{"name": "../x.tar"}]}, r"archives\.0\.name"),
        (
            "cifar10",
            {"archives": [{"name": "x.tar", "url": "file:///etc/passwd"}]},
            r"archives\.0\.url",
        ),
    ],
)
def test_wrong_entries_are_refused(name, overrides, message):
    with pytest.raises(ConfigError, match=message):
        entry(name, **overrides)
