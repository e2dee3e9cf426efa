"""Random erasing: timm's distribution, and randomness that depends on seed and key alone."""

import random

import numpy as np
import torch
from timm.data.random_erasing import RandomErasing

from fdsl.augment.erasing import GOLDEN, erase, keyed_uniforms, splitmix64


def erased(count, *, probability, side=24, seed=1):
    images = torch.full((count, 3, side, side), 1000.0)
    erase(
        images,
        torch.stack((torch.zeros(count), torch.arange(count), torch.zeros(count)), 1).long(),
        probability=probability,
        seed=seed,
    )
    return images


def test_erased_rectangles_are_distributed_as_timms():
    ours = erased(3000, probability=0.6)
    random.seed(1)
    theirs = RandomErasing(probability=0.6, mode="pixel", device="cpu")(
        torch.full((3000, 3, 24, 24), 1000.0)
    )
    counts = []
    for images in (ours, theirs):
        gone = (images[:, 0] != 1000.0).numpy()
        rows, columns = gone.any(2).sum(1), gone.any(1).sum(1)
        np.testing.assert_array_equal(gone.sum((1, 2)), rows * columns)  # one full rectangle
        hit = rows > 0
        tops, lefts = gone.any(2).argmax(1), gone.any(1).argmax(1)
        counts.append(
            [
                hit.mean(),
                *(values[hit].mean() for values in (rows, columns, tops, lefts)),
                (rows * columns)[hit].std(),
            ]
        )
    mine, expected = counts
    assert abs(mine[0] - expected[0]) < 5 * np.sqrt(2 * 0.24 / 3000)
    np.testing.assert_allclose(mine[1:], expected[1:], rtol=0.06)


def test_the_noise_is_standard_normal_in_every_channel_and_different_in_every_image():
    images = erased(200, probability=1.0)
    channels = [images[:, channel][images[:, channel] != 1000.0] for channel in range(3)]
    for values in channels:
        assert abs(values.mean()) < 5 / np.sqrt(len(values))
        assert abs(values.std() - 1) < 5 / np.sqrt(len(values))
    firsts = {round(image[0][image[0] != 1000.0][0].item(), 6) for image in images}
    assert len(firsts) == 200
    assert not torch.equal(channels[0], channels[1])


def test_keyed_uniforms_are_uniform_and_uncorrelated():
    keys = np.array(
        [
            (epoch, index, repeat)
            for epoch in range(4)
            for index in range(500)
            for repeat in range(3)
        ]
    )
    seeds, uniforms = keyed_uniforms(keys, draws=4, seed=9)
    assert len(set(seeds.tolist())) == len(keys)
    assert 0 <= uniforms.min() < uniforms.max() < 1
    for column in uniforms.T:
        observed = np.histogram(column, 20, (0, 1))[0]
        assert (
            (observed - 300) ** 2 / 300
        ).sum() < 52  # chi-squared, 19 degrees of freedom, p = 0.0001
    correlations = np.corrcoef(uniforms.T) - np.eye(4)
    assert np.abs(correlations).max() < 5 / np.sqrt(len(keys))
    neighbours = np.corrcoef(uniforms[:-1, 0], uniforms[1:, 0])[0, 1]
    assert abs(neighbours) < 5 / np.sqrt(len(keys))


def test_the_hash_is_splitmix64():
    """First outputs of the reference generator started at 0 (Vigna's splitmix64.c)."""
    counter = np.arange(1, 4, dtype=np.uint64) * GOLDEN
    assert [int(value) for value in splitmix64(counter)] == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
        0x06C45D188009454F,
    ]
