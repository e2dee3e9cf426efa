"""Directions of imports, and one name for one thing."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE, PAGE = ROOT / "fdsl", ROOT / "docs" / "architecture.md"
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def imports(module, *, deferred=True):
    """Return the modules of fdsl that a module imports, also inside functions if `deferred`."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if deferred else iter(_at_import(tree))
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in whole}
    return {name for name in found if name in MODULES} - {module}


def _at_import(tree):
    """Yield the statements that run when a module is imported."""
    for node in tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from getattr(node, "body", []) if isinstance(node, ast.If | ast.Try) else []


def test_only_three_modules_are_at_the_root():
    assert {path.stem for path in PACKAGE.glob("*.py")} == {"__init__", "__main__", "provenance"}


def test_packages_import_only_what_the_architecture_allows():
    """docs/architecture.md has a row for each package with the packages that it may import."""
    rows = re.findall(r"^\| `(\w+)` \|.*\|([^|]*)\|$", PAGE.read_text("utf-8"), re.MULTILINE)
    allowed = {package: set(re.findall(r"`(\w+)`", others)) for package, others in rows}
    assert allowed.keys() == {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    for module in MODULES.keys() - {"fdsl", "fdsl.__main__", "fdsl.provenance"}:
        here, *_ = module.split(".")[1:]
        there = {name.split(".")[1] for name in imports(module) if name != "fdsl"}
        found = there & allowed.keys() - {here}
        assert here == "cli" or found <= allowed[here], f"{module} imports {found - allowed[here]}"
    TopologicalSorter(allowed).prepare()  # no package imports one above it


def test_no_modules_import_one_another_in_a_circle():
    TopologicalSorter({name: imports(name, deferred=False) for name in MODULES}).prepare()


def test_no_two_classes_have_one_name():
    where = {}
    for name, path in MODULES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where.setdefault(node.name, []).append(name)
    allowed = {"Settings"}  # each formula has its own
    assert {n: m for n, m in where.items() if len(m) > 1 and n not in allowed} == {}
