"""torch.compile as an option of a training."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from fdsl.train import Devices


def compiler(devices: Devices) -> Callable[[nn.Module], nn.Module]:
    """Return what gives a network compiled kernels, or leaves it as it is where `devices.compile`
    is off.

    The network that comes in keeps its modules and the names of its tensors, so checkpoints and
    weights are the same with and without; only what comes out runs compiled. Dropout and stochastic
    depth draw what they draw without compilation: the default backend would otherwise use a
    generator of its own, and results would differ by more than rounding.

    Compilation happens in the first update: from ten seconds to minutes. Where the backend cannot
    work (inductor needs a C++ compiler on a CPU), that update fails with torch's message; there is
    no silent way back.
    """
    if not devices.compile:
        return _unchanged

    def compiled(network: nn.Module) -> nn.Module:
        backend = devices.compile_backend
        options = {"fallback_random": True} if backend == "inductor" else None
        if isinstance(network, DistributedDataParallel):
            network.compile(backend=backend, options=options)  # in place: it must stay what it is
            return network
        wrapped: nn.Module = torch.compile(network, backend=backend, options=options)
        return wrapped

    return compiled


def _unchanged(network: nn.Module) -> nn.Module:
    return network
