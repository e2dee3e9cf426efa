"""Segmentations of COCO to the compressed run lengths of pycocotools."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST_OUTLINE_PX = 10**6  # of one polygon, for which pycocotools takes about 100 MB


def run_lengths(segmentation: Any, *, height: int, width: int) -> bytes:
    """Return a segmentation of COCO as compressed run lengths, those of pycocotools.

    Parameters
    ----------
    segmentation
        Polygons [[x, y, x, y, …], …] whose union is the object; or {"size": [height, width],
        "counts": run lengths down the columns, as a list of integers or compressed to text}.
    height, width
        Of the picture, in pixels.

    Raises
    ------
    ValueError
        If it is none of these, has a polygon of fewer than 3 points, a number that is not finite, a
        point farther outside than the picture is long or an outline beyond a million pixels
        (pycocotools' memory grows with it), or run lengths that do not add up to height × width
        (with which it would write beyond its memory).
    """
    from pycocotools import mask

    if isinstance(segmentation, list):
        if not segmentation:
            raise ValueError("segmentation is empty")
        polygons = [finite_numbers(polygon, "segmentation") for polygon in segmentation]
        if odd := [p for p in polygons if len(p) < 6 or len(p) % 2]:
            raise ValueError(f"a polygon has {len(odd[0])} numbers, expected 3 or more points")
        reach = max(height, width)
        for polygon in polygons:
            if polygon.min() < -reach or polygon.max() > 2 * reach:
                raise ValueError(
                    f"a polygon reaches from {polygon.min()} to {polygon.max()}, far outside"
                    f" {width} × {height} pixels"
                )
            outline = np.abs(polygon - np.roll(polygon, 2)).sum()
            if outline > LARGEST_OUTLINE_PX:
                raise ValueError(f"outline of {outline:.0f} pixels, more than {LARGEST_OUTLINE_PX}")
        return bytes(mask.merge(mask.frPyObjects(polygons, height, width))["counts"])
    if not isinstance(segmentation, dict) or segmentation.get("size") != [height, width]:
        raise ValueError(f"segmentation is neither polygons nor runs of size [{height}, {width}]")
    counts = segmentation["counts"]
    runs = uncompressed(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or any(type(run) is not int or run < 0 for run in runs):
        raise ValueError("segmentation.counts are not run lengths")
    if sum(runs) != height * width:
        raise ValueError(f"run lengths add up to {sum(runs)}, not to {height} × {width}")
    code = mask.frPyObjects({"size": [height, width], "counts": runs}, height, width)
    return bytes(code["counts"])


def uncompressed(text: str) -> list[int]:
    """Return the run lengths that COCO compressed to text.

    Each is a little-endian number of 5-bit groups, a sixth bit saying that another group follows,
    all plus 48 as ASCII; from the fourth on it is the difference to the run two before (maskApi.c,
    rleToString).

    Raises
    ------
    ValueError
        If a character is out of range or the text ends within a number.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        group = ord(character) - 48
        if not 0 <= group < 64 or shift > 60:
            raise ValueError(f"segmentation.counts hold {character!r}, which is no run length")
        value |= (group & 31) << shift
        shift += 5
        if group & 32:
            continue
        if group & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("segmentation.counts end within a run length")
    return runs


def finite_numbers(values: Any, name: str, *, count: int | None = None) -> NDArray[np.float64]:
    """Return a list of finite numbers as float64 (n,); ValueError for anything else."""
    array = np.asarray(values) if isinstance(values, list) else np.empty((0, 0))
    if array.ndim != 1 or array.dtype.kind not in "if" or not np.isfinite(array).all():
        raise ValueError(f"{name} = {str(values)[:80]} is not a list of finite numbers")
    if count is not None and len(array) != count:
        raise ValueError(f"{name} = {values} has {len(array)} numbers, expected {count}")
    return array.astype(np.float64)
