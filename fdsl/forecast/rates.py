"""How fast a machine is: the JSON that `fdsl bench --save` writes, and the shipped one."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from fdsl.forecast.amount import Origin
from fdsl.io.storage import read_json
from fdsl.schema.base import ConfigError, FrozenModel, validate
from fdsl.schema.catalogue import SyntheticDataset
from fdsl.schema.yaml_files import workflow_folder

FORMAT = 2  # 1 had the rows of `fdsl bench` alone
SHIPPED = "published/machine_rates.json"  # below workflow
VARIABLE = "FDSL_RATES"  # environment variable with another place for the user's file

Positive = Field(gt=0)


class MeasuredMachine(FrozenModel):
    """Where and when rates were measured."""

    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    words: str = Field(description="conditions, for example that the machine was idle")
    environment: dict[str, str | int | list[str]] = Field(description="processor, cores, versions")


class Drawing(FrozenModel):
    """What the images of a synthetic dataset cost one core."""

    dataset: str = Field(description="a name of the catalogue; settings decide")
    formula: str
    settings: dict[str, Any]
    image_size_px: int = Positive
    channels: Literal[1, 3]
    search_s: float = Field(gt=0, description="of a category")
    parameter_bytes: float = Field(gt=0, description="of a category in the parameter file")
    draw_s: float = Positive
    encode_s: float = Field(gt=0, description="to pack an image for a shard")
    decode_s: float = Field(gt=0, description="to read an image from a shard")
    shard_bytes: float = Field(gt=0, description="of an image in a shard")
    png_s: float = Positive
    png_bytes: float = Positive
    memory_mb: float = Positive


class TrainingSpeed(FrozenModel):
    """How fast a device trains and evaluates a network on images that are ready."""

    network: str = Field(description="a name of workflow/published/networks.csv")
    device: str = Field(description="cpu (one thread), or the name of a GPU")
    image_size_px: int = Positive
    precision: Literal["fp32", "bf16", "fp16"]
    training_images_per_s: float = Positive
    inference_images_per_s: float = Positive
    memory_mb: float = Field(gt=0, description="most that the process held")
    words: str = Field(default="", description="where it was measured, if not with the rest")

    def images_per_s(self, *, train: bool) -> float:
        """Return the speed in training or in evaluation."""
        return self.training_images_per_s if train else self.inference_images_per_s


class Loading(FrozenModel):
    """What one core needs to augment one decoded image."""

    kind: str = Field(description="see `fdsl.forecast.loading`")
    source_px: int = Field(gt=0, description="side of the decoded image")
    image_size_px: int = Field(gt=0, description="side afterwards")
    channels: Literal[1, 3]
    seconds: float = Positive


class Start(FrozenModel):
    """What a process costs before its work begins: Python and imports."""

    kind: Literal["images", "training", "report"]
    seconds: float = Positive
    memory_mb: float = Positive


class Judging(FrozenModel):
    """k-NN and linear probe on features that are there."""

    train_images: int = Positive
    features: int = Positive
    classes: int = Positive
    seconds: float = Positive


class Fixed(FrozenModel):
    """What a job of a rule costs beyond its start and what else is computed for it."""

    rule: str
    seconds: float = Field(ge=0)
    bytes: float = Field(ge=0)
    memory_mb: float = Field(ge=0, description="most that a job held")


class MachineRates(FrozenModel):
    """One file of rates."""

    format: Literal[2]
    machine: MeasuredMachine
    drawing: tuple[Drawing, ...] = ()
    training: tuple[TrainingSpeed, ...] = ()
    loading: tuple[Loading, ...] = ()
    picture_s: float | None = Field(default=None, gt=0, description="JPEG of 500 × 375 px")
    starts: tuple[Start, ...] = ()
    judging: Judging | None = None
    fixed: tuple[Fixed, ...] = ()


@dataclass(frozen=True)
class Rates:
    """The rates of this machine where they were measured, else those that come with the project.

    Attributes
    ----------
    shipped
        Those of the project; every kind is there.
    own
        Those of this machine, or None.
    """

    shipped: MachineRates
    own: MachineRates | None = None

    def each(self, kind: str) -> list[tuple[Any, Origin]]:
        """Return the entries of one kind with their origin, this machine's first."""
        found = [] if self.own is None else [(x, Origin.MEASURED) for x in getattr(self.own, kind)]
        return [*found, *((x, Origin.SHIPPED) for x in getattr(self.shipped, kind))]

    def one(self, kind: str) -> tuple[Any, Origin]:
        """Return a value that a file holds once, with its origin."""
        mine = None if self.own is None else getattr(self.own, kind)
        if mine is not None:
            return mine, Origin.MEASURED
        return getattr(self.shipped, kind), Origin.SHIPPED

    def start(self, kind: str) -> tuple[Start, Origin]:
        """Return the cost of starting a process of a kind."""
        return next((x, origin) for x, origin in self.each("starts") if x.kind == kind)

    def fixed(self, rule: str) -> tuple[Fixed, Origin]:
        """Return the constant cost of a job of a rule; zero if none was measured."""
        return next(
            ((x, origin) for x, origin in self.each("fixed") if x.rule == rule),
            (Fixed(rule=rule, seconds=0, bytes=0, memory_mb=0), Origin.ASSUMED),
        )

    def drawing(self, dataset: SyntheticDataset) -> tuple[Drawing, Origin, tuple[str, ...]]:
        """Return what a dataset's images cost, the origin, and in words what was assumed.

        Without a measurement of the same settings, that of the same formula with the nearest image
        size is taken: time by the number of points where both have one, bytes by the area.

        Raises
        ------
        ConfigError
            If no dataset of the formula was measured.
        """
        wanted, kept = _plain(dataset.settings), int(dataset.side_px or 0)
        side = int(dataset.settings["image_size_px"])
        alike = [pair for pair in self.each("drawing") if pair[0].formula == dataset.formula]
        for entry, origin in alike:
            if _plain(entry.settings) == wanted:
                return _packed(entry, kept), origin, ()
        if not alike:
            raise ConfigError(
                f"no dataset of the formula {dataset.formula} was measured, so its cost cannot be"
                " forecast: run `fdsl bench --save` on this machine"
            )
        near = min(alike, key=lambda pair: abs(math.log(_drawn_px(pair[0]) / side)))[0]
        ours, theirs = dataset.settings.get("points"), near.settings.get("points")
        factor = ours / theirs if ours and theirs else 1.0
        words = (
            f"{dataset.title or dataset.formula} at {side} px was not measured: drawn as"
            f" {near.dataset} at {_drawn_px(near)}"
            f" px{', by the number of points' if factor != 1 else ''}, packed by the area"
        )
        drawn = near.model_copy(update={"draw_s": near.draw_s * factor})
        return _packed(drawn, kept), Origin.ASSUMED, (words,)


def _drawn_px(entry: Drawing) -> int:
    """Return the side at which the images of a measurement were drawn, before any reduction."""
    return int(entry.settings.get("image_size_px", entry.image_size_px))


def _packed(entry: Drawing, side_px: int) -> Drawing:
    """Return a measurement with the costs of packing scaled by the area to another side."""
    area = (side_px / entry.image_size_px) ** 2
    by_area = ("encode_s", "decode_s", "shard_bytes", "png_s", "png_bytes")
    scaled = {key: getattr(entry, key) * area for key in by_area}
    return entry if area == 1 else entry.model_copy(update={**scaled, "image_size_px": side_px})


def default_path() -> Path:
    """Return the file of this machine: $FDSL_RATES, else fdsl/rates.json in $XDG_DATA_HOME."""
    if VARIABLE in os.environ:
        return Path(os.environ[VARIABLE])
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "fdsl" / "rates.json"


def read(path: Path) -> MachineRates:
    """Read a file of rates.

    Raises
    ------
    ConfigError
        If it is of another format, or has a fault.
    DamagedFile
        If it is not JSON.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ConfigError(
            f"{path} is not a file of rates of format {FORMAT}: run `fdsl bench --save` again"
        )
    return validate(MachineRates, content, where=str(path))


def load(path: Path | None = None) -> Rates:
    """Return the rates for a forecast.

    Parameters
    ----------
    path
        This machine's file, which must exist; None = the one at `default_path`, if there is one.
    """
    own = path or default_path()
    here = read(own) if path is not None or own.exists() else None
    return Rates(read(workflow_folder() / SHIPPED), here)


def _plain(settings: dict[str, Any]) -> Any:
    """Return settings as JSON gives them, so that tuples equal lists."""
    return json.loads(json.dumps(settings, sort_keys=True))
