import json
import os
import shutil
from pathlib import Path

import pytest
from lineage.finished import TABLE, expected, finish, outputs, run
from workflow.configured import job_table

from fdsl.io import checksums, records as record_files, storage
from fdsl.lineage.verify import Status, verify
from fdsl.schema.base import ConfigError

RESULTS = Path("results")
KEY = "fractaldb1k-vit_micro-s0"
WEIGHTS = f"results/laptop/pretrain/{KEY}/model.safetensors"
RECORD = "results/laptop/finetune/fractaldb1k-vit_micro-digits-s0/record.json"
PARAMETERS = "results/laptop/parameters/fractaldb1k.parquet"


def findings(wanted, *statuses):
    found = verify(RESULTS, wanted).findings
    return {f.path: f.reason for f in found if not statuses or f.status in statuses}


def flip(path, place=100):
    """Change one bit of a file and nothing of its times."""
    stat, content = Path(path).stat(), bytearray(Path(path).read_bytes())
    content[place % len(content)] ^= 1
    Path(path).write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def rewrite(path, **changes):
    """Change a record and seal it again, as a job would have left it."""
    content = {**json.loads(Path(path).read_text()), **changes}
    content["checksum"] = checksums.checksum(content)
    storage.write_json(path, content)


def test_a_finished_table_is_as_it_should_be(finished, wanted):
    found = verify(RESULTS, wanted)
    assert found.findings == ()
    assert not found.failed(strict=True)
    records = {name for name in found.absent if name in finished}
    assert records == set()
    assert found.undigested == ()
    made = {path for job in finished.values() for path in outputs(job)}
    assert found.files == len(
        made | {n for n in finished if "/tables/" not in n and _read(n, finished)}
    )


def _read(record, jobs):
    return any(record in (job.recorded_inputs) for job in jobs.values())


def test_every_changed_bit_is_found(finished, wanted):
    """One file of each kind, whatever its format: the file or its record is named, and nothing else
    is damaged.
    """
    kinds = {}
    for job in finished.values():
        for path in (job.record, *job.outputs.values()):
            kinds.setdefault((job.rule, Path(path).name.split(".", 1)[-1]), path)
    assert len(kinds) > 15
    for path in kinds.values():
        kept = Path(path).read_bytes()
        for place in (0, len(kept) // 2, len(kept) - 2):
            flip(path, place)
            found = verify(RESULTS, wanted)
            assert [f.path for f in found.findings if f.status is Status.DAMAGED] == [path]
            assert found.failed(strict=False)
            Path(path).write_bytes(kept)
    assert verify(RESULTS, wanted).findings == ()


@pytest.mark.parametrize("path", [WEIGHTS, RECORD, PARAMETERS, TABLE])
def test_a_truncated_or_empty_file_is_damaged(finished, wanted, path):
    kept = Path(path).read_bytes()
    for length in (0, 1, len(kept) - 2):
        Path(path).write_bytes(kept[:length])
        assert path in findings(wanted, Status.DAMAGED), length


@pytest.mark.parametrize("path", [WEIGHTS, PARAMETERS, PARAMETERS.replace(".parquet", ".json")])
def test_a_missing_partner_is_damage(finished, wanted, path):
    Path(path).unlink()
    assert "is missing" in findings(wanted, Status.DAMAGED)[path]


def test_a_job_that_has_not_run_is_no_fault(wanted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    RESULTS.mkdir()
    found = verify(RESULTS, wanted)
    assert found.findings == ()
    assert len(found.absent) > 100


def test_other_code_makes_a_file_and_what_follows_stale(finished, wanted):
    name = f"results/laptop/pretrain/{KEY}/record.json"
    rewrite(name, code="000000000000")
    found = findings(wanted)
    assert found.pop(name).startswith("other code: 000000000000, now ")
    followers = {n for n, job in finished.items() if WEIGHTS in (job.recorded_inputs)}
    assert found.keys() == followers | {TABLE.replace(".csv", ".record.json")}
    assert "out of date" in found[RECORD]
    stale = verify(RESULTS, wanted)
    assert not stale.failed(strict=False)
    assert stale.failed(strict=True)


def test_another_spec_is_stale_and_the_difference_is_named(finished):
    other = expected(dataset_seed=7)
    found = findings(other, Status.STALE)
    assert found[PARAMETERS.replace(".parquet", ".record.json")] == "another spec: seed: 0, now 7"
    assert "results/laptop/downstream/digits.record.json" not in found


def test_remade_weights_make_their_readers_stale(finished, wanted):
    Path(WEIGHTS).write_bytes(b"other weights")
    job = finished[f"results/laptop/pretrain/{KEY}/record.json"]
    inputs = {name: checksums.digest(name) for name in job.recorded_inputs}
    content = json.loads(Path(job.record).read_text()) | {"inputs": inputs}
    record_files.write(
        job.record, {k: v for k, v in content.items() if k != "checksum"}, outputs=outputs(job)
    )
    found = findings(wanted, Status.STALE)
    assert f"{WEIGHTS} has changed" in found[RECORD]
    assert findings(wanted, Status.DAMAGED) == {}


def test_a_record_in_the_place_of_another_is_foreign(finished, wanted):
    other = RECORD.replace("-s0/", "-s1/")
    shutil.copy(other, RECORD)
    found = findings(wanted, Status.FOREIGN)
    assert "its run is 'fractaldb1k-vit_micro-digits-s1'" in found[RECORD]
    assert verify(RESULTS, wanted).failed(strict=True)


def test_a_record_of_other_inputs_is_foreign(finished, wanted):
    rewrite(RECORD, inputs={"results/laptop/downstream/fashion_mnist.json": "0" * 64})
    reason = findings(wanted, Status.FOREIGN)[RECORD]
    assert "made from other inputs" in reason
    assert "digits.json" in reason


def test_what_nothing_asks_for_is_foreign_and_no_failure(finished, wanted):
    stranger = Path("results/laptop/pretrain/mine-vit_micro-s0/model.safetensors")
    stranger.parent.mkdir()
    stranger.write_bytes(b"\0" * 8)
    Path("results/notes.txt").write_text("mine")
    Path("results/paper").mkdir()
    Path("results/paper/x.txt").write_text("mine")
    Path("results/tables/.table3.csv.abc.tmp").write_text("half")
    verified = verify(RESULTS, wanted)
    found = {f.path: f.reason for f in verified.findings if f.status is Status.FOREIGN}
    assert found.keys() == {
        stranger.as_posix(),
        "results/notes.txt",
        "results/paper/x.txt",
        "results/tables/.table3.csv.abc.tmp",
    }
    assert "of scale paper" in found["results/paper/x.txt"]
    assert "killed" in found["results/tables/.table3.csv.abc.tmp"]
    stranger.unlink()  # which was truncated, too
    assert not verify(RESULTS, wanted).failed(strict=True)


def test_what_a_training_keeps_for_itself_is_not_foreign(finished, wanted):
    for name in [
        f"pretrain/{KEY}/tensorboard/events.1",
        f"checkpoints/{KEY}.lock",
        f"checkpoints/{KEY}/step-000000010.pt",
    ]:
        path = RESULTS / "laptop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"kept")
    found = verify(RESULTS, wanted)
    assert found.findings == ()
    assert len(found.undigested) == 3
    pointer = RESULTS / f"laptop/checkpoints/{KEY}/step-000000010.json"
    storage.write_json(pointer, {"file": "step-000000010.pt", "sha256": "0" * 64})
    assert list(findings(wanted, Status.DAMAGED)) == [str(pointer.with_suffix(".pt"))]


def test_a_foreign_run_is_reported_once(finished, wanted):
    folder = RESULTS / "laptop/pretrain/mine-vit_micro-s0"
    shutil.copytree(Path(WEIGHTS).parent, folder)
    found = findings(wanted, Status.FOREIGN)
    assert found.keys() == {f"{folder}/record.json"}


def test_another_scale_makes_everything_foreign(finished):
    found = verify(RESULTS, expected(scale="workstation"))
    assert {f.status for f in found.findings if "/laptop/" in f.path} == {Status.FOREIGN}


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "results/../../outside"])
def test_no_record_leads_out_of_the_folder(finished, wanted, name):
    rewrite(RECORD, outputs={name: {"sha256": "0" * 64, "bytes": 1}})
    assert "no file below" in findings(wanted, Status.DAMAGED)[RECORD]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"kind": 1',
        "\x00",
        '{"kind": "finetune", "outputs": [1], "inputs": 3}',
    ],
)
def test_any_content_of_a_record_is_reported(finished, wanted, text):
    Path(RECORD).write_text(text)
    assert RECORD in findings(wanted, Status.DAMAGED) | findings(wanted, Status.FOREIGN)


def test_a_result_of_an_earlier_version_is_stale(finished, wanted):
    Path(TABLE.replace(".csv", ".record.json")).unlink()
    content = json.loads(Path(RECORD).read_text())
    for entry in ("spec", "outputs", "checksum"):
        content.pop(entry)
    storage.write_json(RECORD, content)
    found = findings(wanted)
    assert "no spec" in found[RECORD]
    assert "no record" in found[TABLE]


def test_a_composed_folder_is_one_thing(wanted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = next(job for job in wanted.jobs.values() if job.rule == "compose")
    compose(wanted, job)
    assert verify(RESULTS, wanted).findings == ()
    (target,) = outputs(job)
    Path(target, ".snakemake_timestamp").touch()
    assert verify(RESULTS, wanted).findings == ()
    flip(f"{target}/pictures/1.png")
    assert list(findings(wanted, Status.DAMAGED)) == [target]
    shutil.rmtree(target)
    assert "is missing" in findings(wanted, Status.DAMAGED)[target]


def compose(wanted, job):
    (target,) = outputs(job)
    for manifest in job.recorded_inputs:
        finish(wanted, manifest)
    for number in range(3):
        storage.write_bytes(f"{target}/pictures/{number}.png", bytes(range(100)) + bytes([number]))
    record = {
        "kind": "compose",
        "run": Path(target).name,
        "spec": job.spec,
        "code": job.code,
        "inputs": {path: checksums.digest(path) for path in job.recorded_inputs},
    }
    record_files.write(job.record, record, outputs=[target])


def test_a_folder_that_is_none_is_refused(wanted, tmp_path):
    with pytest.raises(ValueError, match="is no folder"):
        verify(tmp_path / "absent", wanted)


def test_the_number_of_threads_does_not_matter(finished, wanted):
    flip(WEIGHTS)
    one, many = (verify(RESULTS, wanted, threads=n) for n in (1, 7))
    assert one == many


def test_a_job_that_ran_again_is_as_it_should_be(finished, wanted):
    for job in finished.values():
        run(job)
    stale = findings(wanted)
    assert stale.keys() <= {
        n for n, job in finished.items() if any(p in finished for p in job.recorded_inputs)
    }


def test_a_fault_of_the_configuration_is_named():
    with pytest.raises(ConfigError, match="scale"):
        job_table(scale="huge")
