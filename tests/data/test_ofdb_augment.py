from __future__ import annotations

import pickle

import numpy as np
import pytest

from fdsl.catalog import SyntheticDataset
from fdsl.data import parameters as parameter_file
from fdsl.data.ofdb_augment import RedrawnCategories, textured, turned

SETTINGS = {
    "fractaldb": {
        "image_size_px": 48,
        "points": 3000,
        "pad_px": 4,
        "search_size_px": 64,
        "search_points": 8000,
        "weighted": False,
    },
    "exfractaldb": {"image_size_px": 48, "points": 2000, "weighted": False, "view": "fixed12"},
}


def dataset(formula: str, **settings):
    return SyntheticDataset(
        formula=formula, classes=3, instances=1, settings=SETTINGS[formula] | settings
    )


@pytest.fixture(scope="module")
def parameters():
    return {
        formula: parameter_file.stack(list(parameter_file.sample(dataset(formula), seed=0)))
        for formula in SETTINGS
    }


def rng(number: int = 0):
    return np.random.default_rng(number)


@pytest.mark.parametrize("formula", SETTINGS)
def test_an_image_is_a_function_of_the_generator(parameters, formula):
    images = RedrawnCategories(dataset(formula), parameters[formula], seed=0)
    assert len(images) == 3
    first = images.draw(1, rng())
    assert first.any()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(images)).draw(1, rng()), first)
    seen = {images.draw(1, rng(k)).tobytes() for k in range(30)}
    assert len(seen) == 30


@pytest.mark.parametrize("formula", SETTINGS)
@pytest.mark.parametrize("start", [{"weighted": False}, {"weighted": True, "instance_row": 0}])
def test_perturbations_move_the_shape_and_new_points_do_not(parameters, formula, start):
    def spread(**options):
        images = RedrawnCategories(
            dataset(formula, **start), parameters[formula], seed=0, **options
        )
        pictures = np.array([images.draw(0, rng(k)) > 0 for k in range(40)])
        return pictures.reshape(40, 6, 8, 6, 8).mean(axis=(2, 4)).var(axis=0).sum()

    still = spread(perturb=False, turn=False)
    assert spread(perturb=True, turn=False) > 1.5 * still
    assert spread(perturb=False, turn=True) > 1.5 * still


def test_other_formulas_are_refused(parameters):
    other = SyntheticDataset(formula="rcdb", classes=3, instances=1, settings={})
    with pytest.raises(ValueError, match="'rcdb' has no systems to perturb: use fractaldb or exf"):
        RedrawnCategories(other, parameters["fractaldb"], seed=0)


@pytest.mark.parametrize("shape", [(5, 5), (5, 5, 3)])
def test_turns_are_the_four_quarters(shape):
    image = rng().integers(0, 256, shape).astype(np.uint8)
    seen = {turned(image, rng(k)).tobytes() for k in range(40)}
    assert seen == {np.ascontiguousarray(np.rot90(image, k)).tobytes() for k in range(4)}


@pytest.mark.parametrize("shape", [(40, 40), (40, 31), (40, 40, 3), (1, 1)])
def test_textures_replace_what_is_lit_alone(shape):
    image = (rng().integers(0, 3, shape) * 60).astype(np.uint8)
    kept = image.copy()
    seen = set()
    for k in range(20):
        result = textured(image, rng(k))
        assert result.shape == shape
        assert result.dtype == np.uint8
        lit = image > 0 if image.ndim == 2 else image.any(axis=2)
        np.testing.assert_array_equal(result.reshape(*shape[:2], -1).any(axis=2), lit)
        assert not lit.any() or result[lit].min() >= 64
        seen.add(result.tobytes())
    np.testing.assert_array_equal(image, kept)
    assert shape == (1, 1) or len(seen) == 20
