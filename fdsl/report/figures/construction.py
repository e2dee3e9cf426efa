"""How a radial contour is drawn: one panel for each step, each drawn by the formula itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fdsl.formulas import constants, rcdb
from fdsl.report.figures.attention_maps import draw_image
from fdsl.report.figures.inputs import Drawn, FigureInputs
from fdsl.report.style import TEXT_WIDTH_IN, wrapped
from fdsl.schema.study.figures import Construction

# Lengths in pixels at 512, larger than the dataset's ranges so that a reader sees each step.
RADIUS, STEP, NOISE, OVAL = 60, 14.0, 8.0, 2.0
SIDE_PX = 160
MOST_INSTANCES = 10_000


def draw(inputs: FigureInputs) -> Drawn:
    """Draw the steps one after the other; the plotted numbers are the panels' parameters."""
    assert isinstance(inputs.figure, Construction)
    steps = _steps(inputs.figure)
    instance = _whole(steps, seed=inputs.seed)
    figure = Figure(figsize=(TEXT_WIDTH_IN, 2.0), layout="constrained")
    for axes, (title, values) in zip(figure.subplots(1, len(steps)), steps.items(), strict=True):
        image = _draw(values, seed=inputs.seed, instance=instance)
        draw_image(axes, image, vmax=int(image.max()))
        axes.set_title(title, fontsize=7)
    note = "Drawn by the formula of this repository; steps enlarged so that they can be seen."
    figure.supxlabel(wrapped(f"{inputs.figure.caption} {note}"), fontsize=7)
    return figure, pd.DataFrame([{"step": title, **values} for title, values in steps.items()])


def _steps(figure: Construction) -> dict[str, dict[str, Any]]:
    """Return the parameters of each panel by its title."""
    n, count = figure.vertices, figure.polygons
    start = {"vertices": n, "polygons": 1, "step": STEP, "noise": 0.0, "oval": 1.0}
    stretched = start | {"oval": OVAL}
    nested = stretched | {"polygons": count}
    return {
        f"1. polygon, n = {n}": start,
        "2. resized to an oval": stretched,
        f"3. repeated outwards, N = {count}": nested,
        "4. with Perlin noise": nested | {"noise": NOISE},
        "5. more vertices, n = 200": nested | {"noise": NOISE, "vertices": 200},
    }


def _draw(values: dict[str, Any], *, seed: int, instance: int) -> NDArray[np.uint8]:
    settings = rcdb.Settings(image_size_px=SIDE_PX, radius=(RADIUS, RADIUS), oval=values["oval"])
    names = ("vertices", "polygons", "noise", "step")
    row = constants.row(rcdb.PARAMETERS, *(values[name] for name in names))
    return rcdb.render(settings, row, seed=seed, category=0, instance=instance)


def _whole(steps: dict[str, dict[str, Any]], *, seed: int) -> int:
    """Return the first instance whose random centre leaves every step inside of the image."""
    for instance in range(MOST_INSTANCES):
        images = [_draw(values, seed=seed, instance=instance) for values in steps.values()]
        edges = [
            side for image in images for side in (image[0], image[-1], image[:, 0], image[:, -1])
        ]
        if not any(edge.any() for edge in edges):
            return instance
    raise RuntimeError(f"none of {MOST_INSTANCES} instances lies inside of the image")
