"""Invented records and scales for the tests of the report; no number here was measured."""

import json
from pathlib import Path

import pytest
import yaml

from fdsl.report.tables import write_table
from fdsl.schema.base import validate
from fdsl.schema.study.paper import Study
from fdsl.schema.study.report_scale import ReportScale
from fdsl.schema.study.tables import Column

WORKFLOW = Path(__file__).parents[2] / "workflow"
PUBLISHED = WORKFLOW / "published" / "tables.csv"

PAPER = ReportScale(
    name="paper", title="paper scale", banner="paper scale: the published budget", comparable=True
)
LAPTOP = ReportScale(
    name="laptop",
    title="laptop scale",
    banner="laptop scale: not a reproduction of the published numbers",
    comparable=False,
    stand_ins=(
        Column(label="Fashion-MNIST, 1,000 labels", dataset="fashion_mnist"),
        Column(label="Digits", dataset="digits"),
        Column(label="Stand-in average", dataset=None),
    ),
    reduced={"rcdb1k": "200 categories × 100 images, 32 px"},
    reasons={"exfractaldb1k_1400k": "too large for this scale"},
)


@pytest.fixture(scope="session")
def study():
    """The main paper's study, with the rows of real pictures only quoted."""
    path = WORKFLOW / "studies" / "contours.yaml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    for row in values["tables"]["table3"]["rows"]:
        if row["pretraining"].endswith(("_supervised", "_dino")):
            del row["pretraining"]
            row["quoted"] = "we have no such pictures"
    return validate(Study, values | {"claims": {}}, where=str(path))


@pytest.fixture(scope="session")
def contours():
    """The main paper's study as it is."""
    path = WORKFLOW / "studies" / "contours.yaml"
    return validate(Study, yaml.safe_load(path.read_text(encoding="utf-8")), where=str(path))


@pytest.fixture(scope="session")
def published_csv():
    return PUBLISHED


@pytest.fixture(scope="session")
def laptop():
    return LAPTOP


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder, so that record paths are relative, as in the workflow."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def record(folder):
    """A function that writes one record of invented values and returns its path."""

    def write(pretraining, dataset, seed, correct, *, images=10_000, scale="paper", **changes):
        key = f"{pretraining}-vit_tiny-{dataset}-s{seed}"
        content = {
            "kind": "finetune",
            "run": key,
            "scale": scale,
            "seed": seed,
            "pretraining": pretraining,
            "dataset": dataset,
            "model": "vit_tiny",
            "result": {
                "images": images,
                "correct": correct,
                "top1_last": 100 * correct / images,
                "epochs": 3,
            },
            "recipe": {"epochs": 3},
            "code": "0123456789abcdef",
            "inputs": {},
            "environment": {},
            "cost": {"wall_seconds": 1.0},
        } | changes
        path = Path(f"results/{scale}/finetune/{key}/record.json")
        assert Path.cwd() == folder
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    return write


@pytest.fixture
def table3(study, folder):
    """A function that writes table 3 from records and returns its report."""

    def write(records, *, scale=PAPER, out="results/tables/table3.csv"):
        return write_table(
            study,
            name="table3",
            scale=scale,
            records=records,
            published=PUBLISHED,
            out=folder / out,
        )

    return write


@pytest.fixture
def laptop_records(record):
    """Two formulas and scratch at the reduced scale: one helps everywhere, the other is worse than
    scratch on Digits.
    """
    correct = {
        ("scratch", "fashion_mnist"): (500, 510, 520),
        ("scratch", "digits"): (300, 310, 305),
        ("fractaldb1k", "fashion_mnist"): (600, 640, 650),
        ("fractaldb1k", "digits"): (330, 345, 331),
        ("rcdb1k", "fashion_mnist"): (505, 500, 530),
        ("rcdb1k", "digits"): (250, 250, 265),
        ("exfractaldb1k", "fashion_mnist"): (560,),
    }
    return [
        record(
            pretraining,
            dataset,
            seed,
            count,
            images=1000 if dataset == "fashion_mnist" else 360,
            scale="laptop",
        )
        for (pretraining, dataset), counts in correct.items()
        for seed, count in enumerate(counts)
    ]
