from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from fdsl import formulas
from fdsl.schema.base import ConfigError, FrozenModel, validate

GRIDS = {"perlin", "dead_leaves"}  # their categories are cells of a grid, whatever the seed
HEAVY = ["numba", "torch", "pandas", "matplotlib", "timm"]


@pytest.fixture(params=sorted(formulas.FORMULAS))
def formula(request):
    return formulas.get(request.param)


def small(formula, **options):
    return formula.Settings(image_size_px=32, **options)


def test_every_formula_keeps_the_contract(formula):
    assert issubclass(formula.Settings, FrozenModel)
    assert formula.TITLE
    settings = small(formula)
    rows = formula.sample_category(settings, seed=1, category=0)
    assert {name: values.dtype.name for name, values in rows.items()} == formula.PARAMETERS
    assert len({values.shape for values in rows.values()}) == 1
    image = formula.render(settings, rows, seed=1, category=0, instance=0)
    assert image.dtype == np.uint8
    assert image.shape in {(32, 32), (32, 32, 3)}
    assert image.flags.c_contiguous
    assert image.flags.owndata or image.base.flags.owndata


def test_ids_are_permanent():
    ids = {name: formulas.get(name).FORMULA_ID for name in formulas.FORMULAS}
    known = ["fractaldb", "exfractaldb", "rcdb", "visualatom", "one_parameter"]
    known += ["perlin", "dead_leaves", "bezier"]
    assert {name: number for number, name in enumerate(known, 1)}.items() <= ids.items()
    assert len(set(ids.values())) == len(ids)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'fractaldb'"):
        formulas.get("fractal_db")


def test_settings_load_without_the_kernels():
    names = ", ".join(f"fdsl.formulas.{name}" for name in formulas.FORMULAS)
    code = f"import sys, {names}; print([m for m in {HEAVY} if m in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout
        == "[]\n"
    )


def test_every_setting_is_described_and_unknown_ones_are_refused(formula):
    assert all(field.description for field in formula.Settings.model_fields.values())
    with pytest.raises(ConfigError, match="unknown key"):
        validate(formula.Settings, {"image_size": 32}, where="scale.yaml")


def test_an_image_depends_on_its_own_place_alone(formula):
    settings = small(formula)
    places = [(category, instance) for category in range(3) for instance in (0, 7, 30)]
    rows = {c: formula.sample_category(settings, seed=9, category=c) for c in range(3)}

    def images(order):
        return {
            p: formula.render(settings, rows[p[0]], seed=9, category=p[0], instance=p[1]).tobytes()
            for p in order
        }

    forward = images(places)
    assert images(places[::-1]) == forward
    assert len(set(forward.values())) == len(places)
    again = formula.sample_category(settings, seed=9, category=2)
    assert all(np.array_equal(again[name], rows[2][name]) for name in again)
    assert images([(2, 30)])[2, 30] == forward[2, 30]


def test_the_seed_changes_categories_and_images(formula):
    settings = small(formula)
    rows = formula.sample_category(settings, seed=1, category=0)
    other = formula.sample_category(settings, seed=2, category=0)
    same = all(np.array_equal(rows[name], other[name]) for name in rows)
    assert same == (formula.__name__.rpartition(".")[2] in GRIDS)
    one, two = (
        formula.render(settings, rows, seed=seed, category=0, instance=0) for seed in (1, 2)
    )
    assert (one != two).any()


def test_images_do_not_share_memory(formula):
    settings = small(formula)
    rows = formula.sample_category(settings, seed=1, category=0)
    first = formula.render(settings, rows, seed=1, category=0, instance=0)
    kept = first.copy()
    formula.render(settings, rows, seed=1, category=0, instance=1)
    np.testing.assert_array_equal(first, kept)


def test_parameters_may_be_read_only(formula):
    settings = small(formula)
    rows = formula.sample_category(settings, seed=1, category=0)
    expected = formula.render(settings, rows, seed=1, category=0, instance=3)
    for values in rows.values():
        values.setflags(write=False)
    np.testing.assert_array_equal(
        formula.render(settings, rows, seed=1, category=0, instance=3), expected
    )


@pytest.mark.parametrize("fault", ["missing", "empty", "nan", "inf", "huge"])
def test_impossible_parameters_are_refused(formula, fault):
    settings = small(formula)
    rows = formula.sample_category(settings, seed=1, category=0)
    names = [*formula.PARAMETERS]
    column = next((n for n in names if formula.PARAMETERS[n] == "float64"), names[0])
    if fault == "missing":
        rows.pop(column)
    elif fault == "empty":
        rows = {name: values[:0] for name, values in rows.items()}
    else:
        value = {"nan": np.nan, "inf": np.inf, "huge": 1e9}[fault]
        rows[column] = np.full(rows[column].shape, value)
    with pytest.raises(ValueError, match=r"missing|maps|rows|finite|must"):
        formula.render(settings, rows, seed=1, category=0, instance=0)
