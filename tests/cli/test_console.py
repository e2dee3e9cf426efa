"""What the commands print holds no command for a terminal, whoever wrote the words."""

import io
import logging
import os
import subprocess
import sys

import pytest
import yaml
from oracles import downstream_layouts as layouts
from rich.table import Table
from typer.testing import CliRunner

from fdsl.cli import _Printable, app
from fdsl.cli.console import PlainConsole
from fdsl.schema import yaml_files

EVIL = "\x1b]0;owned\x07\x1b[2Jred\r\u202e [red]x[/red] :skull: [/]"


def test_strings_and_cells_are_only_words(monkeypatch):
    file = io.StringIO()
    monkeypatch.setattr(sys, "stdout", file)
    console = PlainConsole()
    table = Table(EVIL, title=EVIL)
    table.add_row(EVIL)
    for thing in (EVIL, table):
        console.print(thing, width=400)
    shown = file.getvalue()
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(shown)
    assert shown.count("[red]x[/red] :skull: [/]") == 4


def test_titles_of_the_catalogue_are_only_words(tmp_path, monkeypatch):
    folder = tmp_path / "workflow"
    for name in ("catalog", "recipes"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(yaml_files.workflow_folder() / name)
    (folder / "catalog").unlink()
    (folder / "catalog").mkdir()
    for path in (yaml_files.workflow_folder() / "catalog").iterdir():
        entries = path.read_text(encoding="utf-8")
        if path.name == "models.yaml":
            entries = yaml.safe_dump({"x": {"title": EVIL, "timm": "vit_tiny_patch16_224"}})
        (folder / "catalog" / path.name).write_text(entries, encoding="utf-8")
    monkeypatch.setattr(yaml_files, "workflow_folder", lambda: folder)
    shown = CliRunner().invoke(app, ["list"], env={"COLUMNS": "300"})
    assert shown.exit_code == 0, shown.output
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(shown.output)
    assert "[red]x[/red] :skull: [/]" in shown.output


def test_the_log_is_only_words():
    record = logging.LogRecord("fdsl", logging.INFO, "", 0, "unpacking %s", (EVIL,), None)
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(_Printable("%(message)s").format(record))


def test_an_error_that_names_a_hostile_folder_is_only_words(tmp_path):
    layouts.voc(tmp_path / EVIL)
    lists = tmp_path / EVIL / "VOCdevkit/VOC2012/ImageSets/Main/train.txt"
    lists.write_text("no/../such\n")
    done = subprocess.run(
        [sys.executable, "-m", "fdsl", "data", "check", "voc12", "--data-root", tmp_path / EVIL],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONUTF8": "1"},
    )
    said = done.stderr.decode()
    assert done.returncode == 2
    assert r"\x1b]0;owned\x07" in said
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(said)


@pytest.mark.parametrize(
    "text", ["points=[", "points=!!python/object/apply:os.system [x]", "points=2001-99-99"]
)
def test_a_setting_that_is_no_yaml_is_a_fault_of_use(text):
    shown = CliRunner().invoke(app, ["show", "rcdb1k", "--settings", "--set", text])
    assert shown.exit_code == 2
    assert "points=" in shown.output
