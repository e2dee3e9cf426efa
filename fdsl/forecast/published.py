"""Published speeds: images/s of GPUs and the work of networks, from workflow/published."""

from __future__ import annotations

import csv
import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field

from fdsl.forecast.amount import Amount, Origin
from fdsl.schema.base import ConfigError, FrozenModel, choose, validate

Model = TypeVar("Model", bound=FrozenModel)
Task = Literal["classification", "detection"]
DEFAULT_GPU = "RTX 3090"  # the one with the most networks in the table
COMMON = "vit_base"  # the network by which two GPUs are compared


class GpuRate(FrozenModel):
    """One line of gpu_rates.csv: the speed of one GPU with a network, on images that are ready."""

    gpu: str = Field(min_length=1)
    network: str = Field(description="a name of networks.csv")
    image_size_px: int = Field(gt=0)
    precision: Literal["amp", "fp32"] = Field(description="amp = bf16 or fp16")
    training_images_per_s: float | None = Field(gt=0)
    inference_images_per_s: float | None = Field(gt=0)
    source: str = Field(min_length=1)

    def images_per_s(self, *, train: bool) -> float | None:
        """Return the speed in training or in evaluation."""
        return self.training_images_per_s if train else self.inference_images_per_s


class Network(FrozenModel):
    """One line of networks.csv."""

    network: str = Field(description="a name of models.yaml, or mask_rcnn_ before it")
    task: Task
    image_size_px: int = Field(gt=0)
    gmacs: float = Field(gt=0, description="10^9 multiply-adds of one image, forward")
    parameters_millions: float = Field(gt=0)
    features: int | None = Field(gt=0, description="before the classifier; null for detectors")
    source: str = Field(min_length=1)


@dataclass(frozen=True)
class Speed:
    """A throughput with its origin.

    Attributes
    ----------
    images_per_s
        Throughput.
    words
        Assumptions in words, none for a measured or published speed.
    memory_mb
        Of the process; None unless measured on the CPU.
    """

    images_per_s: float
    origin: Origin
    words: tuple[str, ...] = ()
    memory_mb: Amount | None = None

    def times(self, factor: float, words: str) -> Speed:
        """Return a speed derived by an assumption, which `words` states."""
        return Speed(self.images_per_s * factor, Origin.ASSUMED, (*self.words, words))


@dataclass(frozen=True)
class Published:
    """The tables gpu_rates.csv and networks.csv."""

    rates: tuple[GpuRate, ...]
    networks: dict[str, Network]

    @classmethod
    def read(cls, folder: Path) -> Published:
        """Read and check both tables of a folder.

        Raises
        ------
        ConfigError
            If a line is invalid, or a speed is of a network that networks.csv lacks.
        """
        rates = _read(folder / "gpu_rates.csv", GpuRate)
        networks = {row.network: row for row in _read(folder / "networks.csv", Network)}
        for row in rates:
            choose("network", row.network, list(networks), where="workflow/published/gpu_rates.csv")
        return cls(tuple(rates), networks)

    @property
    def gpus(self) -> list[str]:
        """The names that `speed` knows."""
        return list(dict.fromkeys(row.gpu for row in self.rates))

    def network(self, name: str) -> Network:
        """Return a network; ConfigError if its work is not known."""
        if name not in self.networks:
            raise ConfigError(
                f"workflow/published/networks.csv has no line of {name!r}, so its cost cannot be"
                f" forecast. Add its GMACs and parameters; there are: {', '.join(self.networks)}"
            )
        return self.networks[name]

    def speed(
        self, gpu: str, name: str, *, precision: str, image_size_px: int, train: bool
    ) -> Speed:
        """Return the speed of a GPU in training or evaluating a network.

        If it is not published, it is derived from the other precision, from evaluation, from the
        network on this GPU with the nearest GMACs, or from another GPU; `words` says how.

        Parameters
        ----------
        gpu
            A name of `gpus`.
        name
            A network.
        precision
            fp32, bf16 or fp16.
        image_size_px
            Side of the images; read for classification alone.
        train
            Training, or evaluation.

        Raises
        ------
        ConfigError
            If the GPU or the network is unknown.
        """
        choose("gpu", gpu, self.gpus, where="fdsl forecast --gpu")
        network = self.network(name)
        near = self._nearest(gpu, network)
        if near is None:
            return self._by_another_gpu(gpu, network, precision=precision, train=train)
        found = self._of_row_network(gpu, near.network, precision=precision, train=train)
        if near.network != name:
            power = self._power if network.task == "classification" else 1.0
            how = f" to the power of {power:.2f}, as on the {DEFAULT_GPU}" if power != 1 else ""
            found = found.times(
                (near.gmacs / network.gmacs) ** power,
                f"{name} on the {gpu}: no published speed, so that of {near.network} by GMACs"
                f" ({network.gmacs:g} against {near.gmacs:g}){how}",
            )
        if network.task == "classification" and image_size_px != network.image_size_px:
            found = found.times(
                (network.image_size_px / image_size_px) ** 2,
                f"{name} at {image_size_px} px: by the number of pixels, from"
                f" {network.image_size_px} px",
            )
        return found

    def _nearest(self, gpu: str, network: Network) -> Network | None:
        """Return the network with a speed on this GPU and the nearest GMACs."""
        known = {row.network for row in self.rates if row.gpu == gpu}
        like = [self.networks[n] for n in known if self.networks[n].task == network.task]
        return min(
            like, key=lambda n: (abs(math.log(n.gmacs / network.gmacs)), n.network), default=None
        )

    def _of_row_network(self, gpu: str, name: str, *, precision: str, train: bool) -> Speed:
        """Return the speed of a network that has a line on this GPU."""
        wanted = "fp32" if precision == "fp32" else "amp"
        rows = [row for row in self.rates if row.gpu == gpu and row.network == name]
        row = min(rows, key=lambda r: (r.images_per_s(train=train) is None, r.precision != wanted))
        stated, other = row.images_per_s(train=train), row.images_per_s(train=not train)
        if stated is not None:
            found = Speed(stated, Origin.PUBLISHED)
        elif other is not None:
            passes = self._passes
            kinds = ("training", "evaluation") if train else ("evaluation", "training")
            found = Speed(other, Origin.PUBLISHED).times(
                1 / passes if train else passes,
                f"{kinds[0]} on the {gpu}: from the published speed of {kinds[1]}, of which"
                f" training takes {passes:.2g} times the time (median of gpu_rates.csv)",
            )
        else:
            raise ConfigError(
                f"workflow/published/gpu_rates.csv: {gpu}, {name}: no speed at all; state one or"
                " remove the line"
            )
        if row.precision == wanted:
            return found
        slower = self._fp32_slower
        return found.times(
            1 / slower if wanted == "fp32" else slower,
            f"fp32 takes {slower:.2g} times as long as mixed precision (median of gpu_rates.csv)",
        )

    def _by_another_gpu(self, gpu: str, network: Network, *, precision: str, train: bool) -> Speed:
        """Return a speed from a GPU on which this kind of work was published."""
        other = next(g for g in self.gpus if self._nearest(g, network) is not None)
        size = self.networks[COMMON].image_size_px
        ours, theirs = (
            self.speed(g, COMMON, precision="bf16", image_size_px=size, train=True).images_per_s
            for g in (gpu, other)
        )
        name, size = network.network, network.image_size_px
        found = self.speed(other, name, precision=precision, image_size_px=size, train=train)
        return found.times(
            ours / theirs,
            f"{name} on the {gpu}: from the {other}, by the training speeds of {COMMON} on both",
        )

    @property
    def _power(self) -> float:
        """The exponent of speed over GMACs: below 1, as small networks do not fill a GPU."""
        pairs = [
            (math.log(self.networks[row.network].gmacs), -math.log(row.training_images_per_s))
            for row in self.rates
            if row.gpu == DEFAULT_GPU
            and row.precision == "amp"
            and row.training_images_per_s
            and self.networks[row.network].task == "classification"
        ]
        return statistics.linear_regression(*zip(*pairs, strict=True)).slope

    @property
    def _passes(self) -> float:
        """The time to train on an image over the time to evaluate it."""
        return statistics.median(
            row.inference_images_per_s / row.training_images_per_s
            for row in self.rates
            if row.inference_images_per_s
            and row.training_images_per_s
            and self.networks[row.network].task == "classification"
        )

    @property
    def _fp32_slower(self) -> float:
        """The time in fp32 over the time in mixed precision."""
        both = {(row.gpu, row.network): row for row in self.rates if row.precision == "fp32"}
        return statistics.median(
            row.training_images_per_s / slow.training_images_per_s
            for row in self.rates
            if row.precision == "amp"
            and row.training_images_per_s
            and (slow := both.get((row.gpu, row.network)))
            and slow.training_images_per_s
        )


def _read(path: Path, model: type[Model]) -> list[Model]:
    """Read a CSV file with a header, each line as a model; an empty field is null."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = [{key: value or None for key, value in row.items()} for row in csv.DictReader(file)]
    where = f"workflow/published/{path.name}: line"
    return [validate(model, line, where=f"{where} {n}") for n, line in enumerate(lines, start=2)]
