"""What the gates of a scale make the claims read."""

import pytest
from workflow.configured import job_table, with_scale

from fdsl.schema.base import ConfigError
from fdsl.schema.study.gates import Gates
from fdsl.workflow.checks import check


def gated(**gates):
    return with_scale(job_table(), gates=Gates.model_validate(gates))


def test_without_gates_claims_read_the_records_of_their_tables_alone():
    table = gated()
    inputs, study = table.job("claims").inputs, table.config.studies["contours"]
    assert inputs["pretrained"] == []
    reports = {claim.table for claim in study.claims.values()}
    assert set(inputs["records"]) == {
        m.record("laptop") for name in reports for m in table.runs.of_report(name)
    }


def test_the_laptop_scale_has_gates_of_accuracy_probes_and_both_controls():
    inputs, plain = job_table().job("claims").inputs, gated().job("claims").inputs["records"]
    assert inputs["pretrained"]
    more = {path.split("/")[2:4][0] for path in set(inputs["records"]) - set(plain)}
    assert more == {"finetune", "probe"}
    control = "results/laptop/finetune/imagenet1k_shuffled-vit_micro-digits-s3/record.json"
    assert control in inputs["records"]
    assert control not in plain


@pytest.mark.parametrize("scale", ["laptop", "workstation", "paper"])
def test_claims_read_difficulties_where_images_are_not_the_published_ones(scale):
    table = job_table(scale=scale)
    claims, skip = table.config.studies["contours"].claims.values(), table.config.scales[scale].skip
    rows = {row for claim in claims if claim.needs.difficulty_ratio for row in claim.rows}
    names = (rows & table.config.synthetic.keys()) - skip.keys()
    assert {"perlin100", "rcdb1k_vertices", "exfractaldb1k"} <= names
    comparable = table.config.scales[scale].comparable
    assert comparable == (scale == "paper")
    found = table.job("claims").inputs["difficulty"]
    expected = set() if comparable else {f"results/{scale}/difficulty/{n}.json" for n in names}
    assert set(found) == expected
    assert len(found) == len(expected)


def test_the_accuracy_gate_reads_pretrainings():
    pretrained = gated(pretraining_accuracy=5).job("claims").inputs["pretrained"]
    assert "results/laptop/pretrain/rcdb1k-vit_micro-s0/record.json" in pretrained


def test_the_probe_gate_probes_every_row_of_a_claim():
    records = gated(finetune_beats_probe=1).job("claims").inputs["records"]
    for row in ("scratch", "perlin100", "rcdb1k_broken"):
        assert f"results/laptop/probe/{row}-vit_micro-digits-s0/record.json" in records
    plain = gated().job("claims").inputs["records"]
    assert "results/laptop/probe/perlin100-vit_micro-digits-s0/record.json" not in plain


def test_controls_are_run_also_where_no_table_has_them():
    table = gated(negative_control={"pretraining": "visualatom1k"})
    record = "results/laptop/finetune/visualatom1k-vit_micro-digits-s0/record.json"
    assert record in table.job("claims").inputs["records"]
    assert record in table.job("runs").inputs["records"]
    assert table.job("claims").spec["scales"]["table1"]["gates"]["negative_control"]


def test_an_unknown_control_is_refused():
    with pytest.raises(ConfigError, match="gates = 'visualatom1'"):
        check(gated(positive_control={"pretraining": "visualatom1"}).config)
