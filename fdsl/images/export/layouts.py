"""Names of image files as the authors' programs choose them: (category, instance) and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from fdsl.schema.base import choose


@dataclass(frozen=True)
class Layout:
    """A scheme of file names.

    Attributes
    ----------
    pattern
        Regular expression of a path; its groups are read by `place`.
    name
        (category, instance, vertices) to a path relative to the folder; vertices is 0 where the
        category has none.
    place
        The numbers of the pattern's groups to (category, instance).
    """

    pattern: str
    name: Callable[[int, int, int], str]
    place: Callable[..., tuple[int, int]] = lambda category, instance: (category, instance)
    needs_vertices: bool = False

    def find(self, path: str) -> tuple[int, int] | None:
        """Return (category, instance) of a path that matches, else None."""
        found = re.search(rf"(?:^|/){self.pattern}$", path)
        return self.place(*map(int, found.groups())) if found else None


def fractaldb(*, weights: int, flips: int) -> Layout:
    """FractalDB and 2D-OFDB: names hold weight row, count and flip of the instance."""

    def name(category: int, instance: int, _: int) -> str:
        row, flip = instance % weights, (instance // weights) % flips
        count = instance // (weights * flips)
        return f"{category:05d}/{category:05d}_{row:02d}_count_{count}_flip{flip}.png"

    def place(category: int, row: int, count: int, flip: int) -> tuple[int, int]:
        return category, row + weights * (flip + flips * count)

    return Layout(r"\d{5,}/(\d{5,})_(\d\d+)_count_(\d+)_flip(\d)\.png", name, place)


def exfractaldb(*, weights: int, folder: str) -> Layout:
    """ExFractalDB, MV-FractalDB and 3D-OFDB: names hold weight row and view of the instance."""

    def name(category: int, instance: int, _: int) -> str:
        row, view = instance % weights, instance // weights
        return f"{folder}/{category:06d}/{category:06d}_{row:05d}_{view:03d}.png"

    def place(category: int, row: int, view: int) -> tuple[int, int]:
        return category, row + weights * view

    pattern = rf"{folder}/\d{{6,}}/(\d{{6,}})_(\d{{5,}})_(\d{{3,}})\.png"
    return Layout(pattern, name, place)


RCDB = Layout(
    r"image/\d{5,}/(\d{5,})_(\d{4,})\.png",
    lambda category, instance, _: f"image/{category:05d}/{category:05d}_{instance:04d}.png",
)
VISUALATOM = Layout(
    r"(\d{5,})/vertex_\d{4,}_instance_(\d{4,})\.png",
    lambda category, instance, vertices: (
        f"{category:05d}/vertex_{vertices:04d}_instance_{instance:04d}.png"
    ),
    needs_vertices=True,
)
PLAIN = Layout(
    r"\d{5,}/(\d{5,})_(\d{5,})\.png",
    lambda category, instance, _: f"{category:05d}/{category:05d}_{instance:05d}.png",
)
NAMES = ("auto", "fractaldb", "exfractaldb", "ofdb3d", "rcdb", "visualatom", "plain")


def resolve(name: str, *, dataset: str, formula: str) -> str:
    """Resolve "auto" to the authors' layout of the formula, else to "plain"."""
    choose("layout", name, list(NAMES), where="fdsl render")
    if name != "auto":
        return name
    if formula == "exfractaldb" and dataset.startswith("ofdb3d"):
        return "ofdb3d"
    return formula if formula in NAMES else "plain"


def get(name: str, *, settings: dict[str, object]) -> Layout:
    """Return a layout by name; `settings` decide how many weights and flips an instance counts."""
    weighted = bool(settings.get("weighted", True)) and settings.get("instance_row") is None
    if name == "fractaldb":
        flips = 4 if settings.get("flips", True) else 1
        return fractaldb(weights=25 if weighted else 1, flips=flips)
    if name in {"exfractaldb", "ofdb3d"}:
        weights = 24 * int(str(settings.get("weight_steps", 6))) + 1 if weighted else 1
        return exfractaldb(weights=weights, folder="images" if name == "exfractaldb" else "image")
    return {"rcdb": RCDB, "visualatom": VISUALATOM, "plain": PLAIN}[name]
