import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional
from train.tiny_training import dino_recipe, recipe

from fdsl.augment.multi_crop import MultiCrop, blurred, rotate_hue
from fdsl.schema.recipe import Recipe
from fdsl.seeding.tree import Stage, generator

PICTURE = np.random.default_rng(0).integers(0, 256, (30, 24, 3), dtype=np.uint8)
CALM = {"jitter": 0.0, "gray": 0.0, "blur": (0.0, 0.0, 0.0), "solarize": 0.0}


def crops(image=PICTURE, key=(1, 2, 0), *, views=None, **changes):
    settings = dino_recipe(views=views, **changes)
    return MultiCrop(settings)(image, generator(3, *key, Stage.AUGMENT))


def equal(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_two_large_and_some_small_views_of_gray_and_colour():
    for image, channels in [(PICTURE, 3), (PICTURE[:, :, 0], 1)]:
        large, small = crops(image, views={"local_crops": 5})
        assert (large.dtype, small.dtype) == (torch.uint8, torch.uint8)
        assert large.shape == (2, channels, 16, 16)
        assert small.shape == (5, channels, 8, 8)
    assert crops(views={"local_crops": 0})[1].shape == (0, 3, 8, 8)


def test_views_depend_on_their_key_and_number_alone():
    first = crops()
    assert equal(first, crops())
    assert not any(equal(first, crops(key=key)) for key in [(0, 2, 0), (1, 3, 0), (1, 2, 1)])
    large, small = crops(views={"local_crops": 6})
    assert torch.equal(large, first[0])
    assert torch.equal(small[:2], first[1])
    assert not torch.equal(small[0], small[1])
    own = generator(3, 1, 2, 0, Stage.AUGMENT, 1)  # the branch of view 1
    view = MultiCrop(dino_recipe())._view(PICTURE, 1, own)
    assert np.array_equal(view, first[0][1])


def test_the_image_is_not_changed():
    before = PICTURE.copy()
    for index in range(20):
        crops(key=(0, index, 0), views={"solarize": 1.0})
    assert np.array_equal(PICTURE, before)


def test_a_calm_recipe_only_crops_and_small_views_show_less():
    ramp = np.add.outer(np.arange(32) * 4, np.arange(32) * 4).astype(np.uint8)
    spans = {0: [], 1: []}
    for index in range(40):
        found = crops(ramp, (0, index, 0), views=CALM, horizontal_flip=0.0)
        for size, views in enumerate(found):
            assert (views.int().diff(dim=2) >= 0).all()  # still a ramp: nothing but a window
            spans[size] += [int(view.max()) - int(view.min()) for view in views]
    assert np.mean(spans[1]) < 0.7 * np.mean(spans[0])
    whole = crops(
        ramp, views=CALM, horizontal_flip=1.0, crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0)
    )
    assert (whole[0].int().diff(dim=3) <= 0).all()


def test_the_second_large_view_alone_is_solarised():
    bright = np.full((16, 16), 200, np.uint8)
    large, small = crops(bright, views=CALM | {"solarize": 1.0})
    assert (large[0] == 200).all()
    assert (large[1] == 55).all()
    assert (small == 200).all()


def test_blur_has_a_probability_for_each_kind_of_view():
    for number, blur in enumerate([(1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)]):
        calm = crops(views=CALM)
        looks = crops(views=CALM | {"blur": blur, "blur_radius_px": (2.0, 2.0)})
        same = [
            torch.equal(a, b)
            for a, b in zip([*calm[0], *calm[1]], [*looks[0], *looks[1]], strict=True)
        ]
        assert same == [number != min(view, 2) for view in range(4)]


def test_gray_leaves_three_equal_channels():
    large, small = crops(views=CALM | {"gray": 1.0})
    for views in (large, small):
        assert torch.equal(views[:, 0], views[:, 1])
        assert torch.equal(views[:, 0], views[:, 2])


def test_jitter_stays_within_its_ranges():
    flat = np.full((16, 16), 100, np.uint8)
    means = [
        float(
            crops(flat, (0, index, 0), views=CALM | {"jitter": 1.0, "contrast": 0.0})[0][0]
            .float()
            .mean()
        )
        for index in range(60)
    ]
    assert 60 <= min(means) < 75
    assert 125 < max(means) <= 140


@pytest.mark.parametrize("share", [-0.5, -0.1, 0.0, 0.07, 0.5])
def test_hue_is_torchvisions(share):
    expected = functional.adjust_hue(Image.fromarray(PICTURE), share)
    found = rotate_hue(np.ascontiguousarray(PICTURE.transpose(2, 0, 1)), share)
    assert np.array_equal(found, np.asarray(expected).transpose(2, 0, 1))
    gray = PICTURE[None, :, :, 0]
    assert rotate_hue(gray, share) is gray


def test_blur_keeps_the_mean_and_loses_contrast():
    planes = np.ascontiguousarray(PICTURE.transpose(2, 0, 1))
    soft = blurred(planes, 1.5)
    assert soft.shape == planes.shape
    assert soft.std() < 0.5 * planes.std()
    assert soft.mean() == pytest.approx(planes.mean(), abs=3)
    gray = blurred(planes[:1].copy(), 1.5)
    assert np.array_equal(gray[0], soft[0])


def test_a_recipe_without_the_section_is_refused():
    with pytest.raises(ValueError, match="has no section dino"):
        MultiCrop(recipe())


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"crop": "none"}, "dino needs random_resized"),
        ({"label_smoothing": 0.1}, "label_smoothing cannot be used with dino"),
        ({"ema_decay": 0.9, "clip_norm": None}, "ema_decay cannot be used"),
        ({"layer_decay": 0.7}, "layer_decay cannot be used"),
        ({"objective": "cross_entropy"}, "objective = cross_entropy with a section dino"),
        ({"dino": None}, "objective = dino with no section dino"),
    ],
)
def test_settings_that_need_labels_are_refused(changes, text):
    values = dino_recipe().model_dump()
    for name, value in changes.items():
        (values["augmentation"] if name in values["augmentation"] else values)[name] = value
    with pytest.raises(ValueError, match=text):
        Recipe(**values)


@pytest.mark.parametrize(
    ("views", "text"),
    [
        ({"local_scale": (0.4, 0.1)}, "two ascending numbers"),
        ({"local_scale": (0.4, 1.1)}, "must not exceed 1"),
        ({"blur": (1.0, 0.1, 1.5)}, "less than or equal to 1"),
    ],
)
def test_views_out_of_range_are_refused(views, text):
    with pytest.raises(ValueError, match=text):
        dino_recipe(views=views)
