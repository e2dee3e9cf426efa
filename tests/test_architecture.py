"""Directions of imports: rooms of the package are ordered, and nothing imports a room above it."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fdsl"
# From the bottom; rooms of one line may not import one another.
FLOORS = [
    ["provenance"],
    ["io", "seeding"],
    ["raster", "schema"],
    ["formulas"],
    ["images"],
    ["datasets"],
    ["augment"],
    ["train", "report"],
    ["workflow"],
    ["lineage", "forecast"],
    ["cli"],
]
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
# Planning is light: the workflow may read the readers' file names and the registry of formulas, but
# it never imports what draws, trains or reports.
NEVER = {"workflow": {"images", "augment", "train", "report", "raster"}}
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


def room(module):
    """Return the package right below fdsl, or a module at the root."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def test_only_three_modules_are_at_the_root():
    assert {path.stem for path in PACKAGE.glob("*.py")} == {"__init__", "__main__", "provenance"}


def test_every_room_has_a_floor():
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert rooms | {"provenance"} == set(LEVEL)


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"fdsl", "fdsl.__main__"}))
def test_nothing_imports_a_room_above_or_beside_it(module):
    here = room(module)
    for other in sorted(imports(module)):
        there = room(other)
        if there and there != here:
            assert LEVEL[there] < LEVEL[here], f"{module} imports {other}"
            assert there not in NEVER.get(here, ()), f"{module} imports {other}"


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
