"""What made a file: a digest of the code behind it and a description of the machine."""

from __future__ import annotations

import ast
import os
import platform
import re
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path

from fdsl import __version__

PACKAGE = Path(__file__).parent
# Says what catalogue entries look like. The values themselves stand in the orders of jobs, so that
# a new kind of dataset, or a longer description, re-trains nothing. Nor do better words in a model
# card.
DECLARATIONS = {"fdsl.schema.catalogue", "fdsl.train.model_card"}
TEMPLATES = "fdsl/report/templates/"
TEMPLATE = re.compile(r"[\w.-]+\.(j2|css|js)")
RECORDED = [
    "faster-coco-eval",
    "matplotlib",
    "numba",
    "numpy",
    "pandas",
    "pillow",
    "pyarrow",
    "pycocotools",
    "safetensors",
    "scikit-learn",
    "scipy",
    "snakemake",
    "timm",
    "torch",
    "torchvision",
]


def fingerprint(*modules: str) -> str:
    """Return a digest, 12 hexadecimal digits, of the code of `modules` and of every fdsl module
    that they import.

    Comments, docstrings and formatting do not count. Neither do the declarations of
    `fdsl.schema.catalogue` and the words of `fdsl.train.model_card` (unless they are named), nor
    the packages' `__init__` files, which hold no behaviour but registries of names (a new formula
    must not re-render the old ones), nor third-party versions, which `environment`
    records. Only absolute imports of fdsl are followed; ruff bans relative ones. The one dynamic
    import, `fdsl.formulas.get`, is covered by naming the formula's module.

    Templates of fdsl/report/templates count, byte by byte, for the modules and templates that hold
    their name, such as "table.html.j2", as a whole string literal.

    Raises
    ------
    FileNotFoundError
        If a module does not exist.
    """
    todo, trees = set(modules), {}
    while todo:
        name = todo.pop()
        tree, imported = _read(name)
        trees[name] = tree
        todo |= imported - trees.keys() - DECLARATIONS
    text = "".join(f"{name}\0{trees[name]}\0" for name in sorted(trees))
    return sha256(text.encode()).hexdigest()[:12]


def environment() -> dict[str, str | int | list[str]]:
    """Describe the machine and the versions that a record was made with.

    `gpus` are those that the driver shows, used or not, and stand there only where there are some;
    what a training computed on, it says itself. What cannot be found out is left out.
    """
    versions = {"fdsl": __version__}
    for name in RECORDED:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        **_memory(),
        **_gpus(),
        **versions,
    }


@cache
def _read(module: str) -> tuple[str, frozenset[str]]:
    """Return a module's syntax tree, or a template, as text, and what it imports of fdsl."""
    text = _source(module).read_text(encoding="utf-8")
    if module.startswith(TEMPLATES):
        return text, _templates(re.findall(r"[\"']([\w.-]+)[\"']", text))
    tree = ast.parse(text)
    imported: set[str] = set()
    strings = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            _drop_docstring(node)
    ours = {name for name in imported if name.startswith("fdsl.") and _source(name).is_file()}
    return ast.dump(tree), _templates(strings) | ours


def _templates(strings: Iterable[object]) -> frozenset[str]:
    """Return the templates among the strings of a module or template."""
    names = [f"{TEMPLATES}{text}" for text in strings if TEMPLATE.fullmatch(str(text))]
    return frozenset(name for name in names if _source(name).is_file())


def _source(module: str) -> Path:
    if module.startswith(TEMPLATES):
        return PACKAGE / module.removeprefix("fdsl/")
    return PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")


def _drop_docstring(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> None:
    first = node.body[0] if node.body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        node.body = node.body[1:]


def _memory() -> dict[str, int]:
    """Return the machine's memory in MiB where the system tells it."""
    try:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return {}
    return {"memory_mib": pages // 2**20}


def _gpus(driver: Path = Path("/proc/driver/nvidia")) -> dict[str, list[str] | str]:
    """Return the GPUs of NVIDIA's driver and its version, without loading torch; nothing where
    there is no driver.
    """
    try:
        texts = [path.read_text() for path in sorted(driver.glob("gpus/*/information"))]
        version = re.search(r"  (\d+(?:\.\d+)+)  ", (driver / "version").read_text())
    except OSError:
        return {}
    names = [match[1].strip() for text in texts if (match := re.search(r"Model:(.+)", text))]
    return {"gpus": names, **({"nvidia_driver": version[1]} if version else {})}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
