"""One process or many: the same code alone, under torchrun and under srun."""

from __future__ import annotations

import ctypes
import itertools
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from fdsl.train import Devices

log = logging.getLogger(__name__)

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # names of glibc's malloc.h
MMAP_BYTES = 32 * 2**20  # the most that every glibc takes
TRIM_BYTES = 2**31 - 1


@dataclass(frozen=True)
class Rank:
    """One of the processes that share a training: `rank` of `world`, `local_rank` on its host."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0


@dataclass(frozen=True)
class Processes:
    """The processes of a training as one of them sees them: its device and loader processes."""

    rank: int
    world: int
    device: torch.device
    loaders: int = 0

    @property
    def leads(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def hardware(self) -> dict[str, str | int]:
        """Return what this process computes on, for the record; bits can depend on all of it."""
        found: dict[str, str | int] = {
            "device": self.device.type,
            "processes": self.world,
            "threads": torch.get_num_threads(),
        }
        if self.device.type == "cuda":
            cudnn: Any = torch.backends.cudnn
            found["gpu"] = torch.cuda.get_device_name(self.device)
            found["cuda"] = str(torch.version.cuda)
            found["cudnn"] = str(cudnn.version())
        return found

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum of a tensor over all processes; every process must call it."""
        if self.world > 1:
            values = values.clone()
            dist.all_reduce(values)
        return values

    def wait(self) -> None:
        """Return when every process has come here."""
        if self.world > 1:
            dist.barrier()

    def parallel(self, model: nn.Module) -> nn.Module:
        """Return the model that averages its gradients over all processes; itself when alone."""
        if self.world == 1:
            return model
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=devices)


def rank(environment: Mapping[str, str] = os.environ) -> Rank:
    """Read from the environment which of how many processes this is.

    torchrun sets RANK, WORLD_SIZE and LOCAL_RANK; srun sets SLURM_PROCID, SLURM_STEP_NUM_TASKS and
    SLURM_LOCALID. A batch script's own Python, which srun did not start, is alone even where the
    job has more tasks.
    """
    if "WORLD_SIZE" in environment:
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    elif int(environment.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        names = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID")
    else:
        return Rank()
    missing = [name for name in names if name not in environment]
    if missing:
        raise ValueError(
            f"{names[1]} = {environment[names[1]]}, but {', '.join(missing)} is not set: "
            "start the processes with torchrun or srun"
        )
    return Rank(*(int(environment[name]) for name in names))


def rendezvous(environment: Mapping[str, str]) -> dict[str, str]:
    """Return MASTER_ADDR and MASTER_PORT.

    Those that are set, else the first host of the SLURM step and a port from its job.
    """
    names = ("MASTER_ADDR", "MASTER_PORT")
    given = {name: environment[name] for name in names if name in environment}
    if len(given) == 2:
        return given
    if "SLURM_STEP_NODELIST" not in environment:
        raise ValueError(
            "MASTER_ADDR and MASTER_PORT are not set: start the processes with torchrun or srun"
        )
    port = 20_000 + int(environment.get("SLURM_JOB_ID", "0")) % 20_000
    host = first_host(environment["SLURM_STEP_NODELIST"])
    return {"MASTER_ADDR": host, "MASTER_PORT": str(port)} | given


def first_host(nodelist: str) -> str:
    """Return the first host of a SLURM list such as `gpu[03-06,9],login1`."""
    match = re.match(r"([^,\[]+)(?:\[([^\],-]+)[^\]]*\])?([^,]*)", nodelist)
    if match is None:
        raise ValueError(f"SLURM_STEP_NODELIST = {nodelist!r} names no host; set MASTER_ADDR")
    stem, number, tail = match.groups()
    return f"{stem}{number or ''}{tail}"


def threads_each(threads: int, environment: Mapping[str, str] = os.environ) -> int:
    """Return a process's share of a host's CPU threads, at least 1 (torchrun: LOCAL_WORLD_SIZE)."""
    return max(threads // int(environment.get("LOCAL_WORLD_SIZE", "1")), 1)


def loaders(devices: Devices, *, device: torch.device) -> int:
    """Return the loader processes of a training process: as set, else one per thread with a GPU."""
    if devices.loader_workers is not None:
        return devices.loader_workers
    return threads_each(devices.threads) if device.type == "cuda" else 0


def choose_device(wanted: str, *, local_rank: int) -> torch.device:
    """Return the device of a process; ValueError if there is no such GPU."""
    gpus = torch.cuda.device_count()
    if wanted == "cpu" or (wanted == "auto" and gpus == 0):
        return torch.device("cpu")
    if gpus == 0:
        raise ValueError("device = cuda, but torch sees no GPU: use device = cpu or auto")
    # srun --gpus-per-task shows each process its own GPU only, then as number 0.
    number = 0 if gpus == 1 and "SLURM_PROCID" in os.environ else local_rank
    if number >= gpus:
        raise ValueError(f"process {local_rank} of this host has no GPU: torch sees {gpus}")
    return torch.device("cuda", number)


@contextmanager
def processes(devices: Devices) -> Iterator[Processes]:
    """Join the processes of this training for the block, with threads and determinism set.

    A process can do so many times, all of them in the same order. Threads, determinism and torch's
    random generators are then as they were before; glibc goes on keeping freed memory.
    """
    here = rank()
    device = choose_device(devices.device, local_rank=here.local_rank)
    beside = loaders(devices, device=device)
    if device.type == "cpu":
        keep_freed_memory()
    threads, gpus = threads_each(devices.threads), [device] if device.type == "cuda" else []
    with _threads(threads), _determinism(devices.deterministic), torch.random.fork_rng(gpus):
        if device.type == "cuda":
            torch.cuda.set_device(device)
        if here.world == 1:
            yield Processes(0, 1, device, beside)
            return
        os.environ.update(rendezvous(os.environ))
        backend, gpu = ("nccl", device) if device.type == "cuda" else ("gloo", None)
        store = _store(here)
        dist.init_process_group(
            backend, store=store, rank=here.rank, world_size=here.world, device_id=gpu
        )
        try:
            log.info("process %d of %d on %s", here.rank, here.world, device)
            yield Processes(here.rank, here.world, device, beside)
        finally:
            dist.destroy_process_group()


def _store(here: Rank) -> Any:
    """Return the store in which the processes of the next training find one another.

    Its server lives until the process ends, and each training has a prefix of its own: a process
    that begins the next training early would otherwise join the store of the one before.
    """
    torch_distributed: Any = dist  # partly typed
    store, trainings = _meeting_point(os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"], here)
    return torch_distributed.PrefixStore(f"training {next(trainings)}", store)


@cache
def _meeting_point(_address: str, _port: str, here: Rank) -> tuple[Any, Iterator[int]]:
    """Return the store at an address, and the numbers of the trainings that use it."""
    torch_distributed: Any = dist
    found = torch_distributed.rendezvous("env://", rank=here.rank, world_size=here.world)
    return next(found)[0], itertools.count()


@contextmanager
def _threads(wanted: int) -> Iterator[None]:
    """Compute on so many CPU threads while the block runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(wanted)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def unsynchronised(model: nn.Module, *, last: bool) -> AbstractContextManager[None]:
    """Keep gradients local for all but the last micro-batch of an update."""
    if last or not isinstance(model, DistributedDataParallel):
        return nullcontext()
    return model.no_sync()


@contextmanager
def _determinism(wanted: bool) -> Iterator[None]:
    """Forbid kernels whose result depends on timing, while the block runs."""
    if not wanted:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    settings: Any = torch.utils.deterministic
    before, filled, searching = (
        torch.are_deterministic_algorithms_enabled(),
        settings.fill_uninitialized_memory,
        torch.backends.cudnn.benchmark,
    )
    torch.use_deterministic_algorithms(True)
    settings.fill_uninitialized_memory = False
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        settings.fill_uninitialized_memory = filled
        torch.backends.cudnn.benchmark = searching


def keep_freed_memory() -> bool:
    """Let glibc keep freed blocks of up to 32 MiB until the process ends; say whether it does.

    By default it returns every larger tensor to the system and gets it anew, zeroed page by
    page, in the next update: 5,000 page faults and a quarter of the processor time in each update
    of the laptop scale. Results do not change, nor
    hardly the peak memory. Other C libraries (musl, macOS) are left as they are.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        log.debug("this C library has no mallopt: its allocator stays as it is")
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)) and bool(
        mallopt(M_TRIM_THRESHOLD, TRIM_BYTES)
    )
