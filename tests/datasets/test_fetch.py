"""Fetching: digest first, safe unpacking, atomic; the network is a server of the test."""

import functools
import hashlib
import http.server
import io
import shutil
import tarfile
import threading

import numpy as np
import pytest
from oracles import downstream_layouts as layouts

from fdsl.datasets.downstream import MissingData, load, locate
from fdsl.datasets.fetch import fetch
from fdsl.datasets.readers.extraction import unpack_tar
from fdsl.datasets.readers.location import Found
from fdsl.io.storage import DamagedFile


def pack(path, root, *names):
    """Pack folders or files below `root` into a tar file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as tar:
        for name in names:
            tar.add(root / name, arcname=name)


def with_archives(entry, served, url):
    """Return the entry with the digests and addresses of the small archives."""
    archives = []
    for archive in entry.archives:
        digest = hashlib.md5((served / archive.name).read_bytes()).hexdigest()
        archives.append(archive.model_copy(update={"md5": digest, "url": f"{url}/{archive.name}"}))
    return entry.model_copy(update={"archives": archives})


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path):
    """A folder of files and the address that serves it."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def cifar(tmp_path, served):
    folder, url = served
    entry, _ = layouts.cifar10(tmp_path / "made")
    pack(folder / "cifar-10-python.tar.gz", tmp_path / "made", "cifar-10-batches-py")
    return with_archives(entry, folder, url)


def flowers(tmp_path, served):
    folder, url = served
    entry, _ = layouts.flowers(tmp_path / "made")
    pack(folder / "102flowers.tgz", tmp_path / "made/flowers-102", "jpg")
    for name in ("imagelabels.mat", "setid.mat"):
        shutil.copyfile(tmp_path / "made/flowers-102" / name, folder / name)
    return with_archives(entry, folder, url)


def voc(tmp_path, served):
    folder, url = served
    entry, _ = layouts.voc(tmp_path / "made")
    pack(folder / "VOCtrainval_11-May-2012.tar", tmp_path / "made", "VOCdevkit")
    return with_archives(entry, folder, url)


def fashion(tmp_path, served):
    folder, url = served
    entry, _ = layouts.fashion_mnist(tmp_path / "made", zipped=True)
    for path in (tmp_path / "made/FashionMNIST/raw").iterdir():
        shutil.copyfile(path, folder / path.name)
    return with_archives(entry, folder, url)


@pytest.mark.parametrize("make", [cifar, flowers, voc, fashion])
def test_fetched_data_is_the_data_and_leaves_nothing_else(make, tmp_path, served):
    entry, root = make(tmp_path, served), tmp_path / "root"
    assert fetch(entry, root) == locate(entry, root)
    assert [path.name for path in root.iterdir()] == [entry.folder.split("/")[0]]
    for split in ("train", "test"):
        ours, made = (load(entry, folder, split=split) for folder in (root, tmp_path / "made"))
        assert ours.digest() == made.digest()
        np.testing.assert_array_equal(ours[0][0], made[0][0])
    shutil.rmtree(served[0])
    assert isinstance(fetch(entry, root), Found)  # already there: no network


def test_an_archive_in_data_root_is_used_without_network_and_kept(tmp_path, served):
    entry, root = flowers(tmp_path, served), tmp_path / "root"
    shutil.copytree(served[0], root)
    shutil.rmtree(served[0])
    fetch(entry, root)
    names = {archive.name for archive in entry.archives}
    assert {path.name for path in root.iterdir()} == {"flowers-102", *names}


def test_wrong_digest_is_seen_before_unpacking(tmp_path, served, monkeypatch):
    entry, root = cifar(tmp_path, served), tmp_path / "root"
    archive = served[0] / "cifar-10-python.tar.gz"
    archive.write_bytes(archive.read_bytes() + b"x")
    monkeypatch.setattr("fdsl.datasets.fetch.unpack_tar", lambda *_: pytest.fail("unpacked"))
    with pytest.raises(DamagedFile, match=r"http.*tar\.gz has md5 .*, expected"):
        fetch(entry, root)
    assert list(root.iterdir()) == []
    shutil.copyfile(archive, root / archive.name)
    with pytest.raises(DamagedFile, match=r"root/cifar-10-python\.tar\.gz has md5"):
        fetch(entry, root)
    assert [path.name for path in root.iterdir()] == [archive.name]


def test_no_answer_and_endless_answers_are_errors_with_a_remedy(tmp_path, served):
    entry, root = cifar(tmp_path, served), tmp_path / "root"
    archive = entry.archives[0].model_copy(update={"megabytes": 1})
    (served[0] / archive.name).write_bytes(bytes(2_000_001))
    with pytest.raises(DamagedFile, match="sends more than 2000000 bytes"):
        fetch(entry.model_copy(update={"archives": [archive]}), root)
    (served[0] / archive.name).unlink()
    with pytest.raises(
        MissingData, match=rf"404.*put cifar-10-python\.tar\.gz .* into {root} and fetch again"
    ):
        fetch(entry, root)
    assert list(root.iterdir()) == []


def test_archive_without_the_dataset_leaves_nothing(tmp_path, served):
    entry, root = cifar(tmp_path, served), tmp_path / "root"
    (tmp_path / "made/cifar-10-batches-py/data_batch_2").unlink()
    pack(served[0] / "cifar-10-python.tar.gz", tmp_path / "made", "cifar-10-batches-py")
    with pytest.raises(DamagedFile, match=r"do not hold it: .*without data_batch_2"):
        fetch(with_archives(entry, *served), root)
    assert list(root.iterdir()) == []


def test_incomplete_folder_is_not_touched(tmp_path, served):
    entry, root = cifar(tmp_path, served), tmp_path / "root"
    (root / "cifar-10-batches-py").mkdir(parents=True)
    with pytest.raises(MissingData, match=r"incomplete .*without data_batch_1.*move it away"):
        fetch(entry, root)
    assert list((root / "cifar-10-batches-py").iterdir()) == []


def test_a_faster_process_wins(tmp_path, served, monkeypatch):
    entry, root = cifar(tmp_path, served), tmp_path / "root"

    def slow_unpack(archive, folder):
        unpack_tar(archive, folder)
        shutil.copytree(tmp_path / "made", root, dirs_exist_ok=True)

    monkeypatch.setattr("fdsl.datasets.fetch.unpack_tar", slow_unpack)
    assert fetch(entry, root).where == root / "cifar-10-batches-py"
    assert [path.name for path in root.iterdir()] == ["cifar-10-batches-py"]


@pytest.mark.parametrize(
    "name",
    [
        "cars",
        "places30",
        "places365",
        "imagenet100",
        "imagenet1k",
        "imagenet21k",
        "pass",
        "coco2017",
        "cifar10_parquet",
    ],
)
def test_what_cannot_be_fetched_says_how_to_get_it(name, tmp_path):
    entry = layouts.entry(name)
    with pytest.raises(MissingData, match="is missing") as caught:
        fetch(entry, tmp_path)
    assert entry.how_to_get in str(caught.value)


def member(name, *, kind=tarfile.REGTYPE, data=b"", link="", size=None):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(data) if size is None else size
    return info, data


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([member("../outside", data=b"x")], "leaves the folder"),
        ([member("a/../../outside", data=b"x")], "leaves the folder"),
        ([member("/tmp/absolute", data=b"x")], "leaves the folder"),
        ([member("..", kind=tarfile.DIRTYPE)], "leaves the folder"),
        ([member("link", kind=tarfile.SYMTYPE, link="/etc/passwd")], "not a plain file"),
        (
            [member("a", data=b"x"), member("hard", kind=tarfile.LNKTYPE, link="a")],
            "not a plain file",
        ),
        ([member("device", kind=tarfile.CHRTYPE)], "not a plain file"),
        ([member("pipe", kind=tarfile.FIFOTYPE)], "not a plain file"),
        ([member("twice", data=b"x"), member("twice", data=b"y")], "File exists"),
        ([member("a", data=b"x"), member("a/b", data=b"y")], "cannot be unpacked"),
        ([member(str(n), data=b"x") for n in range(6)], "more than 5 members or 100 bytes"),
        ([member("big", data=bytes(101))], "more than 5 members or 100 bytes"),
    ],
)
@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz"])
def test_unsafe_archives_are_refused(members, message, name, tmp_path):
    archive, folder = tmp_path / name, tmp_path / "in"
    folder.mkdir()
    with tarfile.open(archive, "w:gz" if name.endswith("gz") else "w") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    with pytest.raises(DamagedFile, match=message):
        unpack_tar(archive, folder, max_members=5, max_bytes=100)
    assert {path.name for path in tmp_path.iterdir()} == {"in", name}


@pytest.mark.parametrize(
    "unsafe",
    [
        member("../outside", data=b"x"),
        member("/tmp/outside", data=b"x"),
        member("cifar-10-batches-py/link", kind=tarfile.SYMTYPE, link="/etc/passwd"),
        member("cifar-10-batches-py/hard", kind=tarfile.LNKTYPE, link="cifar-10-batches-py/x"),
        member("cifar-10-batches-py/device", kind=tarfile.BLKTYPE),
    ],
)
def test_an_unsafe_archive_of_the_right_digest_leaves_nothing_behind(unsafe, tmp_path, served):
    entry, root = cifar(tmp_path, served), tmp_path / "root"
    with tarfile.open(served[0] / "cifar-10-python.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "made/cifar-10-batches-py", arcname="cifar-10-batches-py")
        info, data = unsafe
        tar.addfile(info, io.BytesIO(data))
    entry = with_archives(entry, *served)
    with pytest.raises(DamagedFile, match=r"cifar-10-python\.tar\.gz holds"):
        fetch(entry, root)
    assert list(root.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"made", "root", "served"}


def test_one_archive_serves_both_readings_of_voc(tmp_path, served):
    folder, url = served
    entry, _ = layouts.voc_multilabel(tmp_path / "made")
    pack(folder / "VOCtrainval_11-May-2012.tar", tmp_path / "made", "VOCdevkit")
    found = fetch(with_archives(entry, folder, url), tmp_path / "root")
    assert found.where == tmp_path / "root/VOCdevkit/VOC2012"
    source = load(entry, tmp_path / "root", split="test")
    assert source.labels.shape == (3, 20)


@pytest.mark.parametrize("data", [b"", b"no archive" * 99])
@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz"])
def test_files_that_are_not_archives(data, name, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DamagedFile, match="cannot be unpacked"):
        unpack_tar(tmp_path / name, tmp_path / "in")


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz"])
def test_truncated_archives_are_refused(name, tmp_path):
    noise = np.random.default_rng(0).bytes(50_000)
    (tmp_path / "noise").write_bytes(noise)
    pack(tmp_path / name, tmp_path, "noise")
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:20_000])
    with pytest.raises(DamagedFile, match="cannot be unpacked"):
        unpack_tar(tmp_path / name, tmp_path / "in")
