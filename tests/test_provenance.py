import shutil
import subprocess
import sys

import pytest

from fdsl import provenance


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of four modules: top -> middle -> bottom, and one that nobody imports."""
    (tmp_path / "top.py").write_text(
        '"""Doc."""\nfrom fdsl import middle\n\ndef f():\n    """Doc."""\n    return middle.x\n'
    )
    (tmp_path / "middle.py").write_text(
        "def g():\n    from fdsl.deep.bottom import x\n    return x\n"
    )
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "__init__.py").write_text("")
    (tmp_path / "deep" / "bottom.py").write_text("x = 1  # a comment\n")
    (tmp_path / "other.py").write_text("y = 1\n")
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    provenance._read.cache_clear()
    yield tmp_path
    provenance._read.cache_clear()


def changed(package, file, text):
    before = provenance.fingerprint("fdsl.top")
    (package / file).write_text(text)
    provenance._read.cache_clear()
    return provenance.fingerprint("fdsl.top") != before


@pytest.mark.parametrize(
    ("file", "text", "counts"),
    [
        (
            "top.py",
            '"""New."""\nfrom fdsl import middle\ndef f():\n    "New."\n    return middle.x\n',
            False,
        ),
        ("deep/bottom.py", "x = 1\n\n\n# another comment\n", False),
        ("deep/bottom.py", "x = 2\n", True),
        ("middle.py", "def g():\n    from fdsl.deep.bottom import x\n    return x + 1\n", True),
        ("other.py", "y = 2\n", False),
        ("deep/__init__.py", "registry = 1\n", False),
    ],
)
def test_only_code_that_is_reached_counts(package, file, text, counts):
    assert changed(package, file, text) == counts


def test_the_order_of_modules_does_not_count(package):
    assert provenance.fingerprint("fdsl.top", "fdsl.other") == provenance.fingerprint(
        "fdsl.other", "fdsl.top"
    )


def test_a_module_that_does_not_exist_is_an_error(package):
    with pytest.raises(FileNotFoundError):
        provenance.fingerprint("fdsl.nowhere")


def test_environment_names_versions_and_machine():
    environment = provenance.environment()
    assert {"python", "numpy", "processor", "cores"} <= environment.keys()


def test_gpus_are_named_as_the_driver_shows_them(tmp_path):
    assert provenance._gpus(tmp_path) == {}
    for number, name in enumerate(["Tesla T4", "NVIDIA H100 80GB HBM3"]):
        folder = tmp_path / "gpus" / f"0000:0{number}:00.0"
        folder.mkdir(parents=True)
        (folder / "information").write_text(f"Model: \t\t {name}\nIRQ:   \t\t 24\n")
    kernel = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build"
    (tmp_path / "version").write_text(f"{kernel}  (builder)\nGCC version:  gcc version 12.2.0\n")
    expected = {"gpus": ["Tesla T4", "NVIDIA H100 80GB HBM3"], "nvidia_driver": "550.54.15"}
    assert provenance._gpus(tmp_path) == expected


def test_planning_imports_nothing_heavy():
    heavy = ["torch", "numba", "pandas", "matplotlib", "timm", "pyarrow", "sklearn", "scipy"]
    code = (
        "import sys, fdsl.workflow.load, fdsl.workflow.jobs, fdsl.provenance; print([m for m in"
        f" {heavy} if m in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("file", "counts"), [("page.html.j2", True), ("style.css", True), ("other.html.j2", False)]
)
def test_templates_count_for_the_modules_that_name_them(package, file, counts):
    templates = package / "report" / "templates"
    templates.mkdir(parents=True)
    (templates / "page.html.j2").write_text('{% include "style.css" %}')
    (templates / "style.css").write_text("")
    (templates / "other.html.j2").write_text("")
    (package / "top.py").write_text('PAGE = "page.html.j2"\n')
    assert changed(package, f"report/templates/{file}", "changed") == counts


def test_the_template_of_tables_is_code_of_tables_alone(tmp_path, monkeypatch):
    copy = shutil.copytree(provenance.PACKAGE, tmp_path / "fdsl")
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    provenance._read.cache_clear()
    reports = [f"fdsl.report.{name}" for name in ("tables", "claims", "runs_list", "page")]
    before = {name: provenance.fingerprint(name) for name in reports}
    table = copy / "report/templates/table.html.j2"
    table.write_text(table.read_text() + "<!-- changed -->\n")
    provenance._read.cache_clear()
    after = {name: provenance.fingerprint(name) for name in reports}
    provenance._read.cache_clear()
    assert [name for name in reports if before[name] != after[name]] == ["fdsl.report.tables"]
