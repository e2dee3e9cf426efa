"""How fast a device is with a network: measured where it was, else published, else derived in
words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from fdsl.forecast.amount import Amount, Origin
from fdsl.forecast.published import DEFAULT_GPU, Published, Speed
from fdsl.forecast.rates import Rates, Training
from fdsl.schema.base import ConfigError

CPU = "cpu"  # one thread of it


@dataclass(frozen=True)
class Held(Speed):
    """A speed and, where it was measured on the CPU, the memory of the process."""

    memory_mb: Amount | None = None


class Speeds:
    """Measured and published speeds together.

    Parameters
    ----------
    rates
        Of machines.
    published
        Of GPUs.
    gpu
        The GPU that trainings run on; None = the measured one, else RTX 3090.

    Raises
    ------
    ConfigError
        If no speed of the GPU is known.
    """

    def __init__(self, rates: Rates, published: Published, gpu: str | None) -> None:
        self.rates, self.published = rates, published
        measured = [entry.device for entry, _ in rates.each("training") if entry.device != CPU]
        self.gpu = gpu or next(iter(measured), DEFAULT_GPU)
        known = dict.fromkeys([*published.gpus, *measured])
        if self.gpu not in known:
            raise ConfigError(
                f"fdsl forecast --gpu: {self.gpu!r} is unknown. Allowed: {', '.join(known)}. Add a"
                " line to workflow/published/gpu_rates.csv, or run `fdsl bench --save` where the"
                " GPU is"
            )

    def of(
        self, name: str, *, image_size_px: int, precision: str, device: str, train: bool
    ) -> Held:
        """Return how fast a device trains or evaluates a network, on images that are ready.

        Raises
        ------
        ConfigError
            If nothing is known of the network or of one like it.
        """
        entries = [pair for pair in self.rates.each("training") if pair[0].device == device]
        for entry, origin in entries:
            if (entry.network, entry.image_size_px, entry.precision) == (
                name,
                image_size_px,
                precision,
            ):
                memory = Amount.of(entry.memory_mb, origin) if device == CPU else None
                return Held(_images_per_s(entry, train=train), origin, (), memory)
        if device in self.published.gpus:
            found = self.published.speed(
                device, name, precision=precision, image_size_px=image_size_px, train=train
            )
            return Held(found.images_per_s, found.origin, found.words)
        measured = [entry for entry, _ in entries]
        return self._by_gmacs(name, image_size_px, precision, measured, device=device, train=train)

    def _by_gmacs(
        self,
        name: str,
        size: int,
        precision: str,
        entries: list[Training],
        *,
        device: str,
        train: bool,
    ) -> Held:
        """Return the measured speed of the network whose work is nearest, by the work of both."""
        ours = self.published.network(name)
        work = ours.gmacs * (size / ours.image_size_px) ** 2
        like = []
        for entry in entries:
            theirs = self.published.networks.get(entry.network)
            if theirs is not None and theirs.task == ours.task:
                scaled = theirs.gmacs * (entry.image_size_px / theirs.image_size_px) ** 2
                like.append(
                    ((entry.precision != precision, abs(math.log(scaled / work))), entry, scaled)
                )
        if not like:
            raise ConfigError(
                f"no speed of {name} or of a network like it on {device} is known: run `fdsl bench"
                " --save` on this machine, or choose a GPU of workflow/published/gpu_rates.csv"
            )
        _, entry, scaled = min(like, key=lambda found: found[0])
        words = (
            f"{name} at {size} px, {precision}, on {device}: not measured, so the speed of"
            f" {entry.network} at {entry.image_size_px} px, {entry.precision}, by GMACs"
        )
        return Held(_images_per_s(entry, train=train) * scaled / work, Origin.ASSUMED, (words,))


def _images_per_s(entry: Training, *, train: bool) -> float:
    return entry.training_images_per_s if train else entry.inference_images_per_s
