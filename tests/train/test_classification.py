"""The objective of images with several labels, against its definition in plain sums."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from fdsl.augment.mixup_cutmix import BatchTransform, Mix
from fdsl.train.classification import correct_predictions, label_loss


def binary(logits, targets):
    """Return the mean of each answer's cross-entropy, one by one; unknown answers count as 0."""
    total = 0.0
    for row, answers in zip(logits.tolist(), targets.tolist(), strict=True):
        for logit, target in zip(row, answers, strict=True):
            if target >= 0:
                yes = 1 / (1 + math.exp(-logit))
                total -= target * math.log(yes) + (1 - target) * math.log(1 - yes)
    return total / logits.numel()


@pytest.fixture
def several(recipe):
    return recipe(objective="binary", label_smoothing=0.2)


def test_binary_is_the_sum_over_known_answers(several):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 5, generator=generator) * 3
    targets = torch.rand(6, 5, generator=generator)
    targets[1, 2] = targets[4] = -1
    found = label_loss(logits, targets, recipe=several)
    assert float(found) == pytest.approx(binary(logits, targets), rel=1e-6)


def test_unknown_answers_have_no_gradient_and_equal_parts_make_the_whole(several):
    logits = torch.randn(8, 5, generator=torch.Generator().manual_seed(1), requires_grad=True)
    targets = torch.rand(8, 5, generator=torch.Generator().manual_seed(2))
    targets[0, 1] = targets[7, 4] = -1
    (whole,) = torch.autograd.grad(label_loss(logits, targets, recipe=several), logits)
    assert whole[0, 1] == whole[7, 4] == 0
    assert (whole == 0).sum() == 2
    halves = [
        torch.autograd.grad(label_loss(logits[part], targets[part], recipe=several) / 2, logits)[0]
        for part in (slice(0, 4), slice(4, 8))
    ]
    torch.testing.assert_close(sum(halves), whole)


def test_single_labels_keep_their_cross_entropy_to_the_bit(recipe):
    logits = torch.randn(9, 4, generator=torch.Generator().manual_seed(3))
    labels = torch.arange(9) % 4
    single = recipe(label_smoothing=0.1)
    expected = functional.cross_entropy(logits, labels, label_smoothing=0.1)
    assert torch.equal(label_loss(logits, labels, recipe=single), expected)
    shares = torch.softmax(logits.flip(1), 1)
    assert torch.equal(
        label_loss(logits, shares, recipe=single), functional.cross_entropy(logits, shares)
    )
    assert correct_predictions(logits, labels, recipe=single) == (logits.argmax(1) == labels).sum()
    assert (
        correct_predictions(logits, shares, recipe=single)
        == (logits.argmax(1) == shares.argmax(1)).sum()
    )


def test_a_likeliest_class_is_right_if_no_target_is_larger(several):
    logits = torch.tensor([[5.0, 1, 0], [5.0, 1, 0], [0.0, 9, 0], [0.0, 0, 1]])
    targets = torch.tensor([[0.9, 0.9, 0.1], [0.1, 0.9, 0.1], [-1.0, 0.9, 0.1], [-1.0, 0.1, 0.1]])
    assert int(correct_predictions(logits, targets, recipe=several)) == 3


def finished(recipe, labels, *, images=None, step=0, train=True):
    n, classes = labels.shape
    images = torch.zeros(n, 1, 16, 16, dtype=torch.uint8) if images is None else images
    finish = BatchTransform(recipe, channels=1, classes=classes, train=train)
    keys = torch.zeros(n, 3, dtype=torch.int64)
    return finish(images, labels, keys, seed=0, step=step, device="cpu")


LABELS = torch.tensor([[1, 0, 0, 1], [0, 1, -1, 1], [0, 0, 0, 0], [1, -1, 1, 1]])


def test_answers_are_smoothed_towards_half(several):
    _, targets = finished(several, LABELS)
    expected = {1: 0.9, 0: 0.1, -1: -1.0}
    torch.testing.assert_close(
        targets, torch.tensor([[expected[v] for v in row] for row in LABELS.tolist()])
    )
    assert targets.dtype == torch.float32


@pytest.mark.parametrize("mixed", [{"mixup": 0.8}, {"cutmix": 1.0}, {"mixup": 0.8, "cutmix": 1.0}])
@pytest.mark.parametrize("step", range(4))
def test_answers_mix_as_the_pixels_do(recipe, mixed, step):
    several = recipe(objective="binary", label_smoothing=0.2, mean=0.0, std=1.0, **mixed)
    images = torch.zeros(4, 1, 16, 16, dtype=torch.uint8)
    images[0::2] = 255
    mixed_images, targets = finished(several, LABELS, images=images, step=step)
    share = float(mixed_images[0].mean())  # of the pixels that image 0 keeps
    for own, partner in ((0, 1), (1, 0), (2, 3), (3, 2)):
        for label in range(4):
            a, b = int(LABELS[own, label]), int(LABELS[partner, label])
            mixed_share = share * a + (1 - share) * b
            expected = -1 if min(a, b) < 0 else 0.8 * mixed_share + 0.1
            assert float(targets[own, label]) == pytest.approx(expected, abs=1e-5)


def test_a_mix_that_takes_nothing_of_the_partner_changes_no_answer(recipe, monkeypatch):
    several = recipe(objective="binary", label_smoothing=0.0, mixup=0.8)
    monkeypatch.setattr("fdsl.augment.mixup_cutmix.draw_mix", lambda *_, **__: Mix(1.0, None))
    _, targets = finished(several, LABELS)
    np.testing.assert_array_equal(targets.numpy(), LABELS.numpy())
