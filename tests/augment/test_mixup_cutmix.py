"""Normalisation, erasing and mixing: as timm does them, whatever the split of the batch."""

import numpy as np
import pytest
import torch
from timm.data import mixup as timm_mixup
from torch.nn import functional

from fdsl.augment.erasing import erase
from fdsl.augment.mixup_cutmix import EPSILON, BatchTransform, Mix, draw_mix, mix_pairs
from fdsl.schema.recipe import Augmentation, Recipe

CLASSES = 5


def recipe(*, mean=0.5, std=0.25, smoothing=0.1, erasing=0.0, mixup=0.0, cutmix=0.0, **more):
    augmentation = Augmentation(
        crop="none",
        crop_scale=(0.08, 1.0),
        crop_ratio=(0.75, 1.3333),
        shift_px=0,
        horizontal_flip=0.0,
        vertical_flip=0.0,
        rand_augment=None,
        random_erasing=erasing,
        mixup=mixup,
        cutmix=cutmix,
        repeated_aug=1,
        one_per_category=False,
        ofdb=(),
        **more,
    )
    return Recipe(
        model="any",
        image_size_px=16,
        epochs=1,
        cooldown_epochs=0,
        global_batch=8,
        optimizer="adamw",
        lr=1e-3,
        weight_decay=0.0,
        momentum=0.9,
        layer_decay=None,
        schedule="cosine",
        milestones=(),
        gamma=None,
        warmup_epochs=0.0,
        warmup_lr=0.0,
        min_lr=0.0,
        clip_norm=None,
        label_smoothing=smoothing,
        drop_path=0.0,
        ema_decay=None,
        mean=mean,
        std=std,
        precision="fp32",
        augmentation=augmentation,
    )


def batch(count=8, channels=1, side=16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(
        0, 256, (count, channels, side, side), generator=generator, dtype=torch.uint8
    )
    labels = torch.randint(0, CLASSES, (count,), generator=generator)
    keys = torch.stack(
        (torch.full((count,), 3), torch.arange(count) * 7 + 1, torch.arange(count) % 3), 1
    )
    return images, labels, keys


def finish(recipe, images, labels, keys, *, channels=3, train=True, seed=11, step=4, first=0):
    return BatchTransform(recipe, channels=channels, classes=CLASSES, train=train)(
        *(images, labels, keys),
        seed=seed,
        step=step,
        device="cpu",
        places=np.arange(first, first + len(images)),
    )


@pytest.mark.parametrize(("given", "channels"), [(1, 1), (1, 3), (3, 3)])
def test_evaluation_normalises_and_nothing_else(given, channels):
    images, labels, keys = batch(7, given)
    x, y = finish(
        recipe(erasing=1.0, mixup=0.8, cutmix=1.0),
        images,
        labels,
        keys,
        channels=channels,
        train=False,
    )
    expected = (images.double().expand(-1, channels, -1, -1) / 255 - 0.5) / 0.25
    torch.testing.assert_close(x, expected.float(), rtol=1e-6, atol=1e-6)
    assert x.is_contiguous()
    assert torch.equal(y, labels)


def test_each_channel_has_its_own_mean_and_deviation():
    images, labels, keys = batch(2)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    x, _ = finish(recipe(mean=mean, std=std), images, labels, keys)
    shape = (1, 3, 1, 1)
    expected = (images.double() / 255 - torch.tensor(mean).double().view(shape)) / torch.tensor(
        std
    ).double().view(shape)
    torch.testing.assert_close(x, expected.float(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"erasing": 0.5},
        {"mixup": 0.8},
        {"cutmix": 1.0},
        {"erasing": 0.5, "mixup": 0.8, "cutmix": 1.0},
        {"erasing": 0.5, "mixup": 0.8, "cutmix": 1.0, "mix_images": 6},
        {"erasing": 0.9, "mixup": 0.8, "cutmix": 1.0, "mix_images": 4, "erase_after_mixing": True},
    ],
)
@pytest.mark.parametrize("part", [2, 4, 8])
@pytest.mark.parametrize("step", range(4))
def test_splitting_a_batch_changes_nothing(changes, part, step):
    images, labels, keys = batch(16)
    x, y = finish(recipe(**changes), images, labels, keys, step=step)
    parts = [
        finish(
            recipe(**changes),
            images[s : s + part],
            labels[s : s + part],
            keys[s : s + part],
            step=step,
            first=s,
        )
        for s in range(0, 16, part)
    ]
    assert torch.equal(x, torch.cat([images for images, _ in parts]))
    assert torch.equal(y, torch.cat([targets for _, targets in parts]))


def test_each_group_of_a_batch_mixes_by_itself():
    """As the released programs do for the images of one device; a group has one weight."""
    images, labels, keys = batch(24)
    full = recipe(mixup=0.8, cutmix=1.0, mix_images=8)
    x, targets = finish(full, images, labels, keys)
    plain, _ = finish(recipe(), images, labels, keys)
    mixes = [draw_mix(0.8, 1.0, side=16, seed=11, step=4, group=group) for group in range(3)]
    assert len(set(mixes)) == 3
    for group, mix in enumerate(mixes):
        part = slice(8 * group, 8 * group + 8)
        expected = plain[part].clone()
        mix_pairs(expected, mix)
        assert torch.equal(x[part], expected)
        one = functional.one_hot(labels[part], CLASSES) * 0.9 + 0.1 / CLASSES
        partners = one.view(4, 2, CLASSES).flip(1).view(8, CLASSES)
        torch.testing.assert_close(targets[part], partners.lerp(one, mix.weight))


def test_without_groups_all_images_of_an_update_mix_alike():
    weights = {draw_mix(0.8, 0.0, side=16, seed=11, step=4).weight}
    images, labels, keys = batch(24)
    _, targets = finish(recipe(mixup=0.8, smoothing=0.0), images, labels, keys)
    pairs = labels.view(-1, 2)
    apart = (pairs[:, 0] != pairs[:, 1]).repeat_interleave(2)
    own = targets[torch.arange(24), labels][apart]
    assert {round(value, 5) for value in own.tolist()} == {round(w, 5) for w in weights}


@pytest.mark.parametrize("after", [False, True])
def test_noise_is_mixed_only_where_images_are_erased_before(after):
    images, labels, keys = batch(8)
    changes = {"erasing": 1.0, "mixup": 0.8}
    x, _ = finish(recipe(**changes, erase_after_mixing=after), images, labels, keys)
    expected, _ = finish(recipe(mixup=0.8) if after else recipe(), images, labels, keys)
    erase(expected, keys, probability=1.0, seed=11)
    if not after:
        mix_pairs(expected, draw_mix(0.8, 0.0, side=16, seed=11, step=4))
    assert torch.equal(x, expected)


@pytest.mark.parametrize("number", [0, 1, 3, 63])
def test_an_odd_group_is_refused(number):
    with pytest.raises(ValueError, match="mix_images"):
        recipe(mix_images=number)


def test_randomness_depends_on_seed_and_step_and_on_no_global_state():
    data, full = batch(16), recipe(erasing=0.5, mixup=0.8, cutmix=1.0)
    state = torch.get_rng_state()
    first = finish(full, *data)[0]
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(123)
    assert torch.equal(finish(full, *data)[0], first)
    assert not torch.equal(finish(full, *data, seed=12)[0], first)
    assert not torch.equal(finish(full, *data, step=5)[0], first)


def test_labels_come_back_where_nothing_is_mixed():
    images, labels, keys = batch(7)
    _, targets = finish(recipe(erasing=1.0), images, labels, keys)
    assert targets.dtype == torch.int64
    assert torch.equal(targets, labels)


@pytest.mark.parametrize("alphas", [{"mixup": 0.8}, {"cutmix": 1.0}, {"mixup": 0.8, "cutmix": 1.0}])
@pytest.mark.parametrize("step", range(6))
def test_mixing_equals_timms_on_each_pair(alphas, step, monkeypatch):
    """Also for cutmix without mixup, where released code took the loss for hard labels."""
    images, labels, keys = batch(8)
    x, targets = finish(recipe(**alphas), images, labels, keys, step=step)
    plain, _ = finish(recipe(), images, labels, keys)
    mix = draw_mix(alphas.get("mixup", 0.0), alphas.get("cutmix", 0.0), side=16, seed=11, step=step)
    theirs = timm_mixup.Mixup(
        mixup_alpha=1.0, cutmix_alpha=1.0, label_smoothing=0.1, num_classes=CLASSES
    )
    monkeypatch.setattr(
        theirs, "_params_per_batch", lambda: (mix.weight, mix.rectangle is not None)
    )
    monkeypatch.setattr(timm_mixup, "rand_bbox", lambda *_, **__: mix.rectangle)
    for pair in range(0, 8, 2):
        expected, soft = theirs(plain[pair : pair + 2].clone(), labels[pair : pair + 2])
        torch.testing.assert_close(x[pair : pair + 2], expected, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(targets[pair : pair + 2], soft, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(targets.sum(1), torch.ones(8))


def test_mixing_is_drawn_as_timm_draws_it():
    """Share of cutmix, mean and spread of the weights, within five standard errors."""
    updates = 3000
    ours = [draw_mix(0.8, 1.0, side=32, seed=1, step=step) for step in range(updates)]
    np.random.seed(1)  # noqa: NPY002 - timm draws from the global generator
    theirs = timm_mixup.Mixup(mixup_alpha=0.8, cutmix_alpha=1.0)
    drawn = [theirs._params_per_batch() for _ in range(updates)]
    assert abs(sum(mix.rectangle is not None for mix in ours) - updates / 2) < 5 * np.sqrt(
        updates / 4
    )
    for cut in (False, True):
        mine = np.array([mix.weight for mix in ours if (mix.rectangle is not None) == cut])
        corrected = [
            timm_mixup.cutmix_bbox_and_lam((1, 32, 32), lam)[1] if cut else lam
            for lam, use_cutmix in drawn
            if use_cutmix == cut
        ]
        for moment in (np.asarray, np.square):
            difference = moment(mine).mean() - moment(np.array(corrected)).mean()
            assert abs(difference) < 5 * np.sqrt(2 * moment(mine).var() / len(mine))


@pytest.mark.parametrize("step", range(40))
def test_the_weight_of_cutmix_is_the_area_that_stays(step):
    mix = draw_mix(0.0, 1.0, side=20, seed=2, step=step)
    images = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 20, 20).clone()
    mix_pairs(images, mix)
    assert images[0].mean().item() == pytest.approx(1 - mix.weight)
    assert images[1].mean().item() == pytest.approx(mix.weight)


def test_mixing_an_odd_batch_is_refused():
    with pytest.raises(ValueError, match="micro-batch of 3 images"):
        finish(recipe(mixup=0.8), *batch(3))


def test_an_empty_rectangle_leaves_images_as_they_are():
    """Cutmix draws one with a probability of 1 / side²."""
    images = torch.arange(16.0).view(4, 1, 2, 2)
    mixed = images.clone()
    mix_pairs(mixed, Mix(1.0, (1, 1, 0, 0)))
    assert torch.equal(mixed, images)


def test_mixing_works_on_pairs_of_neighbours():
    images = torch.arange(4.0).view(4, 1, 1, 1).clone()
    mix_pairs(images, Mix(0.75, None))
    torch.testing.assert_close(images.flatten(), torch.tensor([0.25, 0.75, 2.25, 2.75]))


def test_a_network_of_another_number_of_channels_is_refused():
    with pytest.raises(ValueError, match=r"mean = .* has 3 values: a network of 1 channels"):
        BatchTransform(recipe(mean=(0.5, 0.5, 0.5)), channels=1, classes=CLASSES, train=True)
    with pytest.raises(ValueError, match="images have 3 channels: a network of 1"):
        finish(recipe(), *batch(2, 3), channels=1)


def per_image(images, *, channels, **changes):
    plan = recipe(**changes).model_copy(update={"normalisation": "per_image"})
    n = len(images)
    keys = torch.tensor([[0, index, 0] for index in range(n)])
    finish = BatchTransform(plan, channels=channels, classes=CLASSES, train=True)
    return finish(images, torch.zeros(n).long(), keys, seed=0, step=0, device="cpu")[0]


@pytest.mark.parametrize("channels", [1, 3])
def test_per_image_brings_each_image_to_its_own_mean_and_deviation(channels):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (4, channels, 16, 16), dtype=torch.uint8, generator=generator)
    images[1] //= 8
    found = per_image(images, channels=channels, mean=0.9, std=0.1)
    pixels = images.double().flatten(1) / 255
    mean, std = pixels.mean(1, keepdim=True), pixels.std(1, keepdim=True, correction=0)
    expected = (pixels - mean) / (std + EPSILON)
    assert torch.allclose(found.flatten(1).double(), expected, atol=1e-5)
    # whatever else is in the batch
    alone = torch.cat([per_image(image[None], channels=channels) for image in images])
    assert torch.equal(found, alone)


@pytest.mark.parametrize("level", [0, 7, 255])
def test_per_image_makes_a_blank_image_zeros(level):
    images = torch.full((2, 1, 16, 16), level, dtype=torch.uint8)
    assert not per_image(images, channels=3).any()


def test_per_image_repeats_gray_and_leaves_memory_that_can_be_erased_and_mixed():
    images = torch.randint(0, 256, (4, 1, 16, 16), dtype=torch.uint8)
    found = per_image(images, channels=3)
    assert found.shape == (4, 3, 16, 16)
    assert torch.equal(found[:, 0], found[:, 2])
    changed = per_image(images, channels=3, erasing=1.0, mixup=0.8)
    assert not torch.equal(changed[:, 0], changed[:, 2])
