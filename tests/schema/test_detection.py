"""Detection recipes: every value with its source, and what cannot be."""

from pathlib import Path

import pytest
from train.detection import tiny_detection as tiny

from fdsl.schema.base import ConfigError, validate
from fdsl.schema.detection import FOLDER, DetectionRecipe
from fdsl.schema.recipe_files import flat, plain, recipes

WORKFLOW = Path(__file__).parents[2] / "workflow"


def test_recipes_lie_apart_from_those_of_classification_and_may_be_like_one_another():
    found = recipes(WORKFLOW, DetectionRecipe, below=FOLDER)
    assert list(found) == ["detection/mask_rcnn_laptop", "detection/mask_rcnn_swin_base"]
    assert not set(found) & set(recipes(WORKFLOW))
    small = flat(found["detection/mask_rcnn_laptop"])
    assert small["anchor_ratios"].recipe == "detection/mask_rcnn_swin_base"
    assert small["strides"].recipe == "detection/mask_rcnn_laptop"
    paper = flat(found["detection/mask_rcnn_swin_base"])
    assert (paper["epochs"].value, paper["epochs"].source) == (60, "inferred")
    # nothing of the paper's detection is public
    assert {value.source for value in paper.values()} == {"inferred", "ours"}


def test_a_fault_names_the_file_below_its_folder(tmp_path):
    folder = tmp_path / "recipes" / "detection"
    folder.mkdir(parents=True)
    (folder / "odd.yaml").write_text(
        "like: detection/absent\nepochs: {value: 2, source: ours, where: x}\n"
    )
    with pytest.raises(ConfigError, match=r"workflow/recipes/detection/odd\.yaml: like"):
        recipes(tmp_path, DetectionRecipe, below=FOLDER)


def test_values_of_the_files_are_those_of_the_model():
    for recipe in recipes(WORKFLOW, DetectionRecipe, below=FOLDER).values():
        DetectionRecipe.model_validate(plain(recipe))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"strides": (4, 12)}, ["strides = [4, 12]", "twice"]),
        ({"short_sides_px": (480, 800), "long_side_px": 640}, ["[480, 800]", "long_side_px = 640"]),
        ({"layer_decay": 0.9}, ["layer_decay = 0.9", "use null"]),
        ({"score_threshold": 1.0}, ["score_threshold = 1.0", "less than 1"]),
        ({"mixup": 0.5}, ["mixup", "unknown key"]),
        ({"warmup_epochs": 2.0}, ["warmup_epochs = 2.0", "below epochs = 2"]),
    ],
)
def test_what_cannot_be_is_refused_with_value_and_range(changes, words):
    values = tiny.recipe().model_dump() | changes
    with pytest.raises(ConfigError) as raised:
        validate(DetectionRecipe, values, where="recipe")
    assert all(word in str(raised.value) for word in words)
