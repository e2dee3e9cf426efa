"""The documentation names tests that exist, and the code has no call that would break it."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "fdsl").rglob("*.py"))
FUNCTIONS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
}
# Where something is unpickled: what our own process sent, and CIFAR's batches behind an unpickler
# that builds arrays alone.
UNPICKLING = {"fdsl/images/export/render_pool.py", "fdsl/datasets/readers/cifar.py"}


@pytest.mark.parametrize("page", ["README.md", "docs/security.md", "docs/reproducibility.md"])
def test_every_test_that_is_named_exists(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    files = re.findall(r"`(?:tests/)?([\w/]*test_\w+\.py|conftest\.py)`", text)
    for name in files:
        assert list((ROOT / "tests").rglob(name)), f"{page} names {name}"
    named = re.findall(r"`(test_\w+)(…?)`", text)
    assert named
    for name, cut in named:
        found = [f for f in FUNCTIONS if f == name or (cut and f.startswith(name))]
        assert found, f"{page} names {name}"


def calls(path):
    """Yield the dotted name and the keywords of every call in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}


def test_nothing_runs_text_or_unpickles_at_will():
    forbidden = {
        "eval",
        "exec",
        "compile",
        "os.system",
        "os.popen",
        "yaml.unsafe_load",
        "torch.hub.load",
    }
    required = {
        "torch.load": ("weights_only", "True"),
        "np.load": ("allow_pickle", "False"),
        "yaml.load": ("Loader", "_UniqueKeys"),
    }
    seen = set()
    for path in SOURCES:
        name = path.relative_to(ROOT).as_posix()
        for function, keywords in calls(path):
            seen.add(function)
            where = f"{name}: {function}"
            assert function not in forbidden, where
            assert keywords.get("shell") in {None, "False"}, where
            assert not function.endswith(("extractall", ".extract")), where
            if function in required:
                keyword, value = required[function]
                assert keywords.get(keyword) == value, where
            if function in {"pickle.load", "pickle.loads", "pickle.Unpickler"}:
                assert name in UNPICKLING, where
    assert seen >= {*required, "pickle.loads"}
