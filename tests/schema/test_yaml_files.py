"""YAML that is small on disk and harmful in memory, or that only looks like plain data."""

import pytest

from fdsl.schema.base import ConfigError
from fdsl.schema.yaml_files import MAX_DEPTH, read_mapping, read_yaml

LAUGHS = (
    "a: &a ["
    + "x," * 10
    + "]\n"
    + "".join(
        f"{chr(98 + k)}: &{chr(98 + k)} [{','.join([f'*{chr(97 + k)}'] * 10)}]\n" for k in range(9)
    )
)


@pytest.fixture
def written(tmp_path):
    """A function that writes a file and returns its path."""

    def write(text, name="x.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LAUGHS, "more than 100000 values"),
        ("a: &a [*a]", "is undefined or recursive"),
        ("a: &a {b: {c: *a}}", "is undefined or recursive"),
        ("a: " + "[" * 100_000, "nested deeper than 32"),
        ("- " * 100_000 + "x", "nested deeper than 32"),
        ("!!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("a: !!python/name:os.system", "could not determine a constructor"),
        ("1: x", "the key '1' is no text"),
        ("on: x", "the key 'on' is no text"),
        ("? [a]\n: x", "is no text"),
        ("a: 2001-99-99", "not valid YAML"),
        ("a: " + "9" * 5000, "not valid YAML"),
        ("a: !!timestamp x", "not valid YAML"),
        ("a: !!int ''", "not valid YAML"),
        ("a: \x07", "not valid YAML"),
    ],
)
def test_hostile_files_are_one_error_that_names_the_file(written, text, words):
    path = written(text)
    with pytest.raises(ConfigError, match=words) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)


def test_text_in_another_encoding_is_named(tmp_path):
    (tmp_path / "x.yaml").write_bytes("title: é".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"x\.yaml is not valid YAML: 'utf-8'"):
        read_yaml(tmp_path / "x.yaml")


def test_aliases_and_merges_of_plain_files_stay(written):
    path = written("a: &a {b: 1}\nc: {<<: *a, d: 2}\ne: *a\n")
    assert read_yaml(path) == {"a": {"b": 1}, "c": {"b": 1, "d": 2}, "e": {"b": 1}}
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert read_yaml(written(deep, "deep.yaml")) is not None


@pytest.mark.parametrize(("text", "kind"), [("", "NoneType"), ("[1, 2]", "list"), ("x", "str")])
def test_what_is_no_mapping_is_named(written, text, kind):
    with pytest.raises(ConfigError, match=rf"x\.yaml holds {kind}, expected names with values"):
        read_mapping(written(text))
