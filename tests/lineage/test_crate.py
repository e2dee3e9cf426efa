import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from lineage.finished import TABLE
from workflow.configured import job_table

from fdsl.io.checksums import digest
from fdsl.io.storage import DamagedFile
from fdsl.lineage import crate as crates
from fdsl.lineage.crate import write_crate

pytest.importorskip("rocrate")

VALIDATOR = os.environ.get("ROCRATE_VALIDATOR") or shutil.which("rocrate-validator")
MIB = 2**20
WEIGHTS = "results/laptop/pretrain/fractaldb1k-vit_micro-s0/model.safetensors"
RECORD = "results/laptop/finetune/fractaldb1k-vit_micro-digits-s0/record.json"


@pytest.fixture(scope="module")
def configuration():
    return job_table()


@pytest.fixture
def made(finished, configuration):
    """The crate of a finished table: its folder and its entities by their identifiers."""
    result = write_crate(Path(TABLE), Path("crate"), configuration, largest_bytes=MIB)
    assert result.warnings == ()
    assert result.jobs == len(finished)
    return Path("crate"), entities(Path("crate"))


def entities(folder):
    content = json.loads((folder / "ro-crate-metadata.json").read_text())
    found = {entity["@id"]: entity for entity in content["@graph"]}
    assert len(found) == len(content["@graph"]), "two entities have one identifier"
    return found


def references(value):
    """Yield every identifier that is referred to."""
    if isinstance(value, dict):
        if value.keys() == {"@id"}:
            yield value["@id"]
        else:
            for key, inner in value.items():
                if key != "@id":
                    yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_file_is_carried_whole_with_size_and_digest(made):
    folder, found = made
    files = [entity for entity in found.values() if "File" in entity["@type"]]
    assert len(files) > 200
    for entity in files:
        path = folder / entity["@id"]
        assert (str(path.stat().st_size), digest(path)) == (entity["contentSize"], entity["sha256"])
    carried = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert carried == {entity["@id"] for entity in files} | {"ro-crate-metadata.json"}
    for name in [
        TABLE,
        RECORD,
        WEIGHTS,
        "Snakefile",
        "config.yaml",
        "workflow/studies/contours.yaml",
        "fdsl/workflow/specs.py",
    ]:
        assert name in carried
    assert not any("__pycache__" in name for name in carried)


def test_every_reference_leads_to_an_entity(made):
    _, found = made
    for entity in found.values():
        named = set(references(list(entity.values())))
        assert {name for name in named if not name.startswith("http")} <= found.keys()


def test_every_job_is_an_action_with_times_inputs_outputs_and_settings(made, finished):
    _, found = made
    actions = {f"#job-{name}": job for name, job in finished.items()}
    assert {i for i, e in found.items() if e["@type"] == "CreateAction"} == {*actions, "#run"}
    for identifier, job in actions.items():
        action = found[identifier]
        assert action["startTime"] == "2026-01-02T03:04:05+00:00"
        assert action["endTime"] > action["startTime"]
        objects, results = (
            [e["@id"] for e in _list(action.get(key, []))] for key in ("object", "result")
        )
        assert set(job.recorded_inputs) <= set(objects)
        assert set(job.outputs.values()) == set(results)
        assert json.loads(found[f"#spec-{job.record}"]["value"]) == job.spec
        tool = found[action["instrument"]["@id"]]
        assert tool["softwareVersion"] == f"0.1.0+{job.code}"
    assert {p["@id"] for p in _list(found["./"]["mentions"])} >= actions.keys() | {"#run"}


def _list(value):
    return value if isinstance(value, list) else [value]


def test_the_run_leads_from_the_configuration_to_the_table(made):
    _, found = made
    run, root = found["#run"], found["./"]
    assert root["mainEntity"] == run["instrument"] == {"@id": "Snakefile"}
    assert {"@id": TABLE} in run["result"]
    assert {"@id": "config.yaml"} in run["object"]
    assert {"@id": "results/laptop/downstream/digits.json"} in run["object"]
    assert root["datePublished"] == run["endTime"]
    engine = found[found["#engine-run"]["instrument"]["@id"]]
    assert (engine["name"], engine["softwareVersion"]) == ("Snakemake", "9.27.1")
    assert [p["@id"].rsplit("/", 2)[1] for p in root["conformsTo"]] == [
        "process",
        "workflow",
        "provenance",
        "workflow-ro-crate",
    ]


def test_licences_of_images_are_included(made, configuration):
    _, found = made
    terms = found["results/laptop/downstream/digits.json"]["license"]["@id"]
    assert found[terms]["description"] == configuration.config.downstream["digits"].licence
    assert found["./"]["license"] == {"@id": "https://spdx.org/licenses/MIT"}


def test_what_is_not_known_is_left_out(finished, configuration):
    for record in finished:
        content = json.loads(Path(record).read_text())
        for entry in ("checksum", "spec", "started", "finished", "environment", "outputs", "seed"):
            content.pop(entry, None)
        Path(record).write_text(json.dumps(content))
    os.utime(TABLE, (1_700_000_000, 1_700_000_000))
    write_crate(Path(TABLE), Path("crate"), configuration, largest_bytes=MIB)
    found = entities(Path("crate"))
    assert found["./"]["datePublished"] == "2023-11-14T22:13:20+00:00"
    for identifier, entity in found.items():
        if "Action" in str(entity["@type"]):
            assert not {"startTime", "endTime"} & entity.keys(), identifier
        if entity["@type"] == "SoftwareApplication":
            assert "softwareVersion" not in entity, identifier
    assert not any(i.startswith(("#spec-", "#seed-")) for i in found)
    assert "unknown" not in json.dumps(found["#snakemake"])


def test_large_files_are_described_and_not_carried(finished, configuration):
    result = write_crate(Path(TABLE), Path("crate"), configuration, largest_bytes=100)
    found = entities(Path("crate"))
    entity = found[f"#{WEIGHTS}"]
    assert entity["@type"] == "CreativeWork"
    assert (entity["contentSize"], entity["sha256"]) == (
        str(Path(WEIGHTS).stat().st_size),
        digest(WEIGHTS),
    )
    assert not Path("crate", WEIGHTS).exists()
    assert Path("crate", RECORD).exists()
    assert {"@id": f"#{WEIGHTS}"} in _list(found[f"#job-{RECORD}"]["object"])
    assert any("described, but not carried" in warning for warning in result.warnings)


def test_equal_inputs_give_equal_bytes(finished, configuration):
    for name in ("a.zip", "b.zip"):
        write_crate(Path(TABLE), Path(name), configuration, largest_bytes=MIB)
        for path in Path("results").rglob("*"):
            os.utime(path)  # times of files are not content
    assert Path("a.zip").read_bytes() == Path("b.zip").read_bytes()
    with zipfile.ZipFile("a.zip") as archive:
        assert archive.testzip() is None
        assert "ro-crate-metadata.json" in archive.namelist()


def test_a_folder_and_an_archive_hold_the_same(finished, configuration):
    write_crate(Path(TABLE), Path("crate"), configuration, largest_bytes=MIB)
    write_crate(Path(TABLE), Path("crate.zip"), configuration, largest_bytes=MIB)
    with zipfile.ZipFile("crate.zip") as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    assert held == {
        path.relative_to("crate").as_posix(): path.read_bytes()
        for path in Path("crate").rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("name", ["crate", "crate.zip"])
def test_nothing_is_overwritten_and_a_failure_leaves_nothing(
    finished, configuration, name, monkeypatch
):
    before = sorted(Path.cwd().rglob("*"))

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copy", fail)
    with pytest.raises(OSError, match="No space"):
        write_crate(Path(TABLE), Path(name), configuration, largest_bytes=MIB)
    assert sorted(Path.cwd().rglob("*")) == before
    Path(name).write_text("mine")
    with pytest.raises(DamagedFile, match="in the way"):
        write_crate(Path(TABLE), Path(name), configuration, largest_bytes=MIB)
    assert Path(name).read_text() == "mine"


@pytest.mark.parametrize("path", [WEIGHTS, TABLE, "results/laptop/downstream/digits.json"])
def test_a_damaged_file_is_not_packed(finished, configuration, path):
    content = bytearray(Path(path).read_bytes())
    content[15] ^= 4  # a letter, so that JSON stays JSON
    Path(path).write_bytes(content)
    with pytest.raises(DamagedFile, match="its record says"):
        write_crate(Path(TABLE), Path("crate"), configuration, largest_bytes=MIB)
    assert not Path("crate").exists()


def test_another_configuration_is_a_warning(finished):
    result = write_crate(Path(TABLE), Path("crate"), job_table(dataset_seed=3), largest_bytes=MIB)
    assert any("for other specs than the crate's configuration" in w for w in result.warnings)


def test_a_crate_needs_a_checkout(finished, configuration, tmp_path, monkeypatch):
    (tmp_path / "package").mkdir()
    monkeypatch.setattr(crates, "workflow_folder", lambda: tmp_path / "package/workflow")
    with pytest.raises(ValueError, match="has no Snakefile"):
        write_crate(Path(TABLE), Path("crate"), configuration, largest_bytes=MIB)


@pytest.mark.skipif(
    VALIDATOR is None,
    reason=(
        "rocrate-validator is neither on PATH nor named by ROCRATE_VALIDATOR; docs/provenance.md"
        " says how to install it"
    ),
)
def test_the_validator_finds_no_fault(made):
    folder, _ = made
    checked = subprocess.run(
        [
            str(VALIDATOR),
            "-y",
            "validate",
            "--no-paging",
            "-l",
            "required",
            "-p",
            "provenance-run-crate-0.5",
            str(folder),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
