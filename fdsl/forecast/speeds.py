"""The speed of a device with a network: measured, else published, else derived with the reason."""

from __future__ import annotations

import math

from fdsl.forecast.amount import Amount, Origin
from fdsl.forecast.published import DEFAULT_GPU, Published, Speed
from fdsl.forecast.rates import Rates
from fdsl.schema.base import ConfigError

CPU = "cpu"  # one thread of it


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
    ) -> Speed:
        """Return the speed of a device in training or evaluating a network, on ready images.

        Raises
        ------
        ConfigError
            If no speed of the network or of a similar one is known.
        """
        wanted = (name, image_size_px, precision, device)
        for entry, origin in self.rates.each("training"):
            if (entry.network, entry.image_size_px, entry.precision, entry.device) == wanted:
                memory = Amount.of(entry.memory_mb, origin) if device == CPU else None
                return Speed(entry.images_per_s(train=train), origin, (), memory)
        if device in self.published.gpus:
            return self.published.speed(
                device, name, precision=precision, image_size_px=image_size_px, train=train
            )
        return self._by_gmacs(*wanted, train=train)

    def _by_gmacs(self, name: str, size: int, precision: str, device: str, *, train: bool) -> Speed:
        """Return the measured speed of the network with the nearest GMACs, scaled by them."""
        ours = self.published.network(name)
        work = ours.gmacs * (size / ours.image_size_px) ** 2
        like = []
        for entry, _ in self.rates.each("training"):
            theirs = self.published.networks.get(entry.network)
            if entry.device == device and theirs is not None and theirs.task == ours.task:
                scaled = theirs.gmacs * (entry.image_size_px / theirs.image_size_px) ** 2
                distance = (entry.precision != precision, abs(math.log(scaled / work)))
                like.append((distance, entry, scaled))
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
        speed = entry.images_per_s(train=train) * scaled / work
        return Speed(speed, Origin.ASSUMED, (words,))
