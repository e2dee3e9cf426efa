"""Run keys, and which trainings stand behind a report."""

import pytest
from hypothesis import given, strategies as st
from workflow.configured import job_table, with_study

from fdsl.schema import yaml_files
from fdsl.schema.base import ConfigError
from fdsl.workflow.runs import Draw, Run

names = st.from_regex(yaml_files.NAME, fullmatch=True).filter(lambda name: "\n" not in name)


@given(names, names, st.integers(0, 10**6), st.none() | names)
def test_a_run_key_reads_back(pretraining, model, seed, downstream):
    run = Run(pretraining, model, seed, downstream)
    assert Run.read(run.key) == run


@pytest.mark.parametrize(
    "key",
    ["", "fractaldb1k", "fractaldb1k-vit_tiny", "a-b-c-d-s0", "../x-b-s0", "a-b-s-1", "A-b-s0"],
)
def test_what_is_not_a_run_key_is_refused(key):
    with pytest.raises(ValueError, match="is not a run key"):
        Run.read(key)


@given(names, st.integers(0, 10**6))
def test_a_draw_reads_back_and_the_first_has_the_name_of_its_dataset(dataset, number):
    draw = Draw(dataset, number)
    assert Draw.read(draw.key) == draw
    assert (draw.key == dataset) == (number == 0)
    assert Draw.read(dataset) == Draw(dataset, 0)


@pytest.mark.parametrize(
    "key", ["", "rcdb1k-d0", "rcdb1k-d01", "rcdb1k-d", "rcdb1k-dx", "rcdb1k-d-1", "Rcdb-d1", "a\n"]
)
def test_what_is_no_draw_is_refused(key):
    with pytest.raises(ValueError, match="is not a dataset or a draw"):
        Draw.read(key)


def test_a_draw_of_what_is_not_drawn_is_no_target():
    for name in ("cifar10-d1", "rcdb1-d1"):
        with pytest.raises(ConfigError, match=f"dataset = '{name}' is unknown"):
            job_table().needed([f"results/laptop/parameters/{name}.parquet"])
    with pytest.raises(ConfigError, match="is no file of the workflow"):
        job_table().needed(["results/laptop/parameters/rcdb1k-d0.parquet"])


def test_a_scale_runs_the_papers_columns_whose_dataset_is_at_hand(tmp_path):
    """Beside its stand-ins; nothing is planned for what is not there."""

    def measured():
        runs = job_table(data_root=str(tmp_path)).runs
        columns = runs.columns("table3", runs.table("table3").columns)
        found = {m.run.downstream for m in runs.of_table("table3")}
        return found, [column.dataset for column in columns]

    standing = ["fashion_mnist", "digits"]
    assert measured() == ({*standing}, standing)
    folder = job_table().config.downstream["cifar10"].folder
    (tmp_path / folder).mkdir(parents=True)
    assert measured() == ({*standing, "cifar10"}, [*standing, "cifar10"])
    elsewhere = job_table(data_root="nowhere").runs.of_claims()
    assert {m.run.downstream for m in elsewhere} == {*standing}


def test_a_table_needs_each_row_column_and_seed_once():
    found = job_table().runs.of_table("table3")
    runs = [measurement.run for measurement in found if measurement.stage == "finetune"]
    # each is evaluated with frozen features too
    assert len(set(found)) == len(found) == 2 * len(runs)
    assert len(runs) == len(set(runs)) == (6 * 2 - 1) * 4
    assert {run.pretraining for run in runs} == {
        "scratch",
        "fractaldb1k",
        "rcdb1k",
        "exfractaldb1k",
        "imagenet1k_supervised",
        "imagenet1k_dino",
    }
    assert {run.downstream for run in runs} == {"fashion_mnist", "digits"}


def test_table_5_needs_one_detection_for_each_row_whatever_its_columns():
    laptop = job_table()
    found = laptop.runs.of_table("table5")
    assert {measurement.stage for measurement in found} == {"detect"}
    assert [measurement.run.pretraining for measurement in found] == [
        row.pretraining
        for row in laptop.runs.table("table5").rows
        if row.pretraining != "imagenet21k_supervised"  # whose stand-in another row has
    ]
    keys = {(m.run.model, m.run.downstream, m.run.seed) for m in found}
    assert keys == {("vit_micro", "composed_pictures", 0)}
    assert len(job_table(seeds=[4, 5]).runs.of_table("table5")) == 2 * len(found) == 12
    paper = job_table(scale="paper").runs.of_table("table5")
    assert {(m.run.model, m.run.downstream) for m in paper} == {("swin_base", "coco2017")}


def test_what_was_pretrained_on_the_labels_of_a_dataset_is_not_evaluated_on_it():
    keys = {m.run.key for m in job_table().runs.of_table("table3")}
    assert "imagenet1k_supervised-vit_micro-digits-s0" in keys
    assert "imagenet1k_supervised-vit_micro-fashion_mnist-s0" not in keys
    assert "imagenet1k_dino-vit_micro-fashion_mnist-s0" in keys


def test_a_gain_over_another_table_needs_its_records():
    found = {m.run.pretraining for m in job_table().runs.of_table("table2")}
    assert found == {
        "bezier1024",
        "bezier144",
        "rcdb1k",
        "rcdb1k_vertices",
        "exfractaldb1k",
        "fractaldb1k",
    }


def test_a_column_may_choose_the_network():
    models = {m.run.model for m in job_table(scale="paper").runs.of_table("table4")}
    assert models == {"vit_tiny", "vit_base"}


def test_the_paper_scale_runs_the_printed_columns():
    found = job_table(scale="paper").runs.of_table("table3")
    assert {m.run.downstream for m in found} == {
        "cifar10",
        "cifar100",
        "cars",
        "flowers",
        "voc12",
        "places30",
        "imagenet100",
    }


def test_the_users_seeds_replace_the_scales():
    assert {m.run.seed for m in job_table(seeds=[7]).runs.of_table("table3")} == {7}


def test_a_row_of_published_weights_runs_their_network():
    paper = job_table(scale="paper")
    table = paper.runs.table("table3")
    row = table.rows[0].model_copy(update={"pretraining": "authors_fractaldb1k_resnet50"})
    changed = with_study(
        paper, tables={"table3": table.model_copy(update={"rows": [*table.rows, row]})}
    )
    runs = [measurement.run for measurement in changed.runs.of_table("table3")]
    assert {run.model for run in runs if run.pretraining == row.pretraining} == {"resnet50"}
    assert {run.model for run in runs if run.pretraining != row.pretraining} == {"vit_tiny"}
    pretrainings = changed.runs.pretrainings(changed.runs.of_table("table3"))
    assert row.pretraining not in {run.pretraining for run in pretrainings}


def test_a_report_of_no_study_is_refused_with_those_there_are():
    runs = job_table().runs
    with pytest.raises(ValueError, match=r"no study has a table 'table99'; there are: .*table3"):
        runs.table("table99")
    with pytest.raises(ValueError, match=r"no study has a figure 'figure99'; there are: .*figure2"):
        runs.figure("figure99")
    with pytest.raises(ValueError, match=r"no study has a table or figure 'table99'; there are: "):
        runs.referenced_pretrainings("table99")
