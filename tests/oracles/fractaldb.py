"""FractalDB drawn point by point: pasted patches, then flipped pictures."""

from __future__ import annotations

import numpy as np
from oracles import chaos_game
from oracles.xoshiro import Xoshiro


def draw(settings, system, shares, state, *, flip: int, bound: float = 1e6) -> np.ndarray:
    """Draw a system without a weight."""
    rng = Xoshiro(state)
    points = chaos_game.play(
        rng,
        system,
        shares,
        settings.points,
        image=chaos_game.plane,
        start=(0.0, 0.0),
        first_steps=0,
        bound=bound,
    )
    size, pad = settings.image_size_px, settings.pad_px
    canvas = np.zeros((size + 4, size + 4), np.uint8)
    columns = _fit([x for x, _ in points], size, pad)
    rows = _fit([y for _, y in points], size, pad)
    masks = _masks(rng)
    fixed = next(masks) if settings.patch_mode == "per_image" else None
    for row, column in zip(rows, columns, strict=True):
        if settings.draw == "point":
            canvas[row, column] = settings.gray_level
            continue
        mask = fixed if fixed is not None else next(masks)
        bits = np.array([int(bit) for bit in f"{mask:09b}"], np.uint8).reshape(3, 3)
        canvas[row + 1 : row + 4, column + 1 : column + 4] = bits * settings.gray_level
    picture = np.flipud(canvas[:size, :size])
    return [picture, np.flipud(picture), np.fliplr(picture), np.flipud(np.fliplr(picture))][flip]


def _fit(values: list[float], size: int, pad: int) -> list[int]:
    low, extent, window = min(values), max(values) - min(values), size - 2 * pad
    if extent == 0:
        return [int(pad + window / 2 + 0) for _ in values]
    scale = window / extent
    return [int((value - low) * scale + pad) for value in values]


def _masks(rng):
    while True:
        bits = rng.bits()
        for _ in range(7):
            if bits & 511:
                yield bits & 511
            bits >>= 9
