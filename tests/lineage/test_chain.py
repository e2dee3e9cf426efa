import json
from pathlib import Path

import pytest
from lineage.finished import CELL, TABLE, finish

from fdsl.io import checksums, storage
from fdsl.io.checksums import digest
from fdsl.io.storage import DamagedFile
from fdsl.lineage.chain import chain
from fdsl.lineage.tree import tree
from fdsl.schema.base import ConfigError

WEIGHTS = "results/laptop/pretrain/fractaldb1k-vit_micro-s0/model.safetensors"
SHARD = "results/laptop/images/fractaldb1k/shard-0000.arrow"
PARAMETERS = "results/laptop/parameters/fractaldb1k.parquet"
MANIFEST = "results/laptop/downstream/digits.json"


def test_a_cell_leads_to_formula_settings_seed_and_pictures(finished):
    found = chain(Path(TABLE), cell=CELL)
    record = "results/laptop/finetune/fractaldb1k-vit_micro-digits-s0/record.json"
    assert found.sources(record) == {MANIFEST: digest(MANIFEST), WEIGHTS: digest(WEIGHTS)}
    assert SHARD in found.sources(WEIGHTS)
    assert found.sources(SHARD) == {PARAMETERS: digest(PARAMETERS)}
    assert found.sources(PARAMETERS) == {}
    end = found.records[found.files[PARAMETERS].record]
    assert end["spec"]["dataset"]["formula"] == "fractaldb"
    assert end["spec"]["dataset"]["settings"]["points"] > 0
    assert end["seed"] == 0
    for name, file in found.files.items():
        if name.startswith("results/"):
            assert (file.sha256, file.size) == (digest(name), Path(name).stat().st_size)
    assert all(digest(name) == found.files[name].sha256 for name in (WEIGHTS, SHARD, PARAMETERS))
    assert not any("scratch" in name for name in found.records)


def test_a_whole_table_leads_to_every_record(finished):
    found = chain(Path(TABLE))
    assert found.records.keys() == finished.keys()
    assert found.cells[2].reason == "no pictures"


@pytest.mark.parametrize(
    "name",
    [
        WEIGHTS,
        SHARD,
        PARAMETERS,
        MANIFEST,
        "results/tables/table3.md",
        "results/laptop/finetune/scratch-vit_micro-digits-s0/record.json",
    ],
)
def test_the_chain_of_anything_begins_with_its_record(finished, name):
    found = chain(Path(name))
    assert found.target == name
    assert found.records
    first, second = tree(found).splitlines()[:2]
    assert first.startswith(name)
    assert "code " in second


def test_json_has_all_of_it(finished):
    plain = json.loads(json.dumps(chain(Path(TABLE), cell=CELL).as_json()))
    assert plain["files"][WEIGHTS]["sha256"] == digest(WEIGHTS)
    assert plain["cells"][0]["cell"] == list(CELL)
    assert plain["manifests"][MANIFEST]["parts"]["train"]["images"] == 3


def test_the_tree_tells_each_part_once_and_names_what_decides(finished):
    text = tree(chain(Path(TABLE), cell=CELL))
    assert text.count(f"{WEIGHTS}  sha256 {digest(WEIGHTS)[:16]}") == 1
    assert text.count(f"{MANIFEST}  sha256 {digest(MANIFEST)[:16]}") == 1
    assert text.count(f"{MANIFEST}: as above") == 3
    assert "formula fractaldb" in text
    for seed in range(4):  # each replicate has its own draw
        assert text.count(f"sample_parameters fractaldb1k{f'-d{seed}' if seed else ''};") == 1
        assert f"root seed {seed}; points=3000, weights=2" in text
    assert text.count("points=3000") == 4
    assert "digits; train: 3 images, sha256 0000" in text
    assert "machine [1]" in text
    assert "[1] python 3.11.7" in text
    assert "FractalDB-1k / Digits, 200 labels: 49.26 ± 7.78, n = 3" in text
    assert "scratch" not in text


def test_many_shards_are_one_line(finished):
    record = "results/laptop/pretrain/fractaldb1k-vit_micro-s0/record.json"
    content = json.loads(Path(record).read_text())
    names = [SHARD.replace("0000", f"{number:04d}") for number in range(64)]
    content["inputs"] = dict.fromkeys(names, "0" * 64)
    content["checksum"] = checksums.checksum(content)
    storage.write_json(record, content)
    text = tree(chain(Path(record)))
    assert f"64 files, {names[0]} to shard-0063.arrow, the first: {SHARD}" in text
    assert text.count("shard-00") < 10


def test_the_chain_goes_on_where_a_file_is_gone(finished):
    for gone in (SHARD, WEIGHTS):
        Path(gone).unlink()
    found = chain(Path(TABLE), cell=CELL)
    assert not found.files[WEIGHTS].there
    assert PARAMETERS in found.files
    assert f"{WEIGHTS}  sha256" in tree(found)
    assert "(not here)" in tree(found)


def test_a_missing_record_is_reported(finished):
    gone = next(path for path in finished if "/finetune/fractaldb1k-vit_micro-digits-s0" in path)
    Path(gone).unlink()
    found = chain(Path(TABLE), cell=CELL)
    assert not found.files[gone].there
    assert f"{gone}  no digest  (not here)" in tree(found)


def test_a_damaged_record_stops_the_chain(finished):
    record = Path("results/laptop/pretrain/fractaldb1k-vit_micro-s0/record.json")
    record.write_text(record.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(DamagedFile, match="its checksum differs"):
        chain(Path(TABLE))


@pytest.mark.parametrize(
    ("cell", "message"),
    [(("Fractal", "x"), "FractalDB-1k"), ((CELL[0], "Cars"), "Digits, 200 labels")],
)
def test_an_unknown_cell_names_those_that_there_are(finished, cell, message):
    with pytest.raises(ConfigError, match=message):
        chain(Path(TABLE), cell=cell)


def test_what_fits_no_file_is_refused(finished):
    with pytest.raises(ValueError, match="--claim is for claims"):
        chain(Path(TABLE), claim="x")
    with pytest.raises(ValueError, match="--cell is for tables"):
        chain(Path(WEIGHTS), cell=CELL)
    with pytest.raises(DamagedFile, match="is missing"):
        chain(Path("results/tables/table9.csv"))
    Path("results/tables/mine.md").write_text("mine")
    with pytest.raises(DamagedFile, match="no record says what results/tables/mine"):
        chain(Path("results/tables/mine.md"))


def test_a_table_tells_when_it_was_made_and_by_which_code(finished):
    first, second = tree(chain(Path(TABLE))).splitlines()[:2]
    assert first == f"{TABLE}  sha256 {digest(TABLE)[:16]}, {Path(TABLE).stat().st_size:,} bytes"
    assert second.startswith("table table3; ")
    assert finished["results/tables/table3.record.json"].code in second


def test_a_table_of_an_earlier_version_still_names_its_records(finished):
    Path("results/tables/table3.record.json").unlink()
    found = chain(Path(TABLE))
    assert WEIGHTS in found.files
    assert found.files[TABLE].sha256 == digest(TABLE)


def test_a_claim_leads_to_the_runs_that_it_compares(wanted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    finish(wanted, "results/claims.csv")
    order = wanted.jobs["results/claims.record.json"].spec
    name, claim = next(iter(order["studies"]["contours"]["claims"].items()))
    lines = [
        "claim,sentence,table,effect,verdict,note",
        f'{name},"{claim["sentence"]}",t,1.00,supported,',
    ]
    Path("results/claims.csv").write_text("\n".join(lines) + "\n")
    found = chain(Path("results/claims.csv"), claim=name)
    compared = {*claim["better"], *claim["worse"]}
    assert {found.records[path]["pretraining"] for path in found.cells[0].records} == compared
    with pytest.raises(ConfigError, match=name):
        chain(Path("results/claims.csv"), claim="nothing")
