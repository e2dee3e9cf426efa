"""Jinja templates for HTML, Markdown and LaTeX; every value is escaped for its language."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import markupsafe
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from fdsl.io.escaping import escape_markdown
from fdsl.report.style import COLORS

FOLDER = Path(__file__).parent / "templates"
LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
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


def render(template: str, **values: Any) -> Markup:
    """Fill in a template of `FOLDER`.

    Parameters
    ----------
    template
        File name, for example table.html.j2; html, md or tex decides how values are escaped. Write
        it as a literal: `fdsl.provenance.fingerprint` then counts the file as code of the module.
    values
        All names that the template uses. Only Markup is inserted as it is.

    Raises
    ------
    jinja2.UndefinedError
        If a value is missing.
    """
    language = template.split(".")[1]
    return Markup(ENVIRONMENTS[language].get_template(template).render(values, colors=COLORS))


def escape_latex(text: str) -> str:
    """Return text as one line that LaTeX prints as it is; a character outside ASCII that has no
    command becomes a question mark.
    """
    line = re.sub(r"[\x00-\x1f\x7f]", "?", " ".join(text.split()))
    escaped = "".join(LATEX.get(character, character) for character in line)
    return escaped.encode("ascii", "replace").decode()


def _environment(escape: Callable[[str], str], **syntax: Any) -> Environment:
    """Return an environment in which Markup marks text that is already in the target language.

    Jinja's own escaping is for HTML. It passes Markup through, so the escaping of another language
    goes before it and returns Markup.
    """

    def finalize(value: object) -> Markup:
        return value if isinstance(value, Markup) else Markup(escape(str(value)))

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **syntax,
    )
    environment.filters["aligned"] = _aligned
    return environment


def _aligned(table: str) -> Markup:
    """Pad the cells of a Markdown table, numbers to the right, and add the line below its head."""
    head, *rows = [line[2:-2].split(" | ") for line in table.splitlines() if line]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = [f":{'-' * (widths[0] + 1)}", *(f"{'-' * (width + 1)}:" for width in widths[1:])]
    lines = [f"|{'|'.join(rule)}|"]
    for cells in [head, *rows]:
        padded = [cells[0].ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        lines.append(f"| {' | '.join(padded)} |")
    lines[:2] = reversed(lines[:2])
    return Markup("\n".join(lines) + "\n")


ENVIRONMENTS = {
    "html": _environment(markupsafe.escape),
    "md": _environment(escape_markdown),
    "tex": _environment(
        escape_latex,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
    ),
}
