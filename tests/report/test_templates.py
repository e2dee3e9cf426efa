"""Templates escape for their language; a real engine accepts the LaTeX where one is installed."""

import re
import shutil
import subprocess

import pytest
from jinja2 import UndefinedError

from fdsl.report.templating import escape_latex, render


def test_nothing_in_a_text_is_executed():
    assert escape_latex(r"50 % of a_b & \input{x} ~ 3 ± 1 × 2") == (
        r"50 \% of a\_b \& \textbackslash{}input\{x\} \textasciitilde{} 3 $\pm$ 1 $\times$ 2"
    )
    assert escape_latex("日") == "?"


def test_a_missing_value_is_an_error():
    with pytest.raises(UndefinedError, match="figure"):
        render("figure.html.j2", name="figure2", address="data:")


def test_every_row_has_every_column(table3, laptop_records, laptop, folder):
    table3(laptop_records, scale=laptop)
    text = (folder / "results/tables/table3.tex").read_text(encoding="ascii")
    tables = re.findall(r"\\begin\{tabular\}\{(\w+)\}\n(.*?)\\end\{tabular\}", text, re.DOTALL)
    assert len(tables) == 3
    for columns, body in tables:
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(columns)}
    assert "not a reproduction of the published numbers" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_it_compiles(table3, laptop_records, laptop, folder):
    table3(laptop_records, scale=laptop)
    document = (
        r"\documentclass{article}\usepackage{booktabs}\begin{document}"
        r"\input{results/tables/table3.tex}\end{document}"
    )
    (folder / "paper.tex").write_text(document, encoding="ascii")
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "paper.tex"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert (folder / "paper.pdf").stat().st_size > 10_000
