"""The command line. Every heavy import is made by the verb that needs it, so that `fdsl --help` is
quick.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated

import typer

from fdsl import __version__
from fdsl.cli import forecast, images, inspect, jobs, provenance
from fdsl.io.escaping import printable
from fdsl.io.storage import DamagedFile

# Nothing is downloaded but by `data fetch` and `fetch-downstream`, and nobody is told what runs
# here.
OFFLINE = ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK")


class _Printable(logging.Formatter):
    """Escapes control characters, so that file names cannot drive a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _begin(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Formula-driven supervised learning: draw images by formulas, train on them, compare with the
    papers.
    """
    for name in OFFLINE:
        os.environ.setdefault(name, "1")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Printable("%(asctime)s %(message)s"))
    logging.basicConfig(handlers=[handler])
    logging.getLogger("fdsl").setLevel(logging.INFO)  # libraries speak up only from warnings on
    if version:
        typer.echo(__version__)
        raise typer.Exit


images.register(app)
forecast.register(app)
inspect.register(app)
provenance.register(app)
jobs.register(app)


def main() -> None:
    """Run the command line. A fault that a person can mend is one message, not a traceback."""
    try:
        app()
    except (DamagedFile, ValueError, IndexError, OSError) as error:
        logging.getLogger("fdsl").debug("the whole story", exc_info=error)
        typer.echo(printable(f"fdsl: {error}"), err=True)
        sys.exit(2)
