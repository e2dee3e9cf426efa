import errno
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from fdsl.io import storage
from fdsl.io.storage import DamagedFile


def test_a_written_file_is_whole_and_leaves_nothing_else(tmp_path):
    storage.write_json(tmp_path / "new" / "a.json", {"x": [1, None]})
    assert storage.read_json(tmp_path / "new" / "a.json") == {"x": [1, None]}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.json"]


def test_an_exception_leaves_the_old_file_and_no_temporary(tmp_path):
    path = tmp_path / "a.txt"
    storage.write_text(path, "old")
    with pytest.raises(RuntimeError), storage.atomic_write(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    storage.write_text(path, "old")
    code = f"""
        import os, signal
        from fdsl.io.storage import atomic_write
        with atomic_write({str(path)!r}) as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    for _ in range(3):
        killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
        assert killed.returncode == -signal.SIGKILL
        assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2, "half-written files pile up"
    storage.write_text(path, "new")
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_two_writers_at_once_do_not_share_a_temporary_file(tmp_path):
    path = tmp_path / "a.txt"
    with storage.atomic_write(path) as first, storage.atomic_write(path) as second:
        first.write_text("first, which is longer")
        second.write_text("second")
    assert path.read_text() == "first, which is longer"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_an_error_that_names_no_file_gets_the_name_of_the_one_that_was_written(tmp_path):
    with (
        pytest.raises(OSError, match=r"No space left on device: '.*a\.txt'"),
        storage.atomic_write(tmp_path / "a.txt"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert not list(tmp_path.iterdir())


def test_a_folder_comes_whole_with_a_seal_and_replaces_the_one_before_it(tmp_path):
    folder = tmp_path / "deep" / "set"
    for content in ("old", "new"):
        with storage.atomic_folder(folder) as temporary:
            (temporary / "part").mkdir()
            (temporary / "part" / "a.png").write_text(content)
    (folder / ".snakemake_timestamp").touch()
    storage.require_intact(folder)
    assert (folder / "part/a.png").read_text() == "new"
    assert [p.name for p in folder.parent.iterdir()] == ["set"]
    with pytest.raises(RuntimeError), storage.atomic_folder(folder):
        raise RuntimeError
    assert (folder / "part/a.png").read_text() == "new"
    assert [p.name for p in folder.parent.iterdir()] == ["set"]


def test_what_a_killed_writer_of_a_folder_left_is_used_again(tmp_path):
    code = f"""
        import os, signal
        from fdsl.io.storage import atomic_folder
        with atomic_folder({str(tmp_path / "set")!r}) as temporary:
            (temporary / "half").mkdir()
            os.kill(os.getpid(), signal.SIGKILL)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert not (tmp_path / "set").exists()
    with storage.atomic_folder(tmp_path / "set") as temporary:
        assert not list(temporary.iterdir())
        (temporary / "a").write_text("x")
    storage.require_intact(tmp_path / "set")
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize("damage", ["change", "remove", "add", "checksum", "no checksum"])
def test_a_folder_that_is_not_whole_is_named(tmp_path, damage):
    folder = tmp_path / "set"
    with storage.atomic_folder(folder) as temporary:
        (temporary / "a.png").write_bytes(b"abc")
        (temporary / "b.png").write_bytes(b"def")
    file, seal = folder / "a.png", folder / storage.FOLDER_CHECKSUMS
    {
        "change": lambda: file.write_bytes(b"abd"),
        "remove": file.unlink,
        "add": lambda: (folder / "a.more").write_bytes(b""),
        "checksum": lambda: seal.write_text(seal.read_text().replace("a.png", "A.png")),
        "no checksum": seal.unlink,
    }[damage]()
    with pytest.raises(DamagedFile, match=r"set.*run the same command again"):
        storage.require_intact(folder)


def test_no_single_flipped_bit_of_a_sealed_file_is_read_as_something_else(tmp_path):
    path, content = (
        tmp_path / "a.json",
        {"run": "x-s0", "correct": 41, "share": 0.5, "pair": [1, None]},
    )
    storage.write_checksummed(path, content)
    whole = path.read_bytes()
    for place in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            assert storage.read_checksummed(path) == content  # a blank became another
        except DamagedFile as error:
            assert "a.json" in str(error)
            assert "run the same command again" in str(error)


def test_what_was_written_comes_back_without_its_seal_and_a_file_without_one_is_refused(tmp_path):
    path = tmp_path / "a.json"
    storage.write_checksummed(path, {"a": (1, 2)})
    assert storage.read_checksummed(path) == {"a": [1, 2]}
    storage.write_json(path, {"a": [1, 2]})
    with pytest.raises(DamagedFile, match=r"a\.json has no checksum"):
        storage.read_checksummed(path)


def test_a_file_must_be_the_one_whose_digest_was_noted(tmp_path):
    path, note = tmp_path / "a.arrow", tmp_path / "a.json"
    path.write_bytes(b"abc")
    storage.write_digest(note, of=path)
    assert storage.require_digest(path, digest_file=note).startswith("ba7816bf8f01cfea")
    path.write_bytes(b"abd")
    with pytest.raises(
        DamagedFile, match=r"a\.arrow .3 bytes. is not the file that .*a\.json describes"
    ):
        storage.require_digest(path, digest_file=note)


def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        storage.write_text(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_json_refuses_what_json_cannot_hold(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        storage.write_json(tmp_path / "a.json", float("nan"))
    assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize("content", [b'{"x": 1', b"\xff\xfe", b"[" * 100_000, b"9" * 5000])
def test_damaged_json_is_named(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(storage.DamagedFile, match=r"a\.json is not valid JSON.*delete it"):
        storage.read_json(tmp_path / "a.json")


def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(tmp_path, monkeypatch):
    storage.require_writable(tmp_path / "missing" / "too")
    assert not list(tmp_path.iterdir())

    def refuse(**_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(storage.tempfile, "TemporaryFile", refuse)
    with pytest.raises(
        OSError, match=r"Read-only file system, so nothing.*make it writable"
    ) as stopped:
        storage.require_writable(tmp_path / "missing")
    assert stopped.value.filename == str(tmp_path)
