"""The documentation: generated pages are current, links resolve, and nothing names this machine."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fdsl.cli import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "benchmarks/README.md"])
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchors(text):
    """Return the anchors that GitHub gives to the headings of a page."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def broken(page, text):
    """Yield the links of a page that lead nowhere."""
    for target in LINK.findall(CODE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        found = path.is_relative_to(ROOT) and path.exists()
        if not found or (anchor and anchor not in anchors(path.read_text(encoding="utf-8"))):
            yield target


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8")) <= 8000


def test_the_readme_says_what_has_not_run():
    assert "Nothing here has run on a GPU yet" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_to_files_and_headings(page):
    assert list(broken(page, page.read_text(encoding="utf-8"))) == []


def test_broken_links_are_found(tmp_path):
    page = ROOT / "docs" / "x.md"
    links = "[1](nowhere.md) [2](cli.md#nowhere) [3](../LICENSE) [4](https://x.org) `[5](no)`"
    text = f"## A b: `c`\n{links}"
    assert list(broken(page, text)) == ["nowhere.md", "cli.md#nowhere"]
    assert anchors(text) == {"a-b-c"}


def test_every_page_of_docs_is_linked_from_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = set(LINK.findall(readme))
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}
    assert pages <= linked


def test_files_that_the_architecture_names_exist():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:fdsl|workflow)/[\w/.]+)`", text))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_command_line_page_is_current(tmp_path):
    path = tmp_path / "cli.md"
    subprocess.run([sys.executable, ROOT / "docs/generate_cli.py", path], cwd=ROOT, check=True)
    held = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    assert held == path.read_text(encoding="utf-8"), "run `make docs`"


def test_the_deviations_page_is_current(tmp_path):
    held = (ROOT / "docs/deviations.md").read_text(encoding="utf-8")
    path = tmp_path / "deviations.md"
    path.write_text(held, encoding="utf-8")
    assert CliRunner().invoke(app, ["deviations", "--into", str(path)]).exit_code == 0
    assert held == path.read_text(encoding="utf-8"), "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_no_page_names_a_place_on_one_machine(page):
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"(?<![\w.}])/(?:home|work|Users|root|tmp)/\w+", text) == []
