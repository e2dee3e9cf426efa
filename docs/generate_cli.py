"""Write docs/cli.md, the reference of the command line, from the commands themselves.

python docs/generate_cli.py docs/cli.md
"""

import re
import sys
from pathlib import Path

import typer
from typer.core import TyperCommand, TyperGroup

from fdsl.cli import app

HEAD = """\
<!-- generated from the commands by `make docs` -->
# Command line

`fdsl COMMAND --help` shows the same text. Every command also takes `--help` or `-h`.
"""


def reference() -> str:
    """Return the page: for each panel of `fdsl --help` a table and one section per command."""
    panels: dict[str, dict[str, TyperCommand]] = {}
    for name, command in typer.main.get_command(app).commands.items():
        subcommands = command.commands if isinstance(command, TyperGroup) else {"": command}
        panels.setdefault(command.rich_help_panel, {}).update(
            {f"{name} {subname}".strip(): subcommands[subname] for subname in subcommands}
        )
    return "\n".join([HEAD, *(_panel(name, commands) for name, commands in panels.items())])


def _panel(panel: str, commands: dict[str, TyperCommand]) -> str:
    rows = [
        f"| [`{name}`](#fdsl-{name.replace(' ', '-')}) | {_text(_summary(command))} |\n"
        for name, command in commands.items()
    ]
    sections = [_section(f"fdsl {name}", command) for name, command in commands.items()]
    head = f"## {panel}\n\n| command | purpose |\n|---|---|\n{''.join(rows)}"
    return "\n".join([head, *sections])


def _summary(command: TyperCommand) -> str:
    return command.help.split("\n\n")[0]


def _section(words: str, command: TyperCommand) -> str:
    context = typer.Context(command, info_name=words)
    parts = [f"### {words}\n\n{_text(command.help)}\n"]
    if command.help.startswith("Another name of"):
        return "".join(parts)
    usage = " ".join([words, *command.collect_usage_pieces(context)])
    parts.append(f"\n```\n{usage}\n```\n")
    rows = [
        record
        for parameter in command.get_params(context)
        if parameter.name != "help" and (record := parameter.get_help_record(context)) is not None
    ]
    if rows:
        parts.append("\n| argument or option | meaning |\n|---|---|\n")
        parts += [f"| `{_escaped(name, '|')}` | {_text(text)} |\n" for name, text in rows]
    return "".join(parts)


def _text(text: str) -> str:
    """Join wrapped lines; escape what Markdown would interpret, but not inside backquotes."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
    pieces = re.split(r"(`[^`]*`)", "\n\n".join(paragraphs))
    return "".join(_escaped(piece, "|" if piece.startswith("`") else "*<>|") for piece in pieces)


def _escaped(text: str, characters: str) -> str:
    return re.sub(f"([{characters}])", r"\\\1", text)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
