"""Recipes on disk: complete, each value with its source, and files that say only what differs from
another.
"""

from pathlib import Path
from typing import get_args

import pytest
import yaml

from fdsl.schema import recipe_files
from fdsl.schema.base import ConfigError
from fdsl.schema.recipe_files import flat, plain, recipes

FOLDER = Path(__file__).parents[2] / "workflow"
# What no published program does: off unless a recipe of ours asks for it.
ADDED = {"muon_lr_factor": None, "normalisation": "fixed", "position_start": "random"}
WHOLE = yaml.safe_load((FOLDER / "recipes" / "pretrain_vit_base_21k.yaml").read_text())


@pytest.fixture(scope="module")
def published():
    return recipes(FOLDER)


@pytest.fixture
def written(tmp_path):
    """A function that writes recipes' files beside one complete recipe, `whole`, and reads them
    all.
    """
    (tmp_path / "recipes").mkdir()

    def write(**files):
        for name, content in {"whole": WHOLE, **files}.items():
            text = yaml.safe_dump(content, sort_keys=False)
            (tmp_path / "recipes" / f"{name}.yaml").write_text(text)
        recipe_files.read_yaml.cache_clear()
        return recipes(tmp_path)

    return write


def sourced(value, source="ours", where="a test"):
    return {"value": value, "source": source, "where": where}


def test_every_value_of_every_recipe_has_a_source_and_a_file(published):
    keys = flat(published["pretrain_vit_base_21k"]).keys()
    for name, recipe in published.items():
        values = flat(recipe)
        further = {key for key in values if not key.startswith("dino.")} - keys
        assert keys <= values.keys(), name
        assert further <= ADDED.keys(), name
        for key in further:
            assert values[key].source == "ours" or values[key].value == ADDED[key], f"{name}: {key}"
        assert ("muon_lr_factor" in further) == (values["optimizer"].value == "muon"), name
        for key, value in values.items():
            assert value.source in get_args(recipe_files.Source), f"{name}: {key}"
            assert value.where, f"{name}: {key}"
            assert f"\n{key.split('.')[0]}:" in f"\n{file_of(value.recipe)}", f"{name}: {key}"


def file_of(name):
    return (FOLDER / "recipes" / f"{name}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("part", ["source", "where", "value"])
@pytest.mark.parametrize(
    "key", [*sorted(WHOLE.keys() - {"references", "augmentation"}), *WHOLE["augmentation"]]
)
def test_a_value_that_lacks_a_part_is_refused(written, key, part):
    inside = key in WHOLE["augmentation"]
    place = WHOLE["augmentation"] if inside else WHOLE
    cut = {name: text for name, text in place[key].items() if name != part}
    changed = {**place, key: cut}
    content = {**WHOLE, "augmentation": changed} if inside else changed
    with pytest.raises(ConfigError, match=rf"recipes/bad\.yaml: .*{key}"):
        written(bad=content)


def test_a_source_of_another_kind_is_refused(written):
    with pytest.raises(ConfigError, match=r"recipes/bad\.yaml: lr: source = 'hearsay'"):
        written(bad={**WHOLE, "lr": sourced(0.1, "hearsay")})


def test_what_a_file_does_not_name_is_taken_over_with_its_source(written):
    child = {
        "like": "whole",
        "references": {"note": "a longer text"},
        "epochs": sourced(40, "inferred", "note"),
        "augmentation": {"mixup": sourced(0.2)},
    }
    grandchild = {"like": "child", "epochs": sourced(20)}
    found = written(child=child, grandchild=grandchild)
    base, one, two = (flat(found[name]) for name in ("whole", "child", "grandchild"))
    assert one["epochs"].model_dump() == {
        "value": 40,
        "source": "inferred",
        "where": "a longer text",
        "recipe": "child",
    }
    assert {k for k in base if one[k] != base[k]} == {"epochs", "augmentation.mixup"}
    assert {k for k in base if two[k] != one[k]} == {"epochs"}
    assert (two["epochs"].value, two["augmentation.mixup"].recipe) == (20, "child")
    assert two["lr"] == base["lr"]
    assert base["lr"].recipe == "whole"
    assert plain(found["grandchild"])["augmentation"]["mixup"] == 0.2


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("note", "a text, longer"),
        ("note, line 3", "a text, longer, line 3"),
        ("note: twice", "a text, longer: twice"),
        ("note; so it is", "a text, longer; so it is"),
        ("notes, line 3", "notes, line 3"),
        ("note taken, line 3", "note taken, line 3"),
        ("see note", "see note"),
    ],
)
def test_a_reference_is_written_out_where_a_source_begins_with_it(written, where, text):
    child = {"like": "whole", "references": {"note": "a text, longer"}}
    found = written(child={**child, "epochs": sourced(40, "inferred", where)})
    assert flat(found["child"])["epochs"].where == text


def test_the_order_of_file_names_does_not_matter(written):
    assert plain(written(a={"like": "z", "epochs": sourced(7)}, z=WHOLE)["a"])["epochs"] == 7


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a": {"like": "hole", "lr": sourced(1)}}, "like = 'hole' is unknown .*'whole'"),
        ({"a": {"like": 3, "lr": sourced(1)}}, "like = 3"),
        ({"a": {"like": "a", "lr": sourced(1)}}, "circle: a -> a"),
        (
            {"a": {"like": "b", "lr": sourced(1)}, "b": {"like": "a", "lr": sourced(2)}},
            "circle: a -> b -> a",
        ),
        ({"a": {"like": "whole"}}, "names no values"),
        ({"a": {"like": "whole", "augmentation": {}}}, "names no values"),
        ({"a": {"like": "whole", "rate": sourced(1)}}, "key = 'rate' is unknown"),
        (
            {"a": {"like": "whole", "augmentation": {"mix": sourced(1)}}},
            "augmentation: key = 'mix' is unknown.*'mixup'",
        ),
        ({"a": {"like": "whole", "augmentation": sourced(1)}}, "augmentation must be a mapping"),
        ({"a": {"like": "whole", "lr": {"x": sourced(1)}}}, "lr must be one value with its source"),
        (
            {"a": {"like": "whole", "lr": sourced(0.001, "released code")}},
            "lr = 0.001 .released code. is what workflow/recipes/whole.yaml states already",
        ),
        ({"a": {"like": "whole", "epochs": sourced(3)}}, r"warmup_epochs = 5\.0 must be below"),
        ({"a": {"like": "whole", "lr": sourced("fast")}}, "lr = 'fast'"),
        ({"a": {"like": "whole", "references": {"x": 1}, "lr": sourced(1)}}, r"references\.x"),
        ({"a": [1]}, "must be a mapping"),
        ({"a": {"lr": sourced(1)}}, "epochs is missing"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(written, files, words):
    with pytest.raises(ConfigError, match=rf"(?s)recipes/[ab]\.yaml.*{words}"):
        written(**files)


def test_the_same_value_from_another_kind_of_source_is_a_statement(written):
    found = written(a={"like": "whole", "lr": sourced(0.001, "paper")})
    assert flat(found["a"])["lr"].source == "paper"
