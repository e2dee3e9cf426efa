"""What the gates of a scale make the claims read."""

import pytest
from workflow.configured import job_table, with_scale

from fdsl.schema.base import ConfigError
from fdsl.schema.study.gates import Gates
from fdsl.workflow.checks import check


def gated(**gates):
    return with_scale(job_table(), gates=Gates.model_validate(gates))


def test_without_gates_claims_read_the_records_of_their_tables_alone():
    inputs = job_table().job("claims").inputs
    assert inputs["pretrained"] == []
    assert len(gated().job("claims").inputs["records"]) == len(inputs["records"])


def test_the_accuracy_gate_reads_pretrainings():
    pretrained = gated(pretraining_accuracy=5).job("claims").inputs["pretrained"]
    assert "results/laptop/pretrain/rcdb1k-vit_micro-s0/record.json" in pretrained


def test_the_probe_gate_probes_every_row_of_a_claim():
    records = gated(finetune_beats_probe=1).job("claims").inputs["records"]
    for row in ("scratch", "perlin100", "rcdb1k_broken"):
        assert f"results/laptop/probe/{row}-vit_micro-digits-s0/record.json" in records
    plain = job_table().job("claims").inputs["records"]
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
