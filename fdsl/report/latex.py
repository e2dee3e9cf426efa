"""A table report as LaTeX with booktabs, to be taken into a paper with \\input."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fdsl.report import content
from fdsl.report.content import TableReport

ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "–": "--",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "η": r"$\eta$",
}


def to_latex(report: TableReport) -> str:
    """Return the report as LaTeX; needs booktabs, and nothing else.

    One `table` for each group of columns, and one for the paired differences. Text is escaped,
    numbers are those of the CSV.
    """
    return "\n\n".join(_parts(report)) + "\n"


def _parts(report: TableReport) -> Iterator[str]:
    yield f"% {report.name}: {report.scale.name}. Needs \\usepackage{{booktabs}}."
    for group in report.groups:
        columns = report.columns(group)
        rows = [
            [
                escaped(content.named(report, row)),
                *(escaped(_cell(report, row, column)) for column in columns),
            ]
            for row in report.rows
        ]
        caption = f"{report.title}. {content.heading(report, group)}. {report.scale.banner}"
        yield _table(caption, f"{report.name}-{group}", list(columns), rows)
    if report.gains:
        columns = tuple(content.gain_columns(report))
        rows = [
            [
                escaped(content.named(report, row)),
                *(
                    escaped(content.gained(gain))
                    if (gain := report.gain(row, column))
                    else escaped(content.DASH)
                    for column in columns
                ),
            ]
            for row in content.gain_rows(report)
        ]
        caption = f"{content.against(report)}. {content.paired_legend(report)}"
        yield _table(caption, f"{report.name}-gains", list(columns), rows)


def _cell(report: TableReport, row: str, column: str) -> str:
    cell = report.cell(row, column)
    ours = f"{content.measured(cell)}{content.our_gain(report, cell)}"
    return f"{ours}{content.beside(cell)}{content.printed_gain(report, cell)}"


def _table(caption: str, label: str, columns: list[str], rows: list[list[str]]) -> str:
    heading = " & ".join(["Pre-training", *(escaped(column) for column in columns)])
    lines = [" & ".join(row) + r" \\" for row in rows]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering\footnotesize",
            rf"\caption{{{escaped(caption)}}}",
            rf"\label{{tab:{label}}}",
            rf"\begin{{tabular}}{{l{'r' * len(columns)}}}",
            r"\toprule",
            heading + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def escaped(text: str) -> str:
    """Return text on one line in which LaTeX finds nothing to execute; a character that it cannot
    set becomes a question mark.
    """
    line = re.sub(r"[\x00-\x1f\x7f]", "?", " ".join(text.split()))
    replaced = re.sub("|".join(map(re.escape, ESCAPES)), lambda found: ESCAPES[found.group()], line)
    return replaced.encode("ascii", "replace").decode()
