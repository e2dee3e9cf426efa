"""Pre-training and fine-tuning: one explicit loop, resumable to the bit. This page says how a
training is executed.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fdsl.schema.base import FrozenModel


class Devices(FrozenModel):
    """Where and how a training runs: nothing here changes what is computed beyond floating-point
    rounding.

    Bit equality (a resumed run ends with the weights of an uninterrupted one) holds on one machine
    with one set of library versions, one number of processes, one `micro_batch`, `threads` and
    `compile`; `loader_workers` and `kept_mb` never matter. On CUDA it needs `deterministic` as
    well, which makes some kernels slower. Everywhere else runs agree statistically, not in their
    bits.
    """

    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="auto takes CUDA where there is a GPU"
    )
    micro_batch: int | None = Field(
        default=None,
        gt=0,
        description="most images a device works on at once; null = its whole share of the batch",
    )
    loader_workers: int | None = Field(
        default=0,
        ge=0,
        le=256,
        description=(
            "loader processes of each training process; 0 = inside of it; null = as many as it has"
            " CPU threads where it has a GPU, else 0"
        ),
    )
    kept_mb: float = Field(
        default=256,
        ge=0,
        description=(
            "megabytes of prepared training images that a process keeps in memory; larger sets are"
            " read anew"
        ),
    )
    threads: int = Field(
        default=1, gt=0, le=1024, description="CPU threads on one host, shared by its processes"
    )
    compile: bool = Field(
        default=False,
        description=(
            "let torch.compile write the kernels of the training passes; evaluation stays as it is"
        ),
    )
    compile_backend: Literal["inductor", "aot_eager", "eager"] = Field(
        default="inductor", description="of torch.compile; the other two write no kernels"
    )
    deterministic: bool = Field(
        default=False, description="refuse non-deterministic kernels (CUDA; the CPU needs no help)"
    )
    checkpoint_seconds: float = Field(default=300, gt=0, description="time between checkpoints")
    checkpoint_steps: int | None = Field(
        default=None, gt=0, description="also a checkpoint every so many updates, or null"
    )
    wall_seconds: float | None = Field(
        default=None, gt=0, description="save and leave with exit code 85 after so long, or null"
    )
