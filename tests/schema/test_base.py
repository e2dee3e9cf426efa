from typing import Literal

import pytest
from pydantic import Field

from fdsl.schema.base import ConfigError, FrozenModel, choose, validate


class Inner(FrozenModel):
    points: int = Field(ge=1, le=10)


class Outer(FrozenModel):
    scale: Literal["laptop", "paper"]
    inner: Inner
    inners: dict[str, Inner] = Field(default_factory=dict)


GOOD = {"scale": "laptop", "inner": {"points": 3}}


def test_good_values_become_a_frozen_model():
    model = validate(Outer, GOOD, where="file.yaml")
    assert model.inner.points == 3
    with pytest.raises(ValueError, match="frozen"):
        model.scale = "paper"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({**GOOD, "scal": "laptop"}, ["scal = 'laptop'", "unknown key", "did you mean 'scale'"]),
        ({**GOOD, "inner": {"point": 3}}, ["inner.point = 3", "unknown key", "points", "missing"]),
        ({**GOOD, "inners": {"a": {"point": 3}}}, ["inners.a.point = 3", "did you mean 'points'"]),
        ({**GOOD, "scale": "lptop"}, ["scale = 'lptop'", "'laptop' or 'paper'"]),
        ({**GOOD, "inner": {"points": 11}}, ["inner.points = 11", "less than or equal to 10"]),
        ({**GOOD, "inner": {"points": "many"}}, ["inner.points = 'many'", "integer"]),
        ({"scale": "laptop"}, ["inner is missing"]),
    ],
)
def test_a_fault_names_file_key_value_and_what_is_allowed(values, words):
    with pytest.raises(ConfigError) as error:
        validate(Outer, values, where="file.yaml")
    for word in ["file.yaml", *words]:
        assert word in str(error.value)


def test_every_fault_is_reported_at_once():
    with pytest.raises(ConfigError) as error:
        validate(Outer, {"scale": "x", "inner": {"points": 0}}, where="f")
    assert len(str(error.value).splitlines()) == 2


def test_choose_lists_what_is_allowed_and_the_nearest():
    assert choose("formula", "rcdb", ["rcdb", "fractaldb"], where="f") == "rcdb"
    with pytest.raises(
        ConfigError, match=r"f: formula = 'rcbd'.*did you mean 'rcdb'.*fractaldb, rcdb"
    ):
        choose("formula", "rcbd", ["rcdb", "fractaldb"], where="f")
