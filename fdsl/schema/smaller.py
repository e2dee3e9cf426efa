"""Synthetic datasets made smaller: fewer pixels, and fewer instances."""

from __future__ import annotations

from pydantic import Field

from fdsl.schema.base import ConfigError, FrozenModel

GOLDEN = 0x9E3779B97F4A7C15  # the golden ratio's fraction, times 2**64


class Reduction(FrozenModel):
    """How drawn pictures get smaller: their centre, averaged by whole blocks of pixels."""

    zoom: int = Field(1, ge=1, le=64, description="keep the central 1 / zoom of each side")
    to_px: int = Field(ge=4, le=8192, description="side after averaging")

    def require_fits(self, side_px: int, *, where: str) -> None:
        """Raise ConfigError unless pictures of `side_px` are cut and averaged without a rest."""
        step = self.zoom * self.to_px
        if side_px % step:
            raise ConfigError(
                f"{where}: image_size_px = {side_px} must be a multiple of reduce.zoom ×"
                f" reduce.to_px = {self.zoom} × {self.to_px} = {step}"
            )


def spread(instance: int, *, of: int, over: int) -> int:
    """Return which of `over` published instances is number `instance` of only `of`.

    One of each of `of` equal parts, at multiples of the golden ratio in its part: equal steps would
    meet only a few of a formula's weights (of FractalDB's 25, 100 of 1,000 instances would meet 5).
    """
    begin, end = (k * over // of for k in (instance, instance + 1))
    return begin + (instance * GOLDEN % 2**64 * (end - begin) >> 64)
