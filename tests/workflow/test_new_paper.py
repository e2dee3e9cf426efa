"""Another paper is another study file (and the lines of its printed numbers): no rule, code or
other file changes.
"""

import re
import zipfile

import pandas as pd
import pytest
import yaml

STUDY = {
    "title": "A paper that is not here",
    "reference": "invented for this test",
    "tables": {
        "other-table1": {
            "title": "One formula against nothing",
            "caption": "Accuracy after fine-tuning.",
            "metric": "top-1 %",
            "pictures": True,
            "columns": [{"label": "Flowers", "dataset": "flowers"}],
            "rows": [
                {"label": "Nothing", "pretraining": "scratch"},
                {"label": "Fractals", "pretraining": "fractaldb1k"},
            ],
        }
    },
    "figures": {
        "other-figure1": {
            "kind": "ablation",
            "title": "The same as bars",
            "caption": "Accuracy after fine-tuning.",
            "axis": "dataset",
            "published": "row / column",
            "columns": [{"label": "Flowers", "dataset": "flowers"}],
            "bars": [
                {"label": "Fractals", "pretraining": "fractaldb1k"},
                {"label": "Contours", "pretraining": "rcdb1k"},
            ],
        }
    },
    "claims": {
        "fractals_help": {
            "sentence": "Fractals transfer better than nothing.",
            "stated": "nowhere",
            "table": "other-table1",
            "better": ["fractaldb1k"],
            "worse": ["scratch"],
        }
    },
}
PRINTED = [
    "other-table1,Nothing,Flowers,top-1 %,50.0,ViT-Ti,invented,invented",
    "other-table1,Fractals,Flowers,top-1 %,60.0,ViT-Ti,invented,invented",
    "other-figure1,Fractals,Flowers,top-1 %,60.0,ViT-Ti,invented,invented",
    "other-figure1,Contours,Flowers,top-1 %,60.0,ViT-Ti,invented,invented",
]


def publish(project):
    """Put another paper in the place of the main one, and change nothing else."""
    (project.root / "workflow/studies/contours.yaml").unlink()
    (project.root / "workflow/studies/other.yaml").write_text(
        yaml.safe_dump(STUDY, sort_keys=False)
    )
    with (project.root / "workflow/published/tables.csv").open("a") as printed:
        printed.write("\n".join(PRINTED) + "\n")
    return project


@pytest.mark.slow
def test_everything_of_a_new_paper_is_built_from_its_study_file(finished):
    """The main paper has made the trainings that both need; they are used again."""
    other = publish(finished)
    built = other.snakemake("--cores", "2")
    assert built.returncode == 0, built.stdout + built.stderr
    assert "rule finetune" not in built.stdout + built.stderr
    results = other.work / "results"
    table = pd.read_csv(results / "tables/other-table1.csv", keep_default_na=False)
    ours = table[table["column"] == "Digits"].set_index("row")["reproduced"].astype(float)
    assert set(ours.index) == {"Nothing", "Fractals"}
    assert (ours > 0).all()
    printed = table[table["column"] == "Flowers"].set_index("row")["published"]
    assert printed.to_dict() == {"Nothing": "50.0", "Fractals": "60.0"}
    assert "data:image/png" in (results / "tables/other-table1.html").read_text()
    assert (results / "figures/other-figure1.png").stat().st_size > 0
    claims = pd.read_csv(results / "claims.csv", keep_default_na=False)
    assert list(claims["claim"]) == ["fractals_help"]
    assert "A paper that is not here" in (results / "index.html").read_text()
    _snakemake_reports_on_all_of_it(other)
    _only_formulas_that_are_drawn_repeat_the_page(other)


def _only_formulas_that_are_drawn_repeat_the_page(project):
    def planned():
        plan = project.snakemake("--dry-run", "--cores", "1")
        assert plan.returncode == 0, plan.stdout + plan.stderr
        return set(re.findall(r"^(?:local)?rule (\w+):", plan.stdout, re.MULTILINE))

    assert planned() == set()
    (project.root / "fdsl/formulas/drawn_by_none.py").write_text("POINTS = 3\n")
    assert planned() == set()
    edited = project.root / "fdsl/formulas/visualatom.py"
    edited.write_text(f"{edited.read_text()}\nANOTHER_CONSTANT = 1\n")
    assert planned() == {"page", "all"}


def _snakemake_reports_on_all_of_it(project):
    reported = project.snakemake("--report", project.work / "report.zip")
    assert reported.returncode == 0, reported.stdout + reported.stderr
    with zipfile.ZipFile(project.work / "report.zip") as archive:
        names = " ".join(archive.namelist())
        page = archive.read(next(n for n in archive.namelist() if n.endswith("report.html")))
    for file in ["other-table1.csv", "other-figure1.png", "claims.csv", "index.html"]:
        assert file in names
    for words in ["One formula against nothing", "The same as bars", "Tables", "Figures", "Claims"]:
        assert words in page.decode()


def test_a_new_paper_has_a_plan_at_the_published_budget(tiny):
    plan = publish(tiny).snakemake("--dry-run", "--cores", "1", "--config", "scale=paper")
    assert plan.returncode == 0, plan.stdout + plan.stderr
    assert "results/paper/finetune/fractaldb1k-vit_tiny-flowers-s0/record.json" in plan.stdout
