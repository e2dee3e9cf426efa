"""A number that knows how much of it was measured and how much was assumed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

SHOWN_SHARE = 0.01  # an origin with less of a number than this is not shown beside it


class Origin(StrEnum):
    """Where a number comes from, best first; a forecast shows the letter beside it."""

    EXACT = "e"
    MEASURED = "m"
    SHIPPED = "s"
    PUBLISHED = "p"
    ASSUMED = "a"


MEANINGS = {
    Origin.EXACT: "exact: counted, or stated in the configuration",
    Origin.MEASURED: "from rates measured on this machine",
    Origin.SHIPPED: "from the rates that come with the project",
    Origin.PUBLISHED: "from published rates (workflow/published)",
    Origin.ASSUMED: "assumed, as listed below",
}


@dataclass(frozen=True)
class Amount:
    """A quantity as the sum of its parts by origin.

    Attributes
    ----------
    parts
        Origin to value, each at least 0.
    """

    parts: dict[Origin, float] = field(default_factory=dict)

    @classmethod
    def of(cls, value: float, origin: Origin) -> Amount:
        """Return a quantity of one origin."""
        return cls({origin: value}) if value else cls()

    @property
    def value(self) -> float:
        """The whole."""
        return sum(self.parts.values())

    @property
    def marks(self) -> str:
        """The letters of the origins with at least a hundredth of it, best first; `e` of zero."""
        whole = self.value
        shown = [o for o in Origin if self.parts.get(o, 0.0) >= SHOWN_SHARE * whole > 0]
        return "".join(shown) or Origin.EXACT

    def __add__(self, other: Amount) -> Amount:
        names = dict.fromkeys([*self.parts, *other.parts])
        return Amount({o: self.parts.get(o, 0.0) + other.parts.get(o, 0.0) for o in names})

    def __mul__(self, factor: float) -> Amount:
        return Amount({name: value * factor for name, value in self.parts.items()})


def total(amounts: Iterable[Amount]) -> Amount:
    """Return the sum of amounts."""
    return sum(amounts, start=Amount())
