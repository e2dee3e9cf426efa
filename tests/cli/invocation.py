"""Calls of the command line in this process, as a stranger types them."""

from typer.testing import CliRunner

from fdsl.cli import app


def run(*arguments):
    """Return the finished call; an exception that no verb turned into an exit is raised."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def ok(*arguments):
    """Return the output of a call that must end well."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output
