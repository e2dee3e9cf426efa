"""Arrow and Parquet: the layouts of the Hub, of save_to_disk and of our shards give the pictures
that went in.
"""

import io
import json
import os
import pickle
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from oracles import downstream_layouts as layouts
from oracles.downstream_layouts import pixels
from PIL import Image

from fdsl.datasets.downstream import MissingData, check, load
from fdsl.datasets.readers import rows
from fdsl.images import codec
from fdsl.images.shards import write_shard
from fdsl.io.storage import DamagedFile
from fdsl.schema.catalogue import Columns


def stream(root):
    return layouts.arrow(root, stream=True)


WRITERS = {"parquet": layouts.parquet, "arrow": layouts.arrow, "stream": stream}
FIRST = {
    "parquet": "data/train-00000-of-00002.parquet",
    "arrow": "train.arrow",
    "stream": "train.arrow",
}
everyone = pytest.mark.parametrize("kind", WRITERS)


@everyone
def test_rows_come_out_as_they_went_in(kind, tmp_path):
    entry, files = WRITERS[kind](tmp_path)
    for split, pictures in files.items():
        source = load(entry, tmp_path, split=split)
        start = layouts.ROWS[split][0]
        assert source.labels.tolist() == [(start + k) % 2 for k in range(len(pictures))]
        assert source.labels.dtype == np.int64
        assert source.per_class() == np.bincount(source.labels).tolist()
        for index, file in enumerate(pictures):
            image, label = source[index]
            np.testing.assert_array_equal(image, pixels(file))
            assert label == source.labels[index]
        for index in (-1, len(pictures)):
            with pytest.raises(IndexError):
                source[index]


@everyone
def test_sources_pickle_small_and_hold_no_file(kind, tmp_path):
    entry, _ = WRITERS[kind](tmp_path)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  (the count of open files)
    source = load(entry, tmp_path, split="train")
    image, _ = source[4]
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    packed = pickle.dumps(source)
    assert len(packed) < 3000
    np.testing.assert_array_equal(pickle.loads(packed)[4][0], image)
    image[:] = 0
    assert source[4][0].any()


@everyone
def test_checked_copies_have_a_digest_of_what_they_hold_not_of_where_they_lie(kind, tmp_path):
    manifests = []
    for folder in ("a", "b"):
        entry, _ = WRITERS[kind](tmp_path / folder)
        manifests.append(check(entry, tmp_path / folder, decode=True))
        assert manifests[-1].pop("folder") == str(tmp_path / folder / "own")
    assert manifests[0] == manifests[1]
    assert manifests[0]["parts"]["train"]["per_class"] == [3, 2]
    other, _ = WRITERS[kind](tmp_path / "c")
    path = tmp_path / "c/own" / FIRST[kind]
    table = layouts.table_of(layouts.real_pictures("imagenet")[:3], [1, 1, 0])
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_stream(path, table.schema) as file:
            file.write_table(table)
    assert (
        check(other, tmp_path / "c")["parts"]["train"]["sha256"]
        != (manifests[0]["parts"]["train"]["sha256"])
    )


@everyone
def test_published_digests_are_compared_at_each_load(kind, tmp_path):
    entry, _ = WRITERS[kind](tmp_path)
    name = FIRST[kind]
    good = entry.model_copy(update={"files": layouts.md5_of(tmp_path / "own", name)})
    load(good, tmp_path, split="train")
    bad = entry.model_copy(update={"files": {name: "0" * 32}})
    with pytest.raises(DamagedFile, match=f"{name} has md5 [0-9a-f]{{32}}, expected 0{{32}}"):
        load(bad, tmp_path, split="train")


def rewrite(path, table):
    """Replace a file by another table, as Parquet or as an Arrow file."""
    if path.suffix == ".parquet":
        pq.write_table(table, path)
        return
    with pa.ipc.new_file(path, table.schema) as file:
        file.write_table(table)


def encoded(picture):
    return pa.array([picture, picture], pa.binary())


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_columns_may_be_named_and_plain(kind, tmp_path):
    entry, _ = WRITERS[kind](tmp_path)
    real = layouts.real_pictures("imagenet")
    table = pa.table(
        {
            "img": pa.array([real[0].read_bytes(), real[1].read_bytes()], pa.large_binary()),
            "fine": pa.array([1, 0], pa.uint8()),
            "label": pa.array(["no", "no"]),
        }
    )
    for path in (tmp_path / "own").rglob("*.*"):
        rewrite(path, table)
    named = entry.model_copy(update={"columns": Columns(image="img", label="fine")})
    source = load(named, tmp_path, split="test")
    np.testing.assert_array_equal(source[1][0], pixels(real[1]))
    assert source.labels.tolist() == [1, 0]
    for columns, message in (
        ({"label": "fine"}, "has no column 'image'; there are: img, fine, label"),
        ({"image": "img", "label": "x"}, "has no column 'x'"),
        ({"image": "img"}, "column 'label' holds string"),
        ({"image": "label", "label": "fine"}, "'label' holds string, expected encoded images"),
        ({"image": "fine", "label": "fine"}, "'fine' holds uint8, expected encoded images"),
    ):
        wrong = entry.model_copy(update={"columns": Columns(**columns)})
        with pytest.raises(DamagedFile, match=message):
            load(wrong, tmp_path, split="test")


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (pa.array([0, 2]), "labels from 0 to 2, expected 0 to 1"),
        (pa.array([0, -1]), "labels from -1 to [01], expected 0 to 1"),
        (pa.array([0, None], pa.int64()), "holds int64 with 1 empty rows"),
        (pa.array([0.0, 1.0]), "holds double"),
    ],
)
def test_labels_that_are_none_are_refused(kind, labels, message, tmp_path):
    entry, _ = WRITERS[kind](tmp_path)
    picture = layouts.real_pictures("imagenet")[0].read_bytes()
    rewrite(tmp_path / "own" / FIRST[kind], pa.table({"image": encoded(picture), "label": labels}))
    with pytest.raises(DamagedFile, match=message):
        load(entry, tmp_path, split="train")


def test_class_names_in_the_file_must_be_as_many_as_the_catalogue_says(tmp_path):
    entry, _ = layouts.parquet(tmp_path)
    with pytest.raises(DamagedFile, match="names 2 classes, the entry of own says 3"):
        load(entry.model_copy(update={"classes": 3}), tmp_path, split="train")


def bomb():
    """A small file of many pixels."""
    file = io.BytesIO()
    Image.new("1", (2000, 1000)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data[: len(data) // 2], "row 1 cannot be read as an image .*truncated"),
        (lambda _: b"GIF99x", "row 1 cannot be read as an image .*content is none of"),
        (lambda _: b"", "row 1 cannot be read as an image"),
        (lambda _: None, "row 1 holds no image, at most a path"),
        (lambda _: bomb(), "row 1 is too large to be a picture"),
    ],
)
def test_a_damaged_picture_is_named_by_its_row(kind, spoil, message, tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10**6)
    entry, _ = WRITERS[kind](tmp_path)
    path = tmp_path / "own" / FIRST[kind]
    files = layouts.real_pictures("imagenet")[:3]
    table = layouts.table_of(files, [0, 1, 0])
    held = table["image"].to_pylist()
    held[1]["bytes"] = spoil(held[1]["bytes"])
    column = pa.array(held, table.schema.field("image").type)
    rewrite(path, table.set_column(0, "image", column))
    check(entry, tmp_path)
    source = load(entry, tmp_path, split="train")
    np.testing.assert_array_equal(source[2][0], pixels(files[2]))
    with pytest.raises(DamagedFile, match=message) as caught:
        source[1]
    assert str(path) in str(caught.value)
    with pytest.raises(DamagedFile, match=message):
        check(entry, tmp_path, decode=True)


@everyone
def test_files_cut_or_replaced_are_one_clear_error(kind, tmp_path):
    entry, _ = WRITERS[kind](tmp_path)
    path = tmp_path / "own" / FIRST[kind]
    whole = path.read_bytes()
    for data in (b"", b"ARROW1", whole[:40], whole[: len(whole) // 2], b"PAR1" + bytes(99)):
        path.write_bytes(data)
        with pytest.raises(DamagedFile, match="get the file again") as caught:
            load(entry, tmp_path, split="train")
        assert path.name in str(caught.value)


def test_offsets_that_lead_outside_of_the_file_are_refused(tmp_path):
    entry, _ = layouts.arrow(tmp_path)
    path = tmp_path / "own/train.arrow"
    picture = layouts.real_pictures("imagenet")[0].read_bytes()
    rewrite(path, pa.table({"image": encoded(picture), "label": pa.array([0, 1])}))
    data = bytearray(path.read_bytes())
    ends = np.array([0, len(picture), 2 * len(picture)], np.int32).tobytes()
    place = data.index(ends)
    data[place + 8 : place + 12] = np.int32(2**30).tobytes()
    path.write_bytes(data)
    with pytest.raises(DamagedFile, match=r"train\.arrow cannot be read"):
        load(entry, tmp_path, split="train")


def test_what_is_missing_is_named(tmp_path):
    entry, _ = layouts.parquet(tmp_path)
    second = tmp_path / "own/data/train-00001-of-00002.parquet"
    second.unlink()
    with pytest.raises(MissingData, match=r"without data/train-00001-of-00002\.parquet"):
        load(entry, tmp_path, split="train")
    shutil.rmtree(tmp_path / "own/data")
    with pytest.raises(MissingData, match=r"without a file data/train-\*\.parquet"):
        load(entry, tmp_path, split="train")
    shutil.rmtree(tmp_path / "own")
    with pytest.raises(MissingData, match="the folder does not exist"):
        load(entry, tmp_path, split="train")


def test_parquet_larger_than_memory_is_refused_before_reading(tmp_path, monkeypatch):
    entry, files = layouts.parquet(tmp_path)
    size = sum(file.stat().st_size for file in files["train"])
    monkeypatch.setattr(rows, "LARGEST_PARQUET_BYTES", size // 2)
    monkeypatch.setattr(pq.ParquetFile, "read", lambda *_, **__: pytest.fail("read"))
    with pytest.raises(DamagedFile, match=r"own: .* of \d+ bytes unpack .*use the loader arrow"):
        load(entry, tmp_path, split="train")


def test_our_own_shards_are_read(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (7, 12, 12), dtype=np.uint8)
    (tmp_path / "own").mkdir()
    for part, indices in (("train-0", range(3)), ("train-1", range(3, 5)), ("test-0", range(5, 7))):
        write_shard(
            tmp_path / f"own/{part}.arrow",
            indices,
            lambda k: (images[k], k % 2, k),
            about={"formula": "x"},
        )
    entry, _ = layouts.arrow(tmp_path / "unused")
    entry = entry.model_copy(update={"parts": {"train": "train-*.arrow", "test": "test-*.arrow"}})
    source = load(entry, tmp_path, split="train")
    assert source.labels.tolist() == [0, 1, 0, 1, 0]
    for k in range(5):
        np.testing.assert_array_equal(source[k][0], images[k])
    path = tmp_path / "own/train-1.arrow"
    data = bytearray(path.read_bytes())
    data[data.index(codec.encode(images[4])) + 30] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedFile, match=r"train-1\.arrow: row 1 does not match its checksum"):
        check(entry, tmp_path, decode=True)


def save_to_disk_by_hand(root):
    """Write what `DatasetDict.save_to_disk` does: streams, a list of them for each part, and a list
    of the parts.
    """
    _, files = layouts.arrow(root, stream=True)
    folder = root / "own"
    for part in layouts.PARTS:
        (folder / part).mkdir()
        (folder / f"{part}.arrow").rename(folder / part / "data-00000-of-00001.arrow")
        state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": part}
        (folder / part / "state.json").write_text(json.dumps(state))
        (folder / part / "stale.arrow").write_bytes(b"an older file, which the list does not name")
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": list(layouts.PARTS)}))
    entry, _ = layouts.arrow(root / "unused")
    return entry.model_copy(update={"parts": {part: part for part in layouts.PARTS}}), files


def test_folders_of_save_to_disk_are_read_by_their_own_list(tmp_path):
    entry, files = save_to_disk_by_hand(tmp_path)
    source = load(entry, tmp_path, split="test")
    for index, file in enumerate(files["test"]):
        np.testing.assert_array_equal(source[index][0], pixels(file))
    path = tmp_path / "own/train/state.json"
    for content in (
        {"_data_files": []},
        {"_data_files": [{"filename": "../test/data-00000-of-00001.arrow"}]},
        {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_indices_files": [{}]},
        {},
        [],
    ):
        path.write_text(json.dumps(content))
        with pytest.raises(DamagedFile, match=r"state\.json is not what save_to_disk writes"):
            load(entry, tmp_path, split="train")
    path.write_text(json.dumps({"_data_files": [{"filename": "data-00009.arrow"}]}))
    with pytest.raises(DamagedFile, match=r"data-00009\.arrow is missing"):
        load(entry, tmp_path, split="train")
    path.unlink()
    with pytest.raises(MissingData, match=r"without train/state\.json"):
        load(entry, tmp_path, split="train")


@pytest.mark.parametrize(("shards", "form"), [(1, "bytes"), (2, "files")])
def test_what_the_package_datasets_writes_is_read_and_it_reads_the_same(shards, form, tmp_path):
    datasets = pytest.importorskip("datasets", reason="pip install datasets")
    files = layouts.real_pictures("imagenet")[:6]
    labels = [0, 1, 0, 1, 1, 0]
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["even", "odd"])}
    )
    # save_to_disk reads files into its rows; to_parquet does not, so there the rows hold bytes, as
    # those of the Hub do
    pictures = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
    values = {"image": pictures if form == "bytes" else list(map(str, files)), "label": labels}
    made = datasets.Dataset.from_dict(values, features=features)
    whole = datasets.DatasetDict({"train": made, "validation": made.select([4, 5])})
    whole.save_to_disk(tmp_path / "own", num_shards={"train": shards, "validation": 1})
    entry, _ = layouts.arrow(tmp_path / "unused")
    entry = entry.model_copy(update={"parts": {"train": "train", "test": "validation"}})
    compare(load(entry, tmp_path, split="train"), made)
    compare(load(entry, tmp_path, split="test"), whole["validation"])
    if form == "files":
        return
    (tmp_path / "own/data").mkdir()
    for part, held in whole.items():
        held.to_parquet(str(tmp_path / f"own/data/{part}-00000-of-00001.parquet"))
    entry, _ = layouts.parquet(tmp_path / "unused too")
    parts = {"train": "data/train-*.parquet", "test": "data/validation-*.parquet"}
    entry = entry.model_copy(update={"parts": parts})
    compare(load(entry, tmp_path, split="train"), made)
    compare(load(entry, tmp_path, split="test"), whole["validation"])


def compare(ours, theirs):
    assert len(ours) == len(theirs)
    for (image, label), row in zip(ours, theirs, strict=False):
        np.testing.assert_array_equal(image, np.array(row["image"].convert("RGB")))
        assert label == row["label"]
