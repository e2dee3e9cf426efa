"""The differences between paper, released code and ours, and their table in docs/deviations.md."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fdsl.cli import app
from fdsl.io.storage import DamagedFile
from fdsl.report.deviations import BEGIN, COLUMNS, END, put_into, read_deviations, to_markdown

ROOT = Path(__file__).parents[2]
FILE = ROOT / "workflow" / "published" / "deviations.csv"


@pytest.fixture(scope="module")
def deviations():
    return read_deviations(FILE)


def test_the_command_prints_the_table(deviations):
    shown = CliRunner().invoke(app, ["deviations"])
    assert shown.exit_code == 0, shown.output
    assert shown.output == to_markdown(deviations)


def test_the_table_has_a_row_for_every_topic_and_no_stray_column(deviations):
    head, rule, *rows = to_markdown(deviations).splitlines()
    assert head == "| topic | paper | released code | here | reason |"
    assert rule == "| --- | --- | --- | --- | --- |"
    assert len(rows) == len(deviations) > 50
    for row, deviation in zip(rows, deviations, strict=True):
        cells = row.replace("\\|", "").strip("|").split(" | ")
        assert len(cells) == 5, row
        assert cells[0].strip().replace("\\", "") == deviation["topic"]


def test_markup_is_escaped():
    row = dict.fromkeys(COLUMNS, "x") | {"ours": r"a|b *c* <d> `e` [f] \\g"}
    assert r"a\|b \*c\* \<d\> \`e\` \[f\] \\\\g" in to_markdown([row])


def test_only_what_stands_between_the_marks_is_replaced(tmp_path, deviations):
    path = tmp_path / "x.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    assert CliRunner().invoke(app, ["deviations", "--into", str(path)]).exit_code == 0
    text = path.read_text(encoding="utf-8")
    assert text == f"before\n{BEGIN}\n{to_markdown(deviations)}{END}\nafter\n"
    put_into(path, to_markdown(deviations))
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("text", ["", f"{BEGIN}\n", f"{END}\n{BEGIN}\n", f"{BEGIN}\n{END}\n" * 2])
def test_a_file_without_both_marks_once_is_refused_and_left_alone(tmp_path, text):
    path = tmp_path / "x.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DamagedFile, match="once, in this order"):
        put_into(path, "table")
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda rows: rows[1:], "must have the columns"),
        (lambda rows: [[*rows[0][:-1], "origin"], *rows[1:]], "must have the columns"),
        (lambda rows: [*rows, rows[-1]], "stands twice"),
        (lambda rows: [*rows, rows[-1][:-1]], f"row {{}} .* must have {len(COLUMNS)} cells"),
        (lambda rows: [*rows, ["new", "a", "b", " ", "d", "e"]], "row {} .*none empty"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, damage, says):
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    with (tmp_path / "x.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(damage(rows))
    with pytest.raises(DamagedFile, match=says.format(len(rows) + 1)):
        read_deviations(tmp_path / "x.csv")


def test_the_differences_load_neither_pandas_nor_torch():
    code = (
        "import sys; from fdsl.report import deviations;"
        "print({'pandas', 'torch', 'matplotlib', 'numba'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
