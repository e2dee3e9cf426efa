"""FractalDB drawn point by point: pasted patches, then flipped pictures."""

from __future__ import annotations

import colorsys

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
    coloured = getattr(settings, "colour", "gray") == "hues"
    canvas = np.zeros((size + 4, size + 4, 3) if coloured else (size + 4, size + 4), np.uint8)
    columns = _fit([x for x, _ in points], size, pad)
    rows = _fit([y for _, y in points], size, pad)
    masks = patterns(rng)
    fixed = {"per_image": lambda: next(masks), "full": lambda: 511, "per_point": lambda: None}
    fixed = fixed[settings.patch_mode]()
    for number, (row, column) in enumerate(zip(rows, columns, strict=True)):
        value = hue(number) if coloured else settings.gray_level
        if settings.draw == "point":
            canvas[row, column] = value
            continue
        mask = fixed if fixed is not None else next(masks)
        for place, bit in enumerate(f"{mask:09b}"):
            canvas[row + 1 + place // 3, column + 1 + place % 3] = value if bit == "1" else 0
    picture = np.flipud(canvas[:size, :size])
    return [picture, np.flipud(picture), np.fliplr(picture), np.flipud(np.fliplr(picture))][flip]


def hue(number: int) -> list[int]:
    """One of 128 hues by turns; red and blue stand exchanged."""
    red, green, blue = colorsys.hsv_to_rgb(number % 128 / 128, 0.75, 0.75)
    return [int(255 * blue), int(255 * green), int(255 * red)]


def _fit(values: list[float], size: int, pad: int) -> list[int]:
    low, extent, window = min(values), max(values) - min(values), size - 2 * pad
    if extent == 0:
        return [int(pad + window / 2 + 0) for _ in values]
    scale = window / extent
    return [int((value - low) * scale + pad) for value in values]


def patterns(rng):
    """Yield nine bits at a time, seven times from each number, but none that are all 0."""
    while True:
        bits = rng.bits()
        for _ in range(7):
            if bits & 511:
                yield bits & 511
            bits >>= 9
