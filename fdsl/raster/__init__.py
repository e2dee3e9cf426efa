"""Compiled kernels, without policy: they take arrays and a generator state and fill an array.

Every kernel has one explicit signature and is kept compiled on disk. numba notices a change in the
file of a kernel, but not in the files of the functions that it calls, and its index can mix up two
entries that two processes add at once. So the cache folder is named by a digest of all files here,
of numba and of the processor: an edit starts an empty folder, and all who share a folder write the
same bytes, one entry per kernel, each by an atomic rename.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numba
from llvmlite import binding

Function = Callable[..., Any]  # typed by its numba signature, or by its callers
config: Any = numba.config
_LOCK = threading.Lock()

# Functions that are called from inside kernels: compiled into each of them, never on their own.
inlined = cast("Callable[[Function], Function]", numba.njit(nogil=True, error_model="numpy"))


def kernel(signature: str) -> Callable[[Function], Function]:
    """Compile a function for one signature, in numba's notation, or load it from disk."""

    def compiled(function: Function) -> Function:
        with _LOCK:
            before, config.CACHE_DIR = config.CACHE_DIR, str(CACHE_FOLDER)
            try:
                jit = numba.njit(signature, nogil=True, cache=True, error_model="numpy")
                return cast("Function", jit(function))
            finally:
                config.CACHE_DIR = before

    return compiled


def cache_folder() -> Path:
    """Return the folder of the compiled kernels, made if missing.

    It is below NUMBA_CACHE_DIR, else XDG_CACHE_HOME/fdsl, else ~/.cache/fdsl; if that cannot be
    written, it is a temporary folder that only this user can read.
    """
    key = cache_key()
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        return _made(Path(chosen) / f"fdsl-{key}")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - works without a home
    try:
        return _made(Path(base) / "fdsl" / f"kernels-{key}")
    except OSError:
        return _private(f"fdsl-{os.getuid()}-{key}")


def cache_key() -> str:
    """Return a digest of all that decides the machine code: these sources, numba, the processor."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    processor = binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()
    digest.update("\0".join((numba.__version__, *processor)).encode())
    return digest.hexdigest()[:16]


def _made(folder: Path) -> Path:
    """Make `folder` and check that it can be written."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        return folder


def _private(name: str) -> Path:
    """Return a temporary folder that no other user can write, because code is loaded from it.

    Processes of one user share it where possible.
    """
    folder = Path(tempfile.gettempdir()) / name
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    if folder.is_symlink() or about.st_uid != os.getuid() or about.st_mode & 0o077:
        return Path(tempfile.mkdtemp(prefix="fdsl-"))
    return folder


CACHE_FOLDER = cache_folder()
