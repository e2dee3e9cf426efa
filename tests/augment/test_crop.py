"""Crops, flips, shifts and evaluation: deterministic, and as timm and torchvision do them."""

import pickle
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from PIL import Image
from timm.data.transforms import RandomResizedCropAndInterpolation
from torchvision import transforms

from fdsl.augment import crop
from fdsl.augment.crop import EvalTransform, TrainTransform, random_window, shifted
from fdsl.schema.recipe import Augmentation, Recipe

PUBLISHED = {
    "crop": "random_resized",
    "vertical_flip": 0.5,
    "horizontal_flip": 0.5,
    "rand_augment": "rand-m9-mstd0.5-inc1",
}
CHEAP = {"crop": "pad_and_shift", "horizontal_flip": 0.5}


def recipe(size=32, mean=0.5, **changes):
    augmentation = {
        "crop": "none",
        "crop_scale": (0.08, 1.0),
        "crop_ratio": (3 / 4, 4 / 3),
        "shift_px": 4,
        "horizontal_flip": 0.0,
        "vertical_flip": 0.0,
        "rand_augment": None,
        "random_erasing": 0.0,
        "mixup": 0.0,
        "cutmix": 0.0,
        "repeated_aug": 1,
        "one_per_category": False,
        "ofdb": (),
    }
    values = {
        "model": "any",
        "image_size_px": size,
        "epochs": 1,
        "cooldown_epochs": 0,
        "global_batch": 8,
        "optimizer": "adamw",
        "lr": 1e-3,
        "weight_decay": 0.0,
        "momentum": 0.9,
        "layer_decay": None,
        "schedule": "cosine",
        "milestones": (),
        "gamma": None,
        "warmup_epochs": 0.0,
        "warmup_lr": 0.0,
        "min_lr": 0.0,
        "clip_norm": None,
        "label_smoothing": 0.0,
        "drop_path": 0.0,
        "ema_decay": None,
        "mean": mean,
        "std": 0.5,
        "precision": "fp32",
    }
    return Recipe(**values, augmentation=Augmentation(**augmentation | changes))


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(1, 256, shape, dtype=np.uint8)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("shape", [(50, 50), (50, 40, 3), (32, 32), (32, 32, 3)])
@pytest.mark.parametrize("changes", [PUBLISHED, CHEAP, {}])
def test_output_is_a_fresh_contiguous_square(shape, changes):
    image = noise(*shape)
    before = image.copy()
    image.flags.writeable = False
    out = TrainTransform(recipe(**changes))(image, rng())
    assert out.shape == (1 if len(shape) == 2 else 3, 32, 32)
    assert out.dtype == torch.uint8
    assert out.is_contiguous()
    out.zero_()
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("changes", [PUBLISHED, CHEAP])
def test_the_generator_alone_decides(changes):
    transform, image = TrainTransform(recipe(**changes)), noise(40, 40)
    results = [transform(image, rng(seed)) for seed in (3, 3, 4)]
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=0)
    assert not torch.equal(results[0], results[2])
    sent = pickle.loads(pickle.dumps(transform))
    assert torch.equal(sent(image, rng(3)), results[0])


def test_nothing_touches_the_global_generators():
    random.seed(1)
    torch.manual_seed(1)
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    states = random.getstate(), numpy_state, torch.get_rng_state()
    TrainTransform(recipe(**PUBLISHED))(noise(40, 40), rng())
    assert random.getstate() == states[0]
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[2])


def test_a_gray_image_and_its_rgb_copy_are_augmented_alike():
    transform, image = TrainTransform(recipe(**PUBLISHED)), noise(60, 50)
    for seed in range(30):
        gray, colour = (
            transform(image, rng(seed)),
            transform(np.repeat(image[:, :, None], 3, 2), rng(seed)),
        )
        torch.testing.assert_close(gray.expand(3, -1, -1), colour, rtol=0, atol=0)


def test_random_windows_are_distributed_as_timms():
    random.seed(1)
    image, ranges = Image.new("L", (100, 60)), {"scale": (0.08, 1.0), "ratio": (3 / 4, 4 / 3)}
    theirs = np.array(
        [RandomResizedCropAndInterpolation.get_params(image, **ranges) for _ in range(4000)]
    )
    generator = rng(1)
    ours = np.array([random_window(60, 100, **ranges, rng=generator) for _ in range(4000)])
    for column in range(4):
        quantiles = np.linspace(0.05, 0.95, 10)
        spread = theirs[:, column].std()
        assert (
            np.abs(
                np.quantile(ours[:, column], quantiles) - np.quantile(theirs[:, column], quantiles)
            ).max()
            < 0.15 * spread
        )


@settings(max_examples=200, deadline=None)
@given(height=st.integers(1, 80), width=st.integers(1, 80), seed=st.integers(0, 50))
def test_random_windows_lie_inside_the_image(height, width, seed):
    top, left, rows, columns = random_window(
        height, width, scale=(0.08, 1.0), ratio=(0.75, 1.33), rng=rng(seed)
    )
    assert 0 <= top < top + rows <= height
    assert 0 <= left < left + columns <= width


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(10, 100, (0, 43, 10, 13)), (100, 10, (43, 0, 13, 10)), (900, 1000, (0, 0, 900, 1000))],
)
def test_where_no_window_fits_the_centre_is_taken(height, width, expected):
    image = Image.new("L", (width, height))
    assert (
        random_window(height, width, scale=(1.0, 1.0), ratio=(3 / 4, 4 / 3), rng=rng()) == expected
    )
    random.seed(0)
    theirs = RandomResizedCropAndInterpolation.get_params(image, (1.0, 1.0), (3 / 4, 4 / 3))
    assert theirs == expected


def test_a_whole_window_without_resizing_is_the_image():
    image = noise(32, 32)
    out = TrainTransform(
        recipe(crop="random_resized", crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0))
    )(image, rng())
    np.testing.assert_array_equal(out[0].numpy(), image)


def test_a_random_resized_crop_resizes_bilinear_or_bicubic():
    image = noise(64, 64)
    transform = TrainTransform(
        recipe(crop="random_resized", crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0))
    )
    results = {transform(image, rng(seed)).numpy().tobytes() for seed in range(20)}
    filters = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)
    assert results == {
        np.asarray(Image.fromarray(image).resize((32, 64), how).resize((32, 32), how)).tobytes()
        for how in filters
    }


def test_a_random_crop_is_resize_and_random_crop_of_torchvision():
    image = noise(300, 411)
    resized = transforms.Resize(256, transforms.InterpolationMode.BILINEAR)(Image.fromarray(image))
    whole = np.asarray(resized).astype(int)
    transform, generator, corners = TrainTransform(recipe(size=224, crop="random")), rng(), set()
    for _ in range(60):
        window = transform(image, generator)[0].numpy().astype(int)
        assert window.shape == (224, 224)
        matches = [
            (top, left)
            for top in range(whole.shape[0] - 223)
            for left in range(whole.shape[1] - 223)
            if abs(int(whole[top, left]) - int(window[0, 0])) <= 2
            and np.abs(whole[top : top + 224, left : left + 224] - window).max() <= 2
        ]
        assert len(matches) == 1
        corners |= set(matches)
    tops, lefts = zip(*corners, strict=True)
    assert len(corners) > 50
    assert min(tops) < 7
    assert max(tops) > 25
    assert min(lefts) < 26
    assert max(lefts) > 100


@settings(max_examples=50, deadline=None)
@given(
    moves=st.lists(st.tuples(st.integers(-7, 7), st.integers(-7, 7)), min_size=1, max_size=4),
    reach=st.integers(7, 9),
)
def test_a_shift_is_padding_and_cropping(moves, reach):
    planes = noise(len(moves), 2, 9, 9)
    padded = np.pad(planes, ((0, 0), (0, 0), (9, 9), (9, 9)))
    found = shifted(planes, *np.array(moves).T, reach=reach)
    for image, around, (down, right) in zip(found, padded, moves, strict=True):
        expected = around[:, 9 - down : 18 - down, 9 - right : 18 - right]
        np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("shape", [(32, 32), (32, 32, 3), (28, 28)])
@pytest.mark.parametrize("crop", ["pad_and_shift", "none"])
def test_a_batch_is_augmented_as_its_images_one_by_one(shape, crop):
    transform = TrainTransform(
        recipe(crop=crop, shift_px=3, horizontal_flip=0.5, vertical_flip=0.3)
    )
    assert transform.plain
    images = [noise(*shape, seed=seed) for seed in range(40)]
    prepared = np.stack([transform.prepared(image) for image in images])
    before = prepared.copy()
    drawn = np.stack([rng(seed).random(transform.draws) for seed in range(40)])
    found = transform.placed(prepared, drawn)
    for seed, image in enumerate(images):
        alone = plain_augmentation(transform, image, rng(seed))
        np.testing.assert_array_equal(found[seed], alone)
        np.testing.assert_array_equal(transform(image, rng(seed)).numpy(), alone)
    np.testing.assert_array_equal(prepared, before)


def plain_augmentation(transform, image, generator):
    """Resize, shift and flip one image, one step after the other."""
    planes, chances = transform.prepared(image), transform.augmentation
    if chances.crop == "pad_and_shift":
        reach = chances.shift_px
        down = int(generator.random() * (2 * reach + 1)) - reach
        right = int(generator.random() * (2 * reach + 1)) - reach
        planes = np.pad(planes, ((0, 0), (reach, reach), (reach, reach)))
        planes = planes[:, reach - down :, reach - right :][:, :32, :32]
    if generator.random() < chances.horizontal_flip:
        planes = planes[:, :, ::-1]
    if generator.random() < chances.vertical_flip:
        planes = planes[:, ::-1]
    return planes


@pytest.mark.parametrize("changes", [{"crop": "random_resized"}, {"rand_augment": "rand-m9"}])
def test_what_draws_more_for_some_images_is_not_plain(changes):
    assert not TrainTransform(recipe(**changes)).plain


def test_all_shifts_occur_equally_often():
    image = np.zeros((32, 32), np.uint8)
    image[16, 16] = 1
    transform, generator = TrainTransform(recipe(crop="pad_and_shift", shift_px=2)), rng(1)
    places = [int(transform(image, generator).argmax()) for _ in range(2500)]
    counts = np.bincount(places, minlength=1024).reshape(32, 32)
    assert counts[14:19, 14:19].sum() == 2500
    assert counts[14:19, 14:19].min() > 100 - 5 * 10


def test_a_shift_beyond_the_image_leaves_nothing_but_zeros():
    shapes = {
        TrainTransform(recipe(size=8, crop="pad_and_shift", shift_px=64))(
            noise(8, 8), rng(seed)
        ).shape
        for seed in range(50)
    }
    assert shapes == {(1, 8, 8)}


@pytest.mark.parametrize(("which", "axis"), [("horizontal_flip", 1), ("vertical_flip", 0)])
def test_flips(which, axis):
    image = noise(32, 32)
    always = TrainTransform(recipe(**{which: 1.0}))(image, rng())[0].numpy()
    np.testing.assert_array_equal(always, np.flip(image, axis))
    sometimes, generator = TrainTransform(recipe(**{which: 0.25})), rng(2)
    flipped = sum(
        not np.array_equal(sometimes(image, generator)[0].numpy(), image) for _ in range(1000)
    )
    assert 180 < flipped < 320


@pytest.mark.parametrize("shape", [(256, 256), (100, 100), (300, 411), (411, 300, 3)])
@pytest.mark.parametrize(("share", "short"), [(None, 256), (0.875, 256), (0.9, 248), (1.0, 224)])
def test_evaluation_is_resize_and_centre_crop(shape, share, short):
    image = noise(*shape)
    theirs = transforms.Compose(
        [transforms.Resize(short, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(224)]
    )
    expected = (
        np.atleast_3d(np.asarray(theirs(Image.fromarray(image)))).transpose(2, 0, 1).astype(int)
    )
    ours = EvalTransform(recipe(size=224).model_copy(update={"eval_crop": share}))(image).numpy()
    assert ours.shape == expected.shape
    assert np.abs(ours - expected).max() <= 2  # the order of Pillow's two passes, see test_resample
    assert (ours != expected).mean() < 0.25


def test_small_images_are_evaluated_without_a_margin():
    image = noise(32, 32)
    np.testing.assert_array_equal(EvalTransform(recipe())(image)[0].numpy(), image)
    resized = EvalTransform(recipe())(noise(28, 28, 3))
    np.testing.assert_array_equal(
        resized.numpy(), TrainTransform(recipe())(noise(28, 28, 3), rng()).numpy()
    )
    assert pickle.loads(pickle.dumps(EvalTransform(recipe())))(image).shape == (1, 32, 32)


@pytest.mark.parametrize(
    "image", [noise(4, 4, 4), noise(4, 4).astype(np.float32), noise(4), np.empty((0, 4), np.uint8)]
)
@pytest.mark.parametrize(
    "transform", [lambda image: TrainTransform(recipe())(image, rng()), EvalTransform(recipe())]
)
def test_what_is_no_image_is_refused(image, transform):
    with pytest.raises(ValueError, match="must give uint8"):
        transform(image)


def test_cheap_augmentation_loads_neither_numba_nor_torchvision():
    code = (
        "import sys, pickle, numpy as np; transform, image = pickle.load(sys.stdin.buffer);"
        "transform(image, np.random.default_rng(0));"
        "print({'numba', 'torchvision', 'timm', 'PIL'} & set(sys.modules))"
    )
    stdin = pickle.dumps((TrainTransform(recipe(**CHEAP)), noise(32, 32)))
    run = subprocess.run([sys.executable, "-c", code], input=stdin, capture_output=True, check=True)
    assert run.stdout.strip() == b"set()"
    assert crop.__name__ in sys.modules
