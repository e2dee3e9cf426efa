"""The published numbers of the main paper, as far as they can be checked against one another."""

from pathlib import Path

import pandas as pd
import pytest

from fdsl.io.storage import DamagedFile
from fdsl.report.published import read_published

FOLDER = Path(__file__).parents[2] / "workflow" / "published"
CELLS = {
    "table1": 24,
    "table2": 24,
    "table3": 72,
    "table4": 16,
    "table5": 42,
    "figure1": 3,
    "figure4": 24,
    "figure5": 8,
}
RANGES = {"top-1 %": (0, 100), "AP %": (0, 100), "points": (-5, 5)}


@pytest.fixture(scope="module")
def published():
    return read_published(FOLDER / "tables.csv")


def table(published, name):
    """The numbers of one table, rows × columns."""
    rows = published[published["table"] == name]
    values = rows.assign(value=pd.to_numeric(rows["published"].replace("", None)))
    return values.pivot_table(index="row", columns="column", values="value")


def test_every_cell_of_the_paper_is_there_once(published):
    assert published["table"].value_counts().to_dict() == CELLS
    assert len(published) == 213
    assert not published.duplicated(["table", "row", "column", "metric", "model"]).any()


def test_values_are_in_range_and_every_row_has_a_source(published):
    for metric, rows in published.groupby("metric"):
        low, high = RANGES[metric]
        assert pd.to_numeric(rows["published"].replace("", None)).dropna().between(low, high).all()
    assert (published["source"] != "").all()
    assert (
        published["source"]
        .str.contains("hirokatsukataoka16/Replacing-Labeled-Real-Image-Datasets")
        .all()
    )


def test_only_the_printed_dashes_of_table_3_are_empty(published):
    empty = published[published["published"] == ""]
    assert set(zip(empty["row"], empty["column"], strict=True)) == {
        ("Places-365 (SL)", "P30"),
        ("Places-365 (SL)", "Average"),
        ("ImageNet-1k (SL)", "IN100"),
        ("ImageNet-1k (SL)", "Average"),
    }
    assert (empty["confidence"] == "seen (printed as a dash)").all()
    assert set(published.loc[published["published"] != "", "confidence"]) == {"seen"}


def test_the_averages_of_table_3_are_means_except_where_the_study_says_so(published):
    values = table(published, "table3")
    off = (
        (values.drop(columns="Average").mean(axis=1, skipna=False) - values["Average"])
        .dropna()
        .round(2)
    )
    misprinted = off[off.abs() > 0.051]
    assert misprinted.to_dict() == {
        "ImageNet-1k (SSL DINO)": 0.06,
        "PASS (SSL DINO)": -0.47,
        "RCDB-1k": 0.07,
    }


def test_tables_agree_where_they_print_the_same_pretraining(published):
    first, second, third = (table(published, f"table{number}") for number in (1, 2, 3))
    columns = ["C10", "C100", "Cars", "Flowers"]
    pairs = [
        (first.loc["Scratch"], "Scratch"),
        (first.loc["FractalDB"], "FractalDB-1k"),
        (second.loc["RCDB"], "RCDB-1k"),
        (second.loc["ExFractalDB"], "ExFractalDB-1k"),
    ]
    for row, label in pairs:
        assert (row[columns] == third.loc[label, columns]).all(), label


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda text: text + text.splitlines()[-1] + "\n", "is repeated"),
        (lambda text: text.replace("78.3", "78,3x").replace("78,3x", '"78,3"'), "is not a number"),
        (lambda text: text.replace("confidence", "trust", 1), "must have the columns"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, damage, says):
    path = tmp_path / "tables.csv"
    path.write_text(damage((FOLDER / "tables.csv").read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(DamagedFile, match=says):
        read_published(path)
