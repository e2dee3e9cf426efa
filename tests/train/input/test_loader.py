import os
import pickle
import signal
import time

import numpy as np
import pytest
import torch
from train import tiny_training

from fdsl.augment.crop import TrainTransform
from fdsl.train.input.loader import TrainingImages, stack, training_batches
from fdsl.train.input.samplers import InfiniteSampler

IMAGES, SEED = 23, 5


class Numbers:
    """Image i is a gray square of value i; its label is i % 3."""

    classes = 3
    labels = np.arange(IMAGES, dtype=np.int64) % 3

    def __len__(self):
        return IMAGES

    def __getitem__(self, index):
        return np.full((4, 4), index, np.uint8), int(self.labels[index])


def add_noise(image, rng):
    return torch.from_numpy(image + rng.integers(0, 100, image.shape, dtype=np.uint8))[None]


def slices(step, *, batch=4, micro=2):
    return [range(step * batch + k, step * batch + k + micro) for k in range(0, batch, micro)]


def batches(*, start=0, stop=12, workers=0, repeated_aug=3, **cut):
    stream = InfiniteSampler(IMAGES, seed=SEED, repeated_aug=repeated_aug)
    images = TrainingImages(Numbers(), add_noise, stream=stream, seed=SEED)
    return training_batches(
        images,
        lambda step: slices(step, **cut),
        steps=range(start, stop),
        workers=workers,
        pin_memory=False,
    )


def assert_equal(found, expected):
    found, expected = list(found), list(expected)
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_batch_has_images_labels_and_keys():
    batch = next(batches())
    assert (batch.images.shape, batch.images.dtype) == ((2, 1, 4, 4), torch.uint8)
    assert (batch.labels.shape, batch.labels.dtype) == ((2,), torch.int64)
    assert (batch.keys.shape, batch.keys.dtype) == ((2, 3), torch.int64)
    stream = InfiniteSampler(IMAGES, seed=SEED, repeated_aug=3)
    assert batch.keys.tolist() == [list(stream.at(p)) for p in range(2)]
    assert batch.positions.tolist() == [0, 1]
    assert torch.equal(batch.labels, batch.keys[:, 1] % 3)


@pytest.mark.parametrize("workers", [1, 2])
def test_loader_processes_change_nothing(workers):
    assert_equal(batches(workers=workers), batches())


def test_a_late_start_replays_nothing_and_changes_nothing():
    assert_equal(batches(start=7), list(batches())[14:])
    assert_equal(batches(start=7, workers=1), list(batches())[14:])


def test_images_do_not_depend_on_the_size_of_batches():
    one = torch.cat([batch.images for batch in batches(micro=4)])
    two = torch.cat([batch.images for batch in batches(micro=1)])
    assert torch.equal(one, two)


def test_an_epoch_across_batches_drops_nothing():
    keys = torch.cat([b.keys for b in batches(stop=12, repeated_aug=1)])[:46]
    assert sorted(keys[:23, 1].tolist()) == sorted(keys[23:46, 1].tolist()) == list(range(23))


def test_views_of_one_image_differ():
    found = list(batches(stop=60))
    views = {}
    for batch in found:
        for image, key in zip(batch.images, batch.keys.tolist(), strict=True):
            views.setdefault(key[1], []).append(image.numpy().tobytes())
    assert all(len(seen) > 1 for seen in views.values())
    assert all(len(set(seen)) == len(seen) for seen in views.values())


def test_torch_generator_plays_no_part():
    torch.manual_seed(1)
    first = list(batches(workers=1))
    torch.manual_seed(2)
    assert_equal(batches(workers=1), first)


def test_images_of_different_shapes_in_a_batch_are_an_error():
    gray, colour = torch.zeros(1, 4, 4), torch.zeros(3, 4, 4)
    with pytest.raises(ValueError, match="must be all gray or all colour"):
        stack([(gray, 0, (0, 0, 0)), (colour, 0, (0, 1, 0))])


class TellingPid(Numbers):
    """Every image holds the number of the process that loaded it."""

    def __getitem__(self, index):
        time.sleep(0.01)
        return np.frombuffer(os.getpid().to_bytes(16, "little"), np.uint8).reshape(4, 4), index % 3


def test_loader_processes_outlive_signals_of_a_scheduler():
    images = TrainingImages(
        TellingPid(),
        lambda i, _: torch.from_numpy(i.copy())[None],
        stream=InfiniteSampler(IMAGES, seed=0, repeated_aug=1),
        seed=0,
    )
    found = training_batches(images, slices, steps=range(30), workers=1, pin_memory=False)
    pid = int.from_bytes(next(found).images[0].numpy().tobytes(), "little")
    assert pid != os.getpid()
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
        os.kill(pid, number)
    assert len(list(found)) == 59


class Squares(Numbers):
    """Images of random pixels that count how often they are read."""

    def __init__(self, *, side=8, colour_from=IMAGES):
        self.side, self.colour_from, self.reads = side, colour_from, 0

    def __getitem__(self, index):
        self.reads += 1
        shape = (self.side, self.side, 3)[: 2 + (index >= self.colour_from)]
        pixels = np.random.default_rng(index).integers(0, 256, shape, dtype=np.uint8)
        return pixels, index % 3


def small_transform():
    return TrainTransform(
        tiny_training.recipe(
            image_size_px=8, crop="pad_and_shift", horizontal_flip=0.5, vertical_flip=0.5
        )
    )


def whole_batches(source, *, kept_mb=0.0, workers=0, start=0, transform=None):
    stream = InfiniteSampler(IMAGES, seed=SEED, repeated_aug=3)
    images = TrainingImages(
        source, transform or small_transform(), stream=stream, seed=SEED, kept_mb=kept_mb
    )
    steps = range(start, 40)
    return training_batches(images, slices, steps=steps, workers=workers, pin_memory=False)


@pytest.mark.parametrize("side", [8, 11])
@pytest.mark.parametrize("kept_mb", [0, 1])
def test_whole_batches_are_those_of_single_images(side, kept_mb):
    single = small_transform()
    alone = whole_batches(Squares(side=side), transform=single.__call__)
    assert_equal(whole_batches(Squares(side=side), kept_mb=kept_mb), alone)


@pytest.mark.parametrize("workers", [1, 2])
def test_loader_processes_change_nothing_of_whole_batches(workers):
    alone = list(whole_batches(Squares()))
    assert_equal(whole_batches(Squares(), workers=workers, kept_mb=1), alone)
    assert_equal(whole_batches(Squares(), start=9, kept_mb=1), alone[18:])


def test_small_images_are_read_once_and_large_ones_every_time():
    size_mb = IMAGES * 8 * 8 / 10**6
    kept, read_anew = Squares(), Squares()
    batches = list(whole_batches(kept, kept_mb=size_mb))
    assert kept.reads == IMAGES
    assert_equal(whole_batches(read_anew, kept_mb=size_mb - 1e-6), batches)
    assert read_anew.reads == 40 * 4


def test_what_was_kept_does_not_travel():
    images = TrainingImages(
        Squares(),
        small_transform(),
        stream=InfiniteSampler(IMAGES, seed=0, repeated_aug=1),
        seed=0,
        kept_mb=1,
    )
    small = len(pickle.dumps(images))
    before = images.__getitems__(range(IMAGES))
    assert len(pickle.dumps(images)) < small + 8 * 8
    assert_equal([pickle.loads(pickle.dumps(images)).__getitems__(range(IMAGES))], [before])


@pytest.mark.parametrize("kept_mb", [0, 1])
def test_gray_and_colour_in_a_source_are_an_error(kept_mb):
    with pytest.raises(ValueError, match="must be all gray or all colour"):
        list(whole_batches(Squares(colour_from=IMAGES - 1), kept_mb=kept_mb))
