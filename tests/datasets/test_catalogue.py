"""The catalogue of downstream datasets: complete, strict, and equal to torchvision's own names and
digests.
"""

import hashlib
import re

import pytest
from oracles.downstream_layouts import CATALOG, entries, entry

from fdsl.datasets.readers.folders import class_list
from fdsl.datasets.readers.registry import READERS
from fdsl.io.storage import DamagedFile
from fdsl.schema.base import ConfigError, validate
from fdsl.schema.catalogue import DownstreamDataset, RealPretraining

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
    "VOC12 mAP",
    "Places365",
    "IN-21k",
    "PASS",
    "COCO",
    "C10 (Parquet)",
    "Composed pictures",
}
CMC_MD5 = "9974508e5d4cc0098b70e8b6a0fe6067"
OWN = {"arrow"}  # for copies of one's own; nobody publishes a dataset of ours in it


def test_entries_are_valid_and_use_every_reader():
    catalog = {
        name: validate(DownstreamDataset, value, where=name) for name, value in entries().items()
    }
    assert {dataset.column for dataset in catalog.values()} == COLUMNS
    assert {dataset.loader for dataset in catalog.values()} == set(READERS) - OWN


@pytest.mark.parametrize(
    "name", sorted(entries().keys() - {"coco2017", "composed_pictures"})
)  # torchvision has no digest of them
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
        ("cifar10", {"parts": {"train": "x"}}, "parts are only read by the loaders image_folder"),
        ("cifar10", {"columns": {"image": "x"}}, "columns are only read by the loaders arrow"),
        ("cifar10", {"classes": 1}, "classes = 1 with the loader cifar10"),
        ("pass", {"classes": 2}, "unlabelled_folder has 1"),
        ("pass", {"parts": {"train": ".", "test": "x"}}, r"parts\.test cannot be evaluated"),
        ("pass", {"parts": {}}, r"parts\.train is missing"),
        ("cifar10_parquet", {"parts": {"test": "x"}}, r"parts\.train is missing"),
        ("cifar10_parquet", {"parts": {"train": "../x"}}, "must lie below the folder"),
        ("cifar10_parquet", {"parts": {"train": "/x"}}, "must lie below the folder"),
        ("cifar10_parquet", {"parts": {"train": "x", "validation": "y"}}, "parts"),
        ("imagenet21k", {"test_images": 5}, "there is no test part"),
        ("cifar10", {"files": {"test_batch": "abc"}}, r"files\.test_batch = 'abc'"),
        ("cifar10", {"folderr": "x"}, "did you mean 'folder'"),
        ("cifar10", {"archives": [{"name": "../x.tar"}]}, r"archives\.0\.name"),
        ("cifar10", {"archives": [{"name": ".."}]}, r"archives\.0\.name"),
        ("cifar10", {"archives": [{"name": "x", "into": "../y"}]}, "must lie below the folder"),
        ("cifar10", {"archives": [{"name": "x", "into": "/y"}]}, "must lie below the folder"),
        ("cifar10", {"folder": "../x"}, "must lie below the folder"),
        ("cifar10", {"folder": "a\n"}, "must lie below the folder"),
        ("cifar10", {"files": {"a/../../x": "0" * 32}}, "must lie below the folder"),
        ("places30", {"class_list": "../../etc/passwd"}, "must lie below the folder"),
        ("places30", {"class_list": "workflow/catalog/../x"}, "must lie below the folder"),
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


@pytest.mark.parametrize(
    ("name", "objective"),
    [
        ("cifar10", "cross_entropy"),
        ("cifar10_parquet", "cross_entropy"),
        ("voc12", "cross_entropy"),
        ("voc12_multilabel", "binary"),
        ("pass", None),
        ("imagenet21k", None),
        ("coco2017", None),
    ],
)
def test_what_a_dataset_can_be_fine_tuned_with(name, objective):
    assert entry(name).objective == objective


def test_the_shipped_list_of_imagenet100_is_the_public_one():
    given = entry("imagenet100")
    path = CATALOG.parent / "imagenet100_cmc.txt"
    assert given.files == {path.name: hashlib.md5(path.read_bytes()).hexdigest()}
    wnids = class_list(given, path.parent / "elsewhere")
    assert len(set(wnids)) == 100
    assert all(re.fullmatch(r"n\d{8}", wnid) for wnid in wnids)
    # of the list as CMC publishes it, in its order, without comments
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert hashlib.md5("".join(f"{line}\n" for line in lines).encode()).hexdigest() == CMC_MD5
    with pytest.raises(DamagedFile, match=r"imagenet100_cmc\.txt has md5"):
        class_list(given.model_copy(update={"files": {path.name: "0" * 32}}), path.parent)


def test_shuffled_labels_are_for_supervised_pretrainings_alone():
    values = {"title": "control", "dataset": "imagenet1k", "labels": "shuffled"}
    assert RealPretraining(**values, kind="supervised").labels == "shuffled"
    with pytest.raises(ValueError, match="labels = shuffled means nothing to kind dino"):
        RealPretraining(**values, kind="dino")
