"""Seeds as they stand in YAML."""

from typing import Annotated

from pydantic import AfterValidator, Field


def _unique(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("a seed stands twice")
    return seeds


Seeds = Annotated[
    list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1), AfterValidator(_unique)
]
