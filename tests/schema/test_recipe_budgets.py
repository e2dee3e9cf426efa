"""Recipes against the counts of images and updates that the papers and their code state."""

import csv
from pathlib import Path

import pytest
import yaml

from fdsl.schema.recipe import Recipe
from fdsl.schema.recipe_files import plain
from fdsl.train.schedule import schedule
from fdsl.workflow import load as settings

ROOT = Path(__file__).parents[2]
DEVIATIONS = ROOT / "workflow" / "published" / "deviations.csv"

STATED = [
    # recipe, synthetic dataset, what, stated; sources: the OFDB project page docs/img/results2.png
    # for images and updates of the 21k sets, the project page's comparison_ft.png for 1.4M images,
    # the VisualAtom code's scripts/pretrain.sh for its warm-up
    ("pretrain_vit_base_21k", "fractaldb21k", "images", 21_000_000),
    ("pretrain_vit_base_21k", "exfractaldb21k", "images", 21_000_000),
    ("pretrain_vit_base_21k", "rcdb21k", "images", 21_000_000),
    ("pretrain_vit_base_21k", "fractaldb21k", "global_batch", 8_192),
    ("pretrain_vit_tiny_1k", "exfractaldb1k_1400k", "images", 1_400_000),
    ("pretrain_vit_base_21k_visualatom", "visualatom21k", "warmup_steps", 5_000),
    ("pretrain_vit_tiny_21k_visualatom", "visualatom21k", "warmup_steps", 5_000),
    ("pretrain_vit_tiny_1k_visualatom", "visualatom1k", "warmup_steps", 5_000),
]
CONFLICTS = [
    # recipe, synthetic dataset, updates as stated (OFDB project page), updates by the recipe
    ("pretrain_vit_base_21k", "fractaldb21k", 300_000, 230_712),
    ("pretrain_vit_base_21k", "exfractaldb21k", 300_000, 230_712),
    ("pretrain_vit_base_21k", "rcdb21k", 300_000, 230_712),
]


@pytest.fixture(scope="module")
def config():
    return settings.load(yaml.safe_load((ROOT / "config.yaml").read_text()))


def budget(config, recipe, dataset):
    entry = config.synthetic[dataset]
    values = Recipe.model_validate(plain(config.recipes[recipe]))
    return schedule(values, images=entry.classes * entry.instances)


@pytest.mark.parametrize(("recipe", "dataset", "what", "stated"), STATED)
def test_counts_are_those_that_are_stated(config, recipe, dataset, what, stated):
    assert getattr(budget(config, recipe, dataset), what) == stated


@pytest.mark.parametrize(("recipe", "dataset", "stated", "ours"), CONFLICTS)
def test_counts_that_conflict_stand_among_the_deviations(config, recipe, dataset, stated, ours):
    assert budget(config, recipe, dataset).steps == ours
    with DEVIATIONS.open(encoding="utf-8", newline="") as file:
        rows = [" ".join(row.values()) for row in csv.DictReader(file)]
    assert any(f"{stated:,}" in row and f"{ours:,}" in row for row in rows)


def test_epochs_times_images_are_the_updates_of_every_pretraining(config):
    for name, values in config.recipes.items():
        recipe = Recipe.model_validate(plain(values))
        exact = recipe.all_epochs * 1_000_000 / recipe.global_batch
        assert 0 <= exact - schedule(recipe, images=1_000_000).steps < 1, name
