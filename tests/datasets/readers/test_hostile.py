"""Files made to harm: what is small on disk and large in memory, what leads elsewhere, what a
terminal would obey.
"""

import contextlib
import gzip
import io
import os
import shutil
import tarfile
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from oracles import downstream_layouts as layouts

from fdsl.datasets.downstream import check, load
from fdsl.datasets.readers import coco_json, rows
from fdsl.datasets.readers.extraction import LARGEST_HEADER, unpack_tar
from fdsl.datasets.readers.run_lengths import run_lengths
from fdsl.datasets.readers.sources import file_names
from fdsl.io.storage import DamagedFile

BLOCK = tarfile.BLOCKSIZE


def header(name, kind, size):
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def padded(data):
    return data + bytes(-len(data) % BLOCK)


def plain(name="a", data=b"x"):
    return header(name, tarfile.REGTYPE, len(data)) + padded(data)


END = bytes(2 * BLOCK)
LONG = LARGEST_HEADER + BLOCK


def pax(text):
    record = f"{len(text) + 10} {text}\n"
    record = f"{len(record)} {text}\n".encode()
    return header("pax", tarfile.XHDTYPE, len(record)) + padded(record)


def negative():
    """A plain file whose size is below zero, in the base-256 notation of GNU."""
    info = bytearray(header("a", tarfile.REGTYPE, 0))
    info[124:136] = b"\xff" * 10 + b"\xf0\x00"
    info[148:156] = b" " * 8
    info[148:156] = b"%06o\0 " % sum(info)
    return bytes(info)


def sparse(blocks):
    """A file of the old GNU format whose map of holes goes on for many blocks."""
    info = bytearray(header("a", tarfile.GNUTYPE_SPARSE, 0))
    info[482] = 1
    info[148:156] = b" " * 8
    info[148:156] = b"%06o\0 " % sum(info)
    more = bytearray(BLOCK)
    more[504] = 1
    return bytes(info) + bytes(more) * blocks


ARCHIVES = {
    "a long name of the GNU format": (
        header("x", tarfile.GNUTYPE_LONGNAME, LONG) + bytes(LONG) + plain() + END,
        "a header is longer than",
    ),
    "a long header of PAX": (
        header("x", tarfile.XHDTYPE, LONG) + bytes(LONG) + plain() + END,
        "a header is longer than",
    ),
    "an endless map of holes": (sparse(LONG // BLOCK) + END, "a header is longer than"),
    "headers about headers": (
        (header("x", tarfile.GNUTYPE_LONGNAME, 2) + padded(b"a\0")) * 900 + plain() + END,
        "cannot be unpacked",
    ),
    "a size below zero": (negative() + plain() + END, "cannot be unpacked"),
    "a zero in a name": (pax("path=a\0b") + plain() + END, "control characters|cannot be unpacked"),
    "an escape in a name": (plain("a\x1b[2Jb") + END, "too long or has control characters"),
    "a line feed in a name": (plain("a\nb") + END, "too long or has control characters"),
    "a name for no file system": (pax("path=" + "n" * 300) + plain() + END, "too long or has"),
    "a link in a PAX header": (
        pax("linkpath=/etc/passwd") + header("l", tarfile.SYMTYPE, 0) + END,
        "not a plain file",
    ),
    "a way out in a PAX header": (pax("path=../outside") + plain() + END, "leaves the folder"),
}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("kind", ARCHIVES)
def test_archives_cannot_fill_the_memory_or_hide_what_they_do(kind, zipped, tmp_path):
    data, message = ARCHIVES[kind]
    archive = tmp_path / ("x.tar.gz" if zipped else "x.tar")
    archive.write_bytes(gzip.compress(data) if zipped else data)
    (tmp_path / "in").mkdir()
    tracemalloc.start()
    with pytest.raises(DamagedFile, match=message):
        unpack_tar(archive, tmp_path / "in")
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()
    assert {path.name for path in tmp_path.iterdir()} == {archive.name, "in"}


def test_a_bomb_is_stopped_by_what_it_unpacks_to_not_by_what_it_takes(tmp_path):
    archive = tmp_path / "x.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        info = tarfile.TarInfo("zeros")
        info.size = 50 * 2**20
        tar.addfile(info, io.BytesIO(bytes(info.size)))
    assert archive.stat().st_size < 2**17
    with pytest.raises(DamagedFile, match="more than 200000 members or 10000000 bytes"):
        unpack_tar(archive, tmp_path / "in", max_bytes=10**7)
    assert not (tmp_path / "in").exists()


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(0, 6 * BLOCK - 1), st.integers(0, 255)), max_size=6))
def test_any_damage_of_an_archive_is_the_one_error_or_plain_files(tmp_path, changes):
    data = bytearray(pax("path=long/name") + plain() + plain("b", bytes(700)) + END)
    for place, value in changes:
        data[place] = value
    (tmp_path / "x.tar").write_bytes(data)
    shutil.rmtree(tmp_path / "in", ignore_errors=True)
    with contextlib.suppress(DamagedFile):
        unpack_tar(tmp_path / "x.tar", tmp_path / "in")
    inside = [path for path in (tmp_path / "in").rglob("*") if not path.is_dir()]
    assert all(path.is_file() and not path.is_symlink() for path in inside)
    assert {path.name for path in tmp_path.iterdir()} <= {"x.tar", "in"}


def test_a_list_of_voc_opens_nothing_outside_of_its_folder(tmp_path):
    entry, _ = layouts.voc(tmp_path)
    outside = tmp_path / "secret.xml"
    outside.write_text("<annotation><object><name>secret</name></object></annotation>")
    lists = tmp_path / "VOCdevkit/VOC2012/ImageSets/Main/train.txt"
    lists.write_text("../../../secret\n")
    with pytest.raises(DamagedFile, match=r"names the file '\.\./\.\./\.\./secret', which is not"):
        load(entry, tmp_path, split="train")


ENTITIES = "".join(f'<!ENTITY e{k} "{f"&e{k - 1};" * 10}">' for k in range(1, 9))


@pytest.mark.parametrize(
    "prolog",
    [
        f'<!DOCTYPE a [<!ENTITY e0 "dog">{ENTITIES}]>',
        '<!DOCTYPE a [<!ENTITY e8 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd">',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_annotations_that_define_entities_are_refused(prolog, encoding, tmp_path):
    entry, _ = layouts.voc(tmp_path)
    path = tmp_path / "VOCdevkit/VOC2012/Annotations/2008_000001.xml"
    text = path.read_text().replace("boat", "&e8;", 1)
    path.write_bytes(f'<?xml version="1.0" encoding="{encoding}"?>{prolog}{text}'.encode(encoding))
    with pytest.raises(DamagedFile, match=r"is not a VOC annotation \((it declares|'utf-8')"):
        load(entry, tmp_path, split="train")


def test_a_matlab_file_that_could_unpack_to_anything_is_not_opened(tmp_path):
    entry, _ = layouts.cars(tmp_path)
    path = tmp_path / "stanford_cars/devkit/cars_train_annos.mat"
    path.write_bytes(path.read_bytes() + bytes(2 * 2**20))
    with pytest.raises(DamagedFile, match=r"cars_train_annos\.mat has 2,09\d,\d+ bytes, expected"):
        load(entry, tmp_path, split="train")


def test_an_outline_that_would_fill_the_memory_never_reaches_pycocotools():
    zigzag = [value for k in range(500) for value in (30_000.0 * (k % 2), float(k))]
    with pytest.raises(ValueError, match=r"outline of 1.* pixels, more than 1000000"):
        run_lengths([zigzag], height=30_000, width=30_000)
    assert run_lengths([zigzag[:20]], height=64, width=30_000)


def test_masks_that_would_fill_the_memory_are_refused(tmp_path, monkeypatch):
    entry = layouts.coco(tmp_path)
    source = load(entry, tmp_path, split="train")
    most = int((np.diff(source.first) * source.sizes.prod(axis=1)).max())
    monkeypatch.setattr(coco_json, "LARGEST_SCENE_BYTES", most - 1)
    with pytest.raises(
        DamagedFile, match=r"picture \d+ of .* has \d objects, whose masks take more"
    ):
        load(entry, tmp_path, split="train")


def test_json_nested_without_end_is_refused(tmp_path):
    entry = layouts.coco(tmp_path)
    path = tmp_path / "coco/annotations/instances_train2017.json"
    path.write_text("[" * 100_000)
    with pytest.raises(DamagedFile, match="not a file of COCO instances"):
        load(entry, tmp_path, split="train")


def test_equal_pictures_of_a_parquet_file_cannot_fill_the_memory(tmp_path, monkeypatch):
    entry, _ = layouts.parquet(tmp_path)
    picture = np.random.default_rng(0).bytes(100_000)
    repeated = pa.array([picture] * 2000, pa.binary())
    table = pa.table({"image": repeated, "label": pa.array([0, 1] * 1000)})
    path = tmp_path / "own/data/train-00000-of-00002.parquet"
    pq.write_table(table, path)
    assert path.stat().st_size < 2 * len(picture)  # it holds the picture once
    monkeypatch.setattr(rows, "LARGEST_PARQUET_BYTES", 2**24)
    monkeypatch.setattr(rows, "LARGEST_BATCH_BYTES", 2**20)
    before = pa.total_allocated_bytes()
    with pytest.raises(DamagedFile, match="unpacks to more than 16777216 bytes of images"):
        load(entry, tmp_path, split="train")
    assert pa.total_allocated_bytes() - before < 2**25


def test_rows_without_number_are_refused(tmp_path, monkeypatch):
    entry, _ = layouts.parquet(tmp_path)
    monkeypatch.setattr(rows, "LARGEST_ROWS", 2)
    with pytest.raises(DamagedFile, match="has 3 rows, at most 2 are read"):
        load(entry, tmp_path, split="train")


def test_packed_arrow_files_are_refused(tmp_path):
    entry, _ = layouts.arrow(tmp_path)
    table = pa.table({"image": pa.array([bytes(10**6)] * 2), "label": pa.array([0, 1])})
    packed = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(tmp_path / "own/train.arrow", table.schema, options=packed) as file:
        file.write_table(table)
    with pytest.raises(DamagedFile, match="compressed or share bytes"):
        load(entry, tmp_path, split="train")


@pytest.mark.parametrize(
    "name",
    ["../x.jpg", "a/../../x.jpg", "/x.jpg", "a\0.jpg", "a\n.jpg", "a\x1b[2J.jpg", "\u202egpj.a"],
)
def test_names_that_lead_elsewhere_or_steer_a_terminal_are_refused(name, tmp_path):
    with pytest.raises(DamagedFile, match=r"not below|control characters") as caught:
        file_names(["good.jpg", name], root=tmp_path, where="list.txt")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "name", ["a b.jpg", "$(touch owned).jpg", "-rf.jpg", "'\".jpg", "é日.jpg", "..jpg"]
)
def test_names_that_are_only_unusual_are_files(name, tmp_path):
    assert os.fsdecode(file_names([name], root=tmp_path, where="list.txt")[0]) == name


def test_a_class_folder_with_an_escape_in_its_pictures_is_refused(tmp_path):
    entry, _ = layouts.image_folder(tmp_path)
    folder = tmp_path / "imagenet/train/n01440764"
    (folder / "n01440764_0.JPEG").rename(folder / "a\x1b]0;owned\x07.JPEG")
    with pytest.raises(DamagedFile, match="control characters"):
        load(entry, tmp_path, split="train")


@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "dangling"])
def test_what_is_no_plain_file_counts_as_missing(kind, tmp_path):
    entry, _ = layouts.image_folder(tmp_path)
    victim = tmp_path / "imagenet/train/n01440764/n01440764_0.JPEG"
    victim.unlink()
    {
        "fifo": lambda: os.mkfifo(victim),
        "device": lambda: victim.symlink_to("/dev/zero"),
        "folder": victim.mkdir,
        "dangling": lambda: victim.symlink_to(tmp_path / "nowhere"),
    }[kind]()
    with pytest.raises(DamagedFile, match="1 listed files do not exist, the first is"):
        check(entry, tmp_path)


def test_folders_that_contain_themselves_end(tmp_path):
    entry, _ = layouts.unlabelled(tmp_path)
    (tmp_path / "PASS_dataset/1/self").symlink_to(tmp_path / "PASS_dataset")
    assert len(load(entry, tmp_path, split="train")) == 4
