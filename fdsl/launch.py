"""How the command line of a training begins: Python alone, or torchrun with a process for each device."""

from __future__ import annotations

MAX_PROCESSES = 1024
PATIENCE_S = 600  # for the last update and its checkpoint after SIGTERM; torchrun alone would kill after 30 s


def launcher(processes: int) -> str:
    """Return what stands before a verb of `fdsl` in a shell command.

    The processes share one training on one host: torchrun tells them their ranks and finds a free port by itself. SIGTERM to
    torchrun reaches all of them; they finish the update, save and leave. torchrun then ends with a code of its own, not
    with 85, and the next attempt goes on all the same.

    Parameters
    ----------
    processes
        1 … 1024.

    Raises
    ------
    ValueError
        If the number is out of range.
    """
    if not 1 <= processes <= MAX_PROCESSES:
        raise ValueError(f"processes = {processes} is out of range: use 1 to {MAX_PROCESSES}")
    if processes == 1:
        return "python -m fdsl"
    torchrun = f"python -m torch.distributed.run --standalone --nproc-per-node {processes}"
    return f"TORCH_ELASTIC_SHUTDOWN_TIMEOUT={PATIENCE_S} {torchrun} -m fdsl"
