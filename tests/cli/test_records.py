import json

from fdsl.cli import records
from fdsl.io import records as record_files
from fdsl.io.checksums import digest
from fdsl.schema.yaml_files import workflow_folder


def test_a_record_says_what_was_asked_by_whom_and_on_what(tmp_path):
    given, made = tmp_path / "given.json", tmp_path / "shard-0001.arrow"
    given.write_text("{}")
    made.write_bytes(b"images")
    record = record_files.record_path(made)
    asked = records.asked(json.dumps({"seed": 3}))
    records.leave(record, "render_shard", asked, "abc", seed=3, inputs=[given], outputs=[made])
    found = record_files.read(record)
    assert (found["kind"], found["run"], found["seed"]) == ("render_shard", "shard-0001", 3)
    assert (found["order"], found["code"]) == ({"seed": 3}, "abc")
    assert found["inputs"] == {str(given): digest(given)}
    assert found["outputs"] == {str(made): {"sha256": digest(made), "bytes": 6}}
    assert {"processor", "cores", "memory_mib", "python", "numpy", "fdsl"} <= found[
        "environment"
    ].keys()
    assert found["started"] <= found["finished"]


def test_no_record_holds_where_the_checkout_lies():
    published = workflow_folder() / "published" / "tables.csv"
    roundabout = published.parent / ".." / "published" / "tables.csv"
    for path in (published, roundabout):
        assert records.digests([path]) == {"workflow/published/tables.csv": digest(published)}
