"""Study files: what they may say, and what the main paper's file says."""

from pathlib import Path

import pytest
import yaml

from fdsl.schema.base import ConfigError, validate
from fdsl.schema.study.paper import Study
from fdsl.schema.study.report_scale import ReportScale
from fdsl.schema.study.tables import Column, Row, Table

CONTOURS = Path(__file__).parents[3] / "workflow" / "studies" / "contours.yaml"


@pytest.fixture
def values():
    return yaml.safe_load(CONTOURS.read_text(encoding="utf-8"))


def test_the_main_paper_has_the_rows_and_columns_of_table_3(values):
    table = validate(Study, values, where="contours.yaml").tables["table3"]
    assert [c.dataset for c in table.columns] == [
        "cifar10",
        "cifar100",
        "cars",
        "flowers",
        "voc12",
        "places30",
        "imagenet100",
        None,
    ]
    ran = {row.label: row.pretraining for row in table.rows if row.pretraining}
    assert ran == {
        "Scratch": "scratch",
        "Places-365 (SL)": "places365_supervised",
        "ImageNet-1k (SL)": "imagenet1k_supervised",
        "ImageNet-1k (SSL DINO)": "imagenet1k_dino",
        "PASS (SSL DINO)": "pass_dino",
        "FractalDB-1k": "fractaldb1k",
        "RCDB-1k": "rcdb1k",
        "ExFractalDB-1k": "exfractaldb1k",
        "ExFractalDB-1k* (1.4M images)": "exfractaldb1k_1400k",
    }


def test_a_study_survives_json(values):
    study = validate(Study, values, where="contours.yaml")
    assert Study.model_validate(study.model_dump(mode="json")) == study


def test_an_unknown_key_is_refused_with_a_hint(values):
    values["tables"]["table3"]["tolerance_point"] = 2
    with pytest.raises(
        ConfigError, match=r"tolerance_point = 2 is an unknown key.*did you mean 'tolerance_points'"
    ):
        validate(Study, values, where="contours.yaml")


@pytest.mark.parametrize("extra", [{}, {"pretraining": "rcdb1k", "quoted": "we do not"}])
def test_a_row_is_either_run_or_quoted(extra):
    with pytest.raises(ValueError, match="either pretraining"):
        Row(label="RCDB-1k", **extra)


@pytest.mark.parametrize(
    ("key", "index", "twice"),
    [
        ("rows", 5, "row label 'RCDB-1k' is repeated"),
        ("columns", 0, "column label 'C100' is repeated"),
    ],
)
def test_a_repeated_label_is_refused(values, key, index, twice):
    values["tables"]["table3"][key][index]["label"] = values["tables"]["table3"][key][index + 1][
        "label"
    ]
    with pytest.raises(ConfigError, match=twice):
        validate(Study, values, where="contours.yaml")


def test_a_mean_needs_something_to_average(values):
    values["tables"]["table3"]["columns"] = [{"label": "Average", "dataset": None}]
    with pytest.raises(ConfigError, match="at least one other column"):
        validate(Table, values["tables"]["table3"], where="table3")


def test_a_figure_names_each_dataset_once(values):
    values["figures"]["figure2"]["datasets"] *= 2
    with pytest.raises(ConfigError, match="is repeated"):
        validate(Study, values, where="contours.yaml")


@pytest.mark.parametrize(
    "changes",
    [
        {"stand_ins": (Column(label="Digits", dataset="digits"),)},
        {"reduced": {"rcdb1k": "200 categories"}},
    ],
)
def test_a_reduced_scale_cannot_call_itself_comparable(changes):
    with pytest.raises(ValueError, match="comparable must be false"):
        ReportScale(name="paper", title="paper scale", banner="x", comparable=True, **changes)
