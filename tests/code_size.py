"""Print how much code the package has, and how many modules of `fdsl.train` one training needs.

Run as a script: `python tests/code_size.py`. Lines of code are those that hold anything but
docstrings, comments and blanks.
"""

import ast
import io
import tokenize
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
TRAINING = "fdsl.train.finetune"
LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def code_lines(text):
    """Return the number of lines of code of a module's source."""
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in LAYOUT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            docstring = node.body[0]
            lines -= set(range(docstring.lineno, docstring.end_lineno + 1))
    blank = {number for number, line in enumerate(text.splitlines(), 1) if not line.strip()}
    return len(lines - blank)


def lines_by_package(root):
    """Return the lines of code of each package below `root`, and of its own modules."""
    found = Counter()
    for path in sorted(root.rglob("*.py")):
        package, *rest = path.relative_to(root).parts
        found[package if rest else root.name] += code_lines(path.read_text(encoding="utf-8"))
    return found


def source_of(module):
    """Return the file of a module or package of the repository, or None."""
    base = ROOT.joinpath(*module.split("."))
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


def imports(module):
    """Return the modules of the package that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source_of(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.startswith("fdsl") and source_of(name)}


def modules_behind(module, *, package):
    """Return the modules of a package, without `__init__`, that a module imports transitively."""
    todo, seen = {module}, set()
    while todo:
        name = todo.pop()
        seen.add(name)
        todo |= imports(name) - seen
    inside = (name for name in seen if name.startswith(f"{package}."))
    return sorted(name for name in inside if source_of(name).name != "__init__.py")


if __name__ == "__main__":
    sizes = lines_by_package(ROOT / "fdsl")
    print(f"{sizes.total():6} lines of code in fdsl")  # noqa: T201
    for name, lines in sizes.most_common():
        print(f"{lines:6} {name}")  # noqa: T201
    behind = modules_behind(TRAINING, package="fdsl.train")
    print(f"{len(behind):6} modules of fdsl.train behind {TRAINING}")  # noqa: T201
