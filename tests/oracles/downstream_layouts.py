"""Writers of the published layouts, from their descriptions and without the package's readers.

Each takes a folder and pictures with labels, writes both parts, and returns what a reader must give
back. Catalogue entries for such small copies come from `entry`, which overrides digests and counts
but no behaviour.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import itertools
import json
import pickle
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from fdsl.schema.base import validate
from fdsl.schema.catalogue import DownstreamDataset

CATALOG = Path(__file__).parents[2] / "workflow" / "catalog" / "downstream.yaml"
PARTS = ("train", "test")


def entries() -> dict[str, Any]:
    """Return the catalogue as plain data."""
    return yaml.safe_load(CATALOG.read_text(encoding="utf-8"))


def entry(name: str, **overrides: Any) -> DownstreamDataset:
    """Return a catalogue entry with some fields replaced; counts are free unless given."""
    free = {"train_images": None, "test_images": None}
    return validate(DownstreamDataset, {**entries()[name], **free, **overrides}, where=name)


def md5_of(folder: Path, *names: str) -> dict[str, str]:
    return {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in names}


def real_pictures(kind: str) -> list[Path]:
    """Return the 20 real pictures of a dataset that the package foolbox ships, without importing
    it.
    """
    package = importlib.util.find_spec("foolbox")
    if package is None or package.origin is None:
        pytest.skip("needs the pictures of foolbox: pip install --no-deps foolbox")
    return sorted((Path(package.origin).parent / "data").glob(f"{kind}_*"))


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


class Python2Pickler(pickle._Pickler):
    """Writes as Python 2 did: text and bytes alike as 8-bit strings, which CIFAR's batches hold."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_eight_bit(self, value: str | bytes) -> None:
        data = value.encode("latin1") if isinstance(value, str) else value
        small = len(data) < 256
        self.write(
            (b"U" + bytes([len(data)]) if small else b"T" + struct.pack("<i", len(data))) + data
        )
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_eight_bit


def python2_pickle(value: Any) -> bytes:
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(value)
    return file.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def write_cifar(
    folder: Path, batches: dict[str, list[int]], *, kind: str, key: str
) -> dict[str, np.ndarray]:
    """Write python batches: rows of 3,072 bytes, all red, then green, then blue. Labels are picture
    number % 2.
    """
    folder.mkdir(parents=True)
    images = [pixels(path) for path in real_pictures(kind)]
    for name, numbers in batches.items():
        rows = np.stack([images[number].transpose(2, 0, 1).reshape(-1) for number in numbers])
        batch = {"data": rows, key: [number % 2 for number in numbers], "batch_label": name}
        (folder / name).write_bytes(python2_pickle(batch))
    return {
        name: np.stack([images[number] for number in numbers]) for name, numbers in batches.items()
    }


def cifar10(root: Path) -> tuple[DownstreamDataset, dict[str, np.ndarray]]:
    folder = root / "cifar-10-batches-py"
    batches = {f"data_batch_{n}": [2 * n - 2, 2 * n - 1] for n in range(1, 6)} | {
        "test_batch": list(range(10, 20))
    }
    images = write_cifar(folder, batches, kind="cifar10", key="labels")
    given = entry(
        "cifar10", classes=2, files=md5_of(folder, *batches), train_images=10, test_images=10
    )
    train = np.concatenate([images[f"data_batch_{n}"] for n in range(1, 6)])
    return given, {"train": train, "test": images["test_batch"]}


def cifar100(root: Path) -> tuple[DownstreamDataset, dict[str, np.ndarray]]:
    folder = root / "cifar-100-python"
    batches = {"train": list(range(12)), "test": list(range(12, 20))}
    images = write_cifar(folder, batches, kind="cifar100", key="fine_labels")
    return entry("cifar100", classes=2, files=md5_of(folder, *batches)), images


def cars(root: Path) -> tuple[DownstreamDataset, dict[str, list[Path]]]:
    """Write the devkit's annotations: structs whose class counts from 1."""
    from scipy.io import savemat

    folder, real = root / "stanford_cars", real_pictures("imagenet")
    (folder / "devkit").mkdir(parents=True)
    lists = {"train": "devkit/cars_train_annos.mat", "test": "cars_test_annos_withlabels.mat"}
    parts = {"train": real[:6], "test": real[6:10]}
    for part, pictures in parts.items():
        (folder / f"cars_{part}").mkdir()
        rows = np.empty(len(pictures), dtype=[("bbox_x1", "O"), ("class", "O"), ("fname", "O")])
        for n, picture in enumerate(pictures):
            shutil.copyfile(picture, folder / f"cars_{part}" / f"{n + 1:05d}.jpg")
            rows[n] = (np.uint16(1), np.uint8(n % 2 + 1), f"{n + 1:05d}.jpg")
        savemat(folder / lists[part], {"annotations": rows})
    return entry("cars", classes=2), parts


def flowers(root: Path) -> tuple[DownstreamDataset, dict[str, list[Path]]]:
    """Write imagelabels.mat (from 1, one per picture) and setid.mat (three unordered lists of
    picture numbers).
    """
    from scipy.io import savemat

    folder, real = root / "flowers-102", real_pictures("imagenet")[:9]
    (folder / "jpg").mkdir(parents=True)
    for n, picture in enumerate(real, start=1):
        shutil.copyfile(picture, folder / f"jpg/image_{n:05d}.jpg")
    savemat(folder / "imagelabels.mat", {"labels": [[1, 2, 1, 2, 1, 2, 1, 2, 2]]})
    savemat(
        folder / "setid.mat", {"trnid": [[9, 1]], "valid": [[4, 3]], "tstid": [[8, 2, 7, 6, 5]]}
    )
    given = entry("flowers", classes=2, files=md5_of(folder, "imagelabels.mat", "setid.mat"))
    return given, {
        "train": [real[n - 1] for n in (1, 3, 4, 9)],
        "test": [real[n - 1] for n in (2, 5, 6, 7, 8)],
    }


def voc(root: Path) -> tuple[DownstreamDataset, dict[str, list[tuple[int, int, int, int, int]]]]:
    """Write one picture per part with all 20 classes as boxes (1-based, last pixel included), and
    difficult ones.
    """
    folder, real = root / "VOCdevkit" / "VOC2012", real_pictures("imagenet")
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    objects = [(label, 1 + label, 3, 30 + label, 40) for label in range(20)]
    texts = [_voc_object(name, *box) for name, (_, *box) in zip(VOC_CLASSES, objects, strict=True)]
    texts += [
        _voc_object("dog", 5, 5, 9, 9, difficult=1),
        _voc_object("person", "1.6", "2.2", "45.7", "50.1", part=True),
    ]
    for picture, part, file in (("2008_000001", "train", real[0]), ("2008_000002", "val", real[1])):
        shutil.copyfile(file, folder / f"JPEGImages/{picture}.jpg")
        (folder / f"Annotations/{picture}.xml").write_text(
            f"<annotation>{''.join(texts)}</annotation>"
        )
        (folder / f"ImageSets/Main/{part}.txt").write_text(f"{picture}\n")
    seen = [*objects, (14, 2, 2, 46, 50)]
    return entry("voc12"), {"train": seen, "test": seen}


VOC_CLASSES = [
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
]


def _voc_object(name: str, *box: Any, difficult: int = 0, part: bool = False) -> str:
    sides = "".join(
        f"<{s}>{v}</{s}>" for s, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    inner = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>" if part else ""
    head = f"<name>{name}</name><difficult>{difficult}</difficult>"
    return f"<object>{head}{inner}<bndbox>{sides}</bndbox></object>"


def places(root: Path) -> tuple[DownstreamDataset, dict[str, list[Path]]]:
    """Write three categories with three pictures each, of which the class list (in another order)
    chooses two.
    """
    folder, real = root / "places365", real_pictures("imagenet")
    names = ["/a/airfield", "/b/bakery/shop", "/c/canyon"]
    (folder / "val_256").mkdir(parents=True)
    train, val = [], []
    for number, name in enumerate(names):
        (folder / f"data_256_standard{name}").mkdir(parents=True)
        for n in range(2):
            shutil.copyfile(
                real[3 * number + n], folder / f"data_256_standard{name}/{n + 1:08d}.jpg"
            )
            train.append(f"{name}/{n + 1:08d}.jpg {number}")
        shutil.copyfile(
            real[3 * number + 2], folder / f"val_256/Places365_val_{number + 1:08d}.jpg"
        )
        val.append(f"Places365_val_{number + 1:08d}.jpg {number}")
    lists = {
        "categories_places365.txt": [f"{name} {number}" for number, name in enumerate(names)],
        "places365_train_standard.txt": train,
        "places365_val.txt": val,
    }
    for name, lines in lists.items():
        (folder / name).write_text("\n".join(lines) + "\n")
    (folder / "places30.txt").write_text("# chosen\n/c/canyon\n/a/airfield\n")
    given = entry("places30", classes=2, files=md5_of(folder, *lists))
    return given, {"train": [real[n] for n in (0, 1, 6, 7)], "test": [real[n] for n in (2, 8)]}


def image_folder(root: Path) -> tuple[DownstreamDataset, dict[str, list[Path]]]:
    """Write three wnid folders, of which the class list (in another order) chooses two; one picture
    is a link.
    """
    folder, real = root / "imagenet", real_pictures("imagenet")
    for number, wnid in enumerate(("n01440764", "n01443537", "n02869837")):
        for part, pictures in (
            ("train", real[4 * number : 4 * number + 3]),
            ("val", real[4 * number + 3 :][:1]),
        ):
            (folder / part / wnid).mkdir(parents=True)
            for n, picture in enumerate(pictures):
                target = folder / part / wnid / f"{wnid}_{n}.JPEG"
                target.symlink_to(picture) if n == 1 else shutil.copyfile(picture, target)
    (folder / "train/n01440764/notes.txt").write_text("not a picture")
    (folder / "train/n01440764/._n01440764_0.JPEG").write_bytes(b"hidden")
    (folder / "imagenet100.txt").write_text("n02869837\nn01440764\n")
    given = entry("imagenet100", classes=2, class_list="imagenet100.txt", files={})
    return given, {"train": [*real[:3], *real[8:11]], "test": [real[3], real[11]]}


def fashion_mnist(
    root: Path, *, zipped: bool = False
) -> tuple[DownstreamDataset, dict[str, np.ndarray]]:
    """Write the four idx files: magic number, sizes as big-endian integers, bytes. Labels are
    picture number % 2.
    """
    folder = root / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    real = [np.array(Image.open(path)) for path in real_pictures("fashionMNIST")]
    parts = {"train": np.stack(real[:12]), "test": np.stack(real[12:])}
    digests = {}
    for part, images in parts.items():
        labels = np.arange(len(images), dtype=np.uint8) % 2
        prefix = {"train": "train", "test": "t10k"}[part]
        files = {
            f"{prefix}-images-idx3-ubyte": (
                struct.pack(">IIII", 0x803, *images.shape) + images.tobytes()
            ),
            f"{prefix}-labels-idx1-ubyte": (
                struct.pack(">II", 0x801, len(labels)) + labels.tobytes()
            ),
        }
        for name, data in files.items():
            digests[name] = hashlib.md5(data).hexdigest()
            (folder / f"{name}{'.gz' if zipped else ''}").write_bytes(
                gzip.compress(data) if zipped else data
            )
    return entry("fashion_mnist", classes=2, files=digests, also_in=[]), parts


def voc_multilabel(root: Path) -> tuple[DownstreamDataset, dict[str, np.ndarray]]:
    """Write three pictures per part and 20 class lists: 1 present, -1 absent, 0 difficult."""
    folder, real = root / "VOCdevkit" / "VOC2012", real_pictures("imagenet")
    for name in ("JPEGImages", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    answers = {}
    for part, first in (("train", 0), ("val", 3)):
        pictures = [f"2008_{first + n:06d}" for n in range(3)]
        table = np.full((3, 20), -1)
        table[np.arange(20) % 3, np.arange(20)] = 1  # class k is in picture k % 3, and
        table[1, 3], table[2, 4] = 1, 0  # class 3 in another one, class 4 difficult in a third
        for picture, file in zip(pictures, real[first:], strict=False):
            shutil.copyfile(file, folder / f"JPEGImages/{picture}.jpg")
        (folder / f"ImageSets/Main/{part}.txt").write_text("".join(f"{p}\n" for p in pictures))
        for label, name in enumerate(VOC_CLASSES):
            rows = zip(pictures, table[:, label], strict=True)
            text = "".join(f"{picture} {answer:2d}\n" for picture, answer in rows)
            (folder / f"ImageSets/Main/{name}_{part}.txt").write_text(text)
        answers["train" if part == "train" else "test"] = table
    return entry("voc12_multilabel"), answers


def unlabelled(root: Path) -> tuple[DownstreamDataset, dict[str, list[Path]]]:
    """Write pictures at two depths, one of them a link, among files and folders that are none."""
    folder, real = root / "PASS_dataset", real_pictures("imagenet")
    for name in ("0", "1/deep", ".hidden"):
        (folder / name).mkdir(parents=True)
    shutil.copyfile(real[0], folder / "0/b.jpg")
    (folder / "0/a.JPEG").symlink_to(real[1])
    shutil.copyfile(real[2], folder / "1/deep/c.jpg")
    shutil.copyfile(real[3], folder / "1.jpg")
    shutil.copyfile(real[4], folder / ".hidden/no.jpg")
    (folder / "0/._b.jpg").write_bytes(b"hidden")
    (folder / "list.txt").write_text("not a picture")
    return entry("pass"), {"train": [real[n] for n in (1, 0, 3, 2)]}  # 0/a, 0/b, 1.jpg, 1/deep/c


def table_of(files: list[Path], labels: list[int], *, names: list[str] | None = None) -> pa.Table:
    """Return rows as the Hub stores them: image struct {bytes, path}, label int64, features noted
    in the schema.
    """
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
    table = pa.table({"image": pa.array(rows, picture), "label": pa.array(labels, pa.int64())})
    if names is None:
        return table
    label = {"names": names, "_type": "ClassLabel"}
    info = {"info": {"features": {"image": {"_type": "Image"}, "label": label}}}
    return table.replace_schema_metadata({"huggingface": json.dumps(info)})


ROWS = {"train": (0, 5), "test": (5, 9)}


def parquet(root: Path) -> tuple[DownstreamDataset, dict[str, list[Path]]]:
    """Write the Hub's layout, the training part in two files and several row groups."""
    folder, real = root / "own", real_pictures("imagenet")
    (folder / "data").mkdir(parents=True)
    for part, bounds in ROWS.items():
        cuts = [*bounds] if part == "test" else [0, 3, 5]
        for n, (start, stop) in enumerate(itertools.pairwise(cuts)):
            labels = [k % 2 for k in range(start, stop)]
            table = table_of(real[start:stop], labels, names=["even", "odd"])
            name = f"data/{part}-{n:05d}-of-{len(cuts) - 1:05d}.parquet"
            pq.write_table(table, folder / name, row_group_size=2)
    return _own("parquet", {part: f"data/{part}-*.parquet" for part in PARTS}), {
        part: real[slice(*bounds)] for part, bounds in ROWS.items()
    }


def arrow(root: Path, *, stream: bool = False) -> tuple[DownstreamDataset, dict[str, list[Path]]]:
    """Write Arrow IPC files, or streams as the package datasets writes them, in batches of two
    rows.
    """
    folder, real = root / "own", real_pictures("imagenet")
    folder.mkdir(parents=True)
    writer = pa.ipc.new_stream if stream else pa.ipc.new_file
    for part, (start, stop) in ROWS.items():
        table = table_of(real[start:stop], [k % 2 for k in range(start, stop)])
        with writer(folder / f"{part}.arrow", table.schema) as file:
            file.write_table(table, max_chunksize=2)
    return _own("arrow", {part: f"{part}.arrow" for part in PARTS}), {
        part: real[slice(*bounds)] for part, bounds in ROWS.items()
    }


def _own(loader: str, parts: dict[str, str], **values: Any) -> DownstreamDataset:
    """Return an entry that a user would write for a dataset of their own."""
    words = {
        "title": "own",
        "column": "own",
        "licence": "ours",
        "how_to_get": "ask",
        "layout": "rows",
    }
    free = {"train_images": None, "test_images": None, "fetchable": False}
    given = {"loader": loader, "folder": "own", "parts": parts, "classes": 2}
    return validate(DownstreamDataset, {**words, **free, **given, **values}, where="own")


def coco(root: Path) -> DownstreamDataset:
    """Write two pictures per part with polygons, run lengths and crowds, and one picture without
    objects.
    """
    folder, real = root / "coco", real_pictures("imagenet")
    (folder / "annotations").mkdir(parents=True)
    for n, part in enumerate(("train2017", "val2017")):
        (folder / part).mkdir()
        pictures = []
        for number, file in zip((900, 17, 42), real[3 * n :], strict=False):
            shutil.copyfile(file, folder / part / f"{number:012d}.jpg")
            with Image.open(file) as image:
                width, height = image.size
            name = f"{number:012d}.jpg"
            pictures.append({"id": number, "file_name": name, "height": height, "width": width})
        write_instances(folder, part, instances(pictures))
    return entry("coco2017", classes=3)


def write_instances(folder: Path, part: str, content: dict[str, Any]) -> None:
    (folder / f"annotations/instances_{part}.json").write_text(json.dumps(content))


def instances(pictures: list[dict[str, Any]]) -> dict[str, Any]:
    """Return objects of three categories with gaps in their ids, of pictures 900 and 17."""
    size = {p["id"]: [p["height"], p["width"]] for p in pictures}
    height, width = size[17]
    polygons = [[10.0, 10.0, 60.5, 12.0, 50.0, 80.25], [100, 100, 130, 100, 130, 120, 100, 120]]
    runs = [height * 20 + 5, 40, height - 40, 40, height * width - height * 21 - 45]
    from pycocotools import mask

    block = np.zeros(size[900], np.uint8, order="F")
    block[5:90, 7:33] = 1
    text = {"size": size[900], "counts": mask.encode(block)["counts"].decode()}

    def thing(
        number: int, picture: int, category: int, box: list[float], shape: Any, crowd: int = 0
    ) -> Any:
        return {
            "id": number,
            "image_id": picture,
            "category_id": category,
            "bbox": box,
            "segmentation": shape,
            "iscrowd": crowd,
            "area": 100.5,
        }

    return {
        "images": pictures,
        "categories": [{"id": 90, "name": "z"}, {"id": 1, "name": "a"}, {"id": 13, "name": "m"}],
        "annotations": [
            thing(5, 17, 90, [10.0, 10.0, 120.0, 110.0], polygons),
            thing(4, 17, 1, [20.0, 5.0, 2.0, 40.0], {"size": [height, width], "counts": runs}, 1),
            thing(9, 900, 13, [-3.0, 5.0, 36.0, 85.0], text),
            thing(11, 900, 1, [7.0, 5.0, 26.0, 85.0], [[7, 5, 33, 5, 33, 90]]),
            thing(
                10, 900, 1, [30.0, 40.0, 0.0, 3.5], [[30, 40, 31, 41, 30, 42]]
            ),  # as train2017 has
        ],
    }
