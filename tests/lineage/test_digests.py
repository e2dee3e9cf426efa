import hashlib

from fdsl.lineage.digests import digests


def test_digests_are_those_of_the_content_and_what_is_not_there_is_absent(tmp_path):
    paths = [tmp_path / str(number) for number in range(20)]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]) * 1000 * number)
    expected = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    for threads in (None, 1, 4):
        assert (
            digests([*paths, paths[0], tmp_path / "absent", tmp_path], threads=threads) == expected
        )
