"""config.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fdsl.schema.base import FrozenModel, Seeds

MAX_PROCESSES = 1024  # on one host
GRID = r"[1-9][0-9]{0,2}x[1-9][0-9]{0,1}"

ScaleName = Literal["laptop", "workstation", "paper"]


class UserConfig(FrozenModel):
    """config.yaml: what a user chooses."""

    scale: ScaleName = Field(description="the budget")
    seeds: Seeds | None = Field(description="of the fine-tunings; null = the scale's own")
    dataset_seed: int = Field(ge=0, lt=2**63, description="root seed of the synthetic datasets")
    data_root: str = Field(min_length=1, description="folder with the downstream datasets")
    device: Literal["auto", "cpu", "cuda"] = Field(description="where training runs")
    micro_batch: int | None = Field(gt=0, description="images at once per device; null = all")
    loader_workers: int | None = Field(
        ge=0, le=256, description="per process; 0 = in it; null = its CPU threads, 0 without a GPU"
    )
    processes: int | None = Field(
        ge=1, le=MAX_PROCESSES, description="sharing one training; null = one per GPU, 1 without"
    )
    nodes_x_processes: dict[str, Annotated[str, Field(pattern=f"^{GRID}$")]] = Field(
        description="network -> hosts x processes that share one of its pre-trainings, as 4x8"
    )
    compile: bool = Field(description="let torch.compile write the network's kernels")
    deterministic: bool = Field(description="refuse CUDA kernels whose result depends on timing")
    checkpoint_seconds: int = Field(gt=0, description="time between checkpoints")
