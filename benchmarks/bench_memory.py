"""Memory of a process that draws for `fdsl render`, for every dataset of the catalogue at its
published sizes.

python benchmarks/bench_memory.py
"""

from __future__ import annotations

import resource
import subprocess
import sys

import fdsl
from fdsl.images.export.render_pool import samples
from fdsl.schema.catalogue import SyntheticDataset
from fdsl.schema.yaml_files import catalog, workflow_folder

CATEGORIES, INSTANCES = 4, 32


def worker(name: str) -> int:
    """Draw some images of a dataset in one worker; return the most that it held, in MB."""
    dataset = fdsl.load(name)
    drawn = (
        category * dataset.instances + instance
        for category in range(min(CATEGORIES, dataset.classes))
        for instance in range(min(INSTANCES, dataset.instances))
    )
    for _ in samples(dataset.images, drawn, workers=1, compression=1):
        pass
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 2**10


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(f"{sys.argv[1]} {worker(sys.argv[1])} MB\n")
    else:
        for name in catalog(workflow_folder(), "synthetic", SyntheticDataset):
            command = [sys.executable, __file__, name]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # may compile
            subprocess.run(command, check=True)
