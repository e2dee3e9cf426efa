"""What it costs to bring an image to the network."""

import pytest
from forecast.given import configuration, shipped

from fdsl.forecast import loading
from fdsl.forecast.amount import Origin
from fdsl.forecast.loading import SourceImages
from fdsl.forecast.rates import Rates
from fdsl.schema.recipe import Recipe
from fdsl.schema.recipe_files import plain

RECIPES = configuration().recipes
PUBLISHED = "random_resized, RandAugment"


def pictures(side, channels=1):
    return SourceImages(0.0, Origin.EXACT, side, channels)


@pytest.mark.parametrize(
    ("recipe", "kind"),
    [
        ("pretrain_laptop", "random_resized"),
        ("finetune_laptop", loading.PLAIN),
        ("pretrain_vit_tiny_1k", PUBLISHED),
        ("pretrain_dino_laptop", loading.DINO),
        ("pretrain_resnet50", "random"),
    ],
)
def test_a_recipe_has_one_kind_of_augmentation(recipe, kind):
    assert loading.kind(Recipe.model_validate(plain(RECIPES[recipe]))) == kind


def test_a_measured_size_is_taken_as_it_is():
    rates = shipped()
    entry = next(e for e, _ in rates.each("loading") if (e.kind, e.source_px) == (PUBLISHED, 362))
    found = loading.seconds(rates, PUBLISHED, pictures(362), image_size_px=224)
    assert found == (entry.seconds, Origin.SHIPPED, "")


def test_another_size_is_derived_from_the_nearest_and_says_so():
    rates = shipped()
    measured, _, _ = loading.seconds(rates, PUBLISHED, pictures(362), image_size_px=224)
    found, origin, words = loading.seconds(rates, PUBLISHED, pictures(362), image_size_px=448)
    assert (found, origin) == (pytest.approx(4 * measured), Origin.ASSUMED)
    assert (
        words == f"{PUBLISHED} of 1-channel images from 362 to 448 px: as from 362 to 224 px with 1"
    )


def test_a_kind_that_was_not_measured_takes_the_nearest_and_says_so():
    _, origin, words = loading.seconds(shipped(), "random", pictures(362), image_size_px=224)
    assert origin == Origin.ASSUMED
    assert "'random' was not measured" in words


def test_this_machine_goes_before_the_shipped_rates():
    rates = shipped()
    entry, _ = next(p for p in rates.each("loading") if p[0].kind == PUBLISHED)
    mine = rates.shipped.model_copy(
        update={"loading": (entry.model_copy(update={"seconds": 42.0}),)}
    )
    both = Rates(rates.shipped, mine)
    sides = pictures(entry.source_px, entry.channels)
    found = loading.seconds(both, PUBLISHED, sides, image_size_px=entry.image_size_px)
    assert found == (42.0, Origin.MEASURED, "")
