"""Training and evaluation: one explicit loop, resumable to the bit. Here: how it is executed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fdsl.schema.base import FrozenModel


class Devices(FrozenModel):
    """Where and how a training runs; nothing here changes results beyond floating-point rounding.

    Bit equality (a resumed run ends with the weights of an uninterrupted one) holds on one machine
    with one set of library versions, one number of processes, one `micro_batch`, `threads` and
    `compile`; `loader_workers` and `kept_mb` never matter. On CUDA it needs `deterministic` as
    well, which makes some kernels slower. Everywhere else runs agree statistically, not in their
    bits.

    Attributes
    ----------
    device
        auto takes CUDA where there is a GPU.
    micro_batch
        Most images that a device works on at once; None = its whole share of the batch.
    loader_workers
        Loader processes of each training process; 0 = inside of it; None = as many as it has CPU
        threads where it has a GPU, else 0.
    kept_mb
        Megabytes of prepared training images that a process keeps in memory; larger sets are read
        anew.
    threads
        CPU threads on one host, shared by its processes.
    compile, compile_backend
        Whether torch.compile writes the kernels of the training passes (not of evaluation), and its
        backend; only inductor writes kernels.
    deterministic
        Refuse non-deterministic kernels (CUDA; the CPU has none).
    checkpoint_seconds, checkpoint_steps
        Time between checkpoints; also a checkpoint every so many updates, or None.
    wall_seconds
        Save and leave with exit code 85 after so long, or None.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    micro_batch: int | None = Field(default=None, gt=0)
    loader_workers: int | None = Field(default=0, ge=0, le=256)
    kept_mb: float = Field(default=256, ge=0)
    threads: int = Field(default=1, gt=0, le=1024)
    compile: bool = False
    compile_backend: Literal["inductor", "aot_eager", "eager"] = "inductor"
    deterministic: bool = False
    checkpoint_seconds: float = Field(default=300, gt=0)
    checkpoint_steps: int | None = Field(default=None, gt=0)
    wall_seconds: float | None = Field(default=None, gt=0)
