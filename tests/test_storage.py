import os
import signal
import subprocess
import sys
import textwrap

import pytest

from fdsl import storage


def test_a_written_file_is_whole_and_leaves_nothing_else(tmp_path):
    storage.write_json(tmp_path / "new" / "a.json", {"x": [1, None]})
    assert storage.read_json(tmp_path / "new" / "a.json") == {"x": [1, None]}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.json"]


def test_an_exception_leaves_the_old_file_and_no_temporary(tmp_path):
    path = tmp_path / "a.txt"
    storage.write_text(path, "old")
    with pytest.raises(RuntimeError), storage.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    storage.write_text(path, "old")
    code = f"""
        import os, signal
        from fdsl.storage import replacing
        with replacing({str(path)!r}) as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "old"


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


def test_digests(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert storage.digest(tmp_path / "a").startswith("ba7816bf8f01cfea")
    assert storage.digest_json({"a": 1, "b": 2}) == storage.digest_json({"b": 2, "a": 1})
    assert storage.digest_json({"a": 1}) != storage.digest_json({"a": 2})
