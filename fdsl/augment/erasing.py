"""Random erasing, keyed so that neither ranks nor gradient accumulation change an image.

Which image is erased, rectangle and noise are functions of the seed and the image's key (epoch,
index, repeat).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fdsl.seeding import tree

ERASED_AREA = (0.02, 1 / 3)  # of the image
LOG_ASPECT = (math.log(0.3), math.log(1 / 0.3))  # of the erased rectangle, height / width
TRIES = 10
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # increment of splitmix64's counter

Uniforms = NDArray[np.floating]


def erase(images: Tensor, keys: Tensor, *, probability: float, seed: int) -> None:
    """Replace rectangles by normal noise, in place.

    Zhong et al. 2020, arXiv:1708.04896; timm's mode "pixel".

    Parameters
    ----------
    images
        float (B, C, H, W), normalised.
    keys
        int64 (B, 3): epoch, index, repeat. Rectangle and noise of an image depend on its key and
        the seed only. (The noise also depends on the kind of device, whose generator makes it.)
    probability
        That an image is erased.
    seed
        Root seed.
    """
    _, channels, height, width = images.shape
    noise_seeds, uniforms = keyed_uniforms(keys.cpu().numpy(), draws=3 + 2 * TRIES, seed=seed)
    chosen = np.flatnonzero(uniforms[:, 0] < probability)
    tops, lefts, rows, columns = _rectangles(uniforms[chosen, 1:], height, width)
    generator = torch.Generator(device=images.device)
    for number, image in enumerate(chosen):
        h, w = int(rows[number]), int(columns[number])
        if h == 0:
            continue
        generator.manual_seed(int(noise_seeds[image]))
        noise = images.new_empty((channels, h, w)).normal_(generator=generator)
        top, left = int(tops[number]), int(lefts[number])
        images[int(image), :, top : top + h, left : left + w] = noise


def _rectangles(uniforms: Uniforms, height: int, width: int) -> tuple[NDArray[np.int64], ...]:
    """Top, left, rows, columns of n rectangles from (n, 2 + 2 tries) uniforms.

    The first try that fits counts; where none does, there are 0 rows.
    """
    areas, aspects = uniforms[:, 2 : 2 + TRIES], uniforms[:, 2 + TRIES :]
    areas = height * width * (ERASED_AREA[0] + (ERASED_AREA[1] - ERASED_AREA[0]) * areas)
    aspects = np.exp(LOG_ASPECT[0] + (LOG_ASPECT[1] - LOG_ASPECT[0]) * aspects)
    rows, columns = np.rint(np.sqrt(areas * aspects)), np.rint(np.sqrt(areas / aspects))
    fits = (rows < height) & (columns < width)
    first = np.argmax(fits, axis=1)[:, None]
    usable = np.take_along_axis(fits, first, 1)[:, 0]
    rows, columns = (np.take_along_axis(n, first, 1)[:, 0] * usable for n in (rows, columns))
    tops, lefts = uniforms[:, 0] * (height - rows + 1), uniforms[:, 1] * (width - columns + 1)
    return tuple(values.astype(np.int64) for values in (tops, lefts, rows, columns))


def keyed_uniforms(
    keys: NDArray[np.int64], *, draws: int, seed: int
) -> tuple[NDArray[np.unsignedinteger], Uniforms]:
    """Return 63-bit seeds (B,) and uniforms in [0, 1), (B, draws), of keys int64 (B, k).

    One generator per image would cost 20 µs each. This is splitmix64 (Steele et al. 2014): its
    finaliser folds the key into a start that depends on the seed's branch, and its counter runs
    over the draws.
    """
    state = np.full(len(keys), tree.kernel_state(seed, tree.Stage.MIX)[0], np.uint64)
    for part in keys.T.astype(np.uint64):
        state = splitmix64(state + GOLDEN ^ part)
    counter = np.arange(1, draws + 2, dtype=np.uint64) * GOLDEN
    bits = splitmix64(state[:, None] + counter)
    return bits[:, 0] >> np.uint64(1), (bits[:, 1:] >> np.uint64(11)) * 2.0**-53


def splitmix64(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the finaliser of splitmix64 of uint64 `bits`, elementwise."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
