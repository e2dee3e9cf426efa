"""A small picture on a page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """One image of a category, as a `data:` address, and the category's parameters as text."""

    address: str
    parameters: str
