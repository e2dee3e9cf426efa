"""Images and parameters that must never change: a change here is a change of every dataset."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from fdsl import formulas

GOLDEN = {
    "fractaldb": ("ac8f2ab38de35d79", "84e1b205bf3276be"),
    "exfractaldb": ("8a3df395a1edb360", "cfe727cc71ef3b7c"),
    "rcdb": ("b570695a97b99af6", "acf1869bc5f62f44"),
    "visualatom": ("6f40535e52152ec8", "6bb53e6a5fe0a814"),
    "one_parameter": ("e8dffb2da7706b99", "3fc91253ed72757a"),
    "perlin": ("8933ad83cda0fcba", "6e318b3f6beed79f"),
    "dead_leaves": ("177d4884941a6702", "cfc7c7e467980d23"),
    "bezier": ("c9852c94c44b6bae", "41d69f645e1c73e9"),
}
GRIDS = {"perlin": 99, "dead_leaves": 99, "bezier": 143}  # their last category; 999 elsewhere


@pytest.mark.parametrize("name", GOLDEN)
def test_published_settings_give_the_known_bits(name):
    formula = formulas.get(name)
    settings, parameters, images = formula.Settings(), hashlib.sha256(), hashlib.sha256()
    for category in (0, 1, GRIDS.get(name, 999)):
        rows = formula.sample_category(settings, seed=42, category=category)
        for column in formula.PARAMETERS:
            parameters.update(np.ascontiguousarray(rows[column]))
        for instance in (0, 30, 999):
            images.update(
                formula.render(settings, rows, seed=42, category=category, instance=instance)
            )
    assert (parameters.hexdigest()[:16], images.hexdigest()[:16]) == GOLDEN[name]
