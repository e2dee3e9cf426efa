"""Attention maps, read from files and drawn over their images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from fdsl.io.storage import AGAIN, DamagedFile

Maps = dict[str, tuple[NDArray[np.uint8], NDArray[np.float32]]]


def read_maps(files: Iterable[Path], pretrainings: Iterable[str]) -> Maps:
    """Read the attention maps of the first seed of each pre-training that has a file.

    Parameters
    ----------
    files
        Named by their runs, whose keys begin with the pre-training and a hyphen.

    Returns
    -------
    dict
        {pre-training: (images uint8 (n, S, S, C), attention float32 (n, h, w))}.

    Raises
    ------
    DamagedFile
        If a file is not what `fdsl attention` writes.
    """
    maps = {}
    paths = sorted(files)
    for name in pretrainings:
        path = next((path for path in paths if path.name.startswith(f"{name}-")), None)
        if path is None:
            continue
        try:
            _require_sound(path)
            with np.load(path, allow_pickle=False) as held:
                maps[name] = held["images"], held["attention"]
        except FileNotFoundError:
            raise
        except Exception as error:  # noqa: BLE001 a damaged archive can fail in any way
            raise DamagedFile(f"{path} holds no attention maps ({error}); {AGAIN}") from None
    return maps


def _require_sound(path: Path) -> None:
    """Raise ValueError if an array differs from its checksum, which NumPy checks only after it has
    trusted the array's header.
    """
    with ZipFile(path) as archive:
        changed = archive.testzip()
    if changed is not None:
        raise ValueError(f"{changed} differs from its checksum")


def draw_image(axes: Axes, image: NDArray[np.uint8], *, vmax: int = 255) -> None:
    """Show one image (S, S, C) without axes; `vmax` is shown as white."""
    axes.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=vmax, interpolation="nearest")
    axes.set_axis_off()


def draw_attention(axes: Axes, image: NDArray[np.uint8], attention: NDArray[np.float32]) -> None:
    """Show the attention (h, w) over a faded image (S, S, C); dark is none, bright the image's own
    maximum.
    """
    side = image.shape[0]
    axes.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.imshow(
        attention,
        cmap="inferno",
        alpha=0.75,
        extent=(-0.5, side - 0.5, side - 0.5, -0.5),
        interpolation="bilinear",
    )
    axes.set_axis_off()
