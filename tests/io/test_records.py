import json
from datetime import datetime

import pytest

from fdsl.io import records
from fdsl.io.checksums import digest
from fdsl.io.storage import DamagedFile

CONTENT = {
    "kind": "probe",
    "run": "a",
    "result": {"top1": 33.333333333333336, "counts": (1, 2)},
    "numbers": {10: "ten", 9: "nine"},
}


def test_a_record_is_read_as_it_was_written(tmp_path):
    path, made = tmp_path / "record.json", tmp_path / "model.safetensors"
    made.write_bytes(b"weights")
    records.write(path, CONTENT, outputs=[made, tmp_path / "absent"])
    found = records.read(path)
    assert found["result"] == {"top1": 33.333333333333336, "counts": [1, 2]}
    assert found["outputs"] == {str(made): {"sha256": digest(made), "bytes": 7}}
    assert datetime.fromisoformat(found["finished"]).utcoffset().total_seconds() == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [("33.333333333333336", "33.333333333333343"), ('"a"', '"b"'), ('"nine"', '"none"')],
)
def test_a_changed_digit_shows(tmp_path, old, new):
    path = tmp_path / "record.json"
    records.write(path, CONTENT)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(DamagedFile, match="its checksum differs"):
        records.read(path)


def test_layout_does_not_count(tmp_path):
    path = tmp_path / "record.json"
    records.write(path, CONTENT)
    path.write_text(json.dumps(json.loads(path.read_text()), sort_keys=True))
    assert records.read(path)["kind"] == "probe"


def test_a_record_of_an_earlier_version_has_no_checksum(tmp_path):
    path = tmp_path / "record.json"
    path.write_text('{"kind": "probe"}')
    assert records.read(path) == {"kind": "probe"}


@pytest.mark.parametrize("text", ["[]", "3", "{}", "", '{"kind": '])
def test_what_is_no_record_is_refused(tmp_path, text):
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(DamagedFile, match="run the same command again"):
        records.read(path)


def test_a_number_that_is_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        records.write(tmp_path / "record.json", {"kind": "probe", "loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "record"),
    [
        ("a/table3.csv", "a/table3.record.json"),
        ("a/shard-0001.arrow", "a/shard-0001.record.json"),
        ("a/composed_pictures", "a/composed_pictures.record.json"),
    ],
)
def test_a_record_stands_beside_what_it_is_about(path, record):
    assert records.record_path(path).as_posix() == record
