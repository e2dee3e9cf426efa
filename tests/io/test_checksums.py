from fdsl.io.checksums import digest, digest_and_size, digest_json


def test_digests(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert digest(tmp_path / "a").startswith("ba7816bf8f01cfea")
    assert digest_json({"a": 1, "b": 2}) == digest_json({"b": 2, "a": 1})
    assert digest_json({"a": 1}) != digest_json({"a": 2})


def test_the_digest_of_a_folder_depends_on_names_and_content(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"22")
    before = digest_and_size(tmp_path)
    (tmp_path / "deep" / ".hidden").write_bytes(b"3")
    assert digest_and_size(tmp_path) == before
    assert (before["bytes"], before["files"]) == (3, 2)
    (tmp_path / "b").rename(tmp_path / "c")
    renamed = digest_and_size(tmp_path)
    (tmp_path / "c").write_bytes(b"33")
    changed = digest_and_size(tmp_path)
    assert len({before["sha256"], renamed["sha256"], changed["sha256"]}) == 3
    (tmp_path / "c").write_bytes(b"22")
    (tmp_path / "c").rename(tmp_path / "b")
    assert digest_and_size(tmp_path) == before
