"""pyproject.toml, constraints.txt, environment.yml and the Makefile say the same."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = {
    canonicalize_name(name): Version(version)
    for name, version in re.findall(
        r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE
    )
}


def requirements():
    groups = {"base": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
    listed = [Requirement(text) for texts in groups.values() for text in texts]
    return [requirement for requirement in listed if requirement.name != "fdsl"]


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_every_requirement_is_pinned_within_its_range(requirement):
    assert PINS[canonicalize_name(requirement.name)] in requirement.specifier


def test_constraints_hold_exact_versions_and_no_addresses():
    lines = [
        line
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert lines
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in lines)
    assert len(PINS) == len(lines)


def test_the_conda_environment_installs_the_project_with_the_constraints():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(part["pip"] for part in environment["dependencies"] if isinstance(part, dict))
    assert pip == ["--constraint constraints.txt", "--editable .[all]"]
    python = next(part for part in environment["dependencies"] if str(part).startswith("python="))
    assert (
        Version(python.removeprefix("python="))
        in Requirement(f"python{PROJECT['requires-python']}").specifier
    )


def test_generation_alone_needs_neither_torch_nor_snakemake():
    names = {Requirement(text).name for text in PROJECT["dependencies"]}
    assert not names & {"torch", "torchvision", "timm", "snakemake", "matplotlib", "scikit-learn"}


def test_the_wheel_holds_what_planning_reads():
    held = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"][
        "targets"
    ]["wheel"]["force-include"]
    for folder in ["catalog", "recipes", "scales", "studies", "published"]:
        assert held[f"workflow/{folder}"] == f"fdsl/workflow_files/{folder}"
