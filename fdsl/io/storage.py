"""Atomic, durable writes, and reads that detect damage.

A write goes to a temporary file beside the target, then fsync, rename, fsync of the folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fdsl.io.checksums import CHECKSUM, checksum, digest, digest_and_size, files_in

FOLDER_CHECKSUMS = "sha256.json"
AGAIN = "delete it and run the same command again"


class DamagedFile(ValueError):
    """A file that is truncated, altered or not ours; the message names it and the remedy."""


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block raises nothing.

    The folder is made if missing. On an exception the temporary file is removed and `path` stays as
    it was. The temporary file of a killed writer is reused, so that such files do not pile up.

    Raises
    ------
    OSError
        If the disk is full or cannot be written; the error names a file.
    """
    with _replacing(path, _temporary_file) as (temporary, target):
        yield temporary
        sync(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield a new folder beside `path`; rename it to `path` if the block raises nothing.

    A checksum file with the digests of all others is added, for `require_intact`. A folder that was
    at `path` is replaced. On an exception the new folder is removed and `path` stays as it was.

    Raises
    ------
    OSError
        If the disk is full or cannot be written; the error names a file.
    """
    with _replacing(path, _temporary_folder) as (temporary, target):
        yield temporary
        write_checksummed(temporary / FOLDER_CHECKSUMS, {"files": _digests(temporary)})
        for below in [temporary, *temporary.rglob("*")]:
            sync(below)
        temporary.chmod(0o777 & ~_umask())
        replaced = target.with_name(f".{target.name}.replaced.tmp")
        shutil.rmtree(replaced, ignore_errors=True)
        if target.exists():
            target.rename(replaced)
        temporary.rename(target)
        shutil.rmtree(replaced, ignore_errors=True)


@contextmanager
def _replacing(
    path: str | Path, make: Callable[[Path], tuple[Path, int]]
) -> Iterator[tuple[Path, Path]]:
    """Yield what `make` makes beside `path`, and `path`; remove the former if the block raises."""
    target = Path(path)
    with path_in_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary, descriptor = make(target)
        try:
            yield temporary, target
        except BaseException:
            if temporary.is_dir():
                shutil.rmtree(temporary, ignore_errors=True)
            else:
                temporary.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        sync(target.parent)


@contextmanager
def path_in_errors(path: str | Path) -> Iterator[None]:
    """Add `path` to an OSError of the block that lacks a file name (for example ENOSPC)."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        if error.errno is None:  # raised by a library with a text of its own
            raise OSError(f"{error}: {str(path)!r}") from error
        raise OSError(error.errno, error.strerror, str(path)) from error


def require_writable(folder: str | Path) -> None:
    """Check that a file can be made in a folder or, if it is missing, in its nearest parent.

    Raises
    ------
    OSError
        With the folder's name and the remedy.
    """
    existing = Path(folder).absolute()
    while not existing.exists():
        existing = existing.parent
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        reason = f"{error.strerror}, so nothing can be written; make it writable or work elsewhere"
        raise OSError(error.errno, reason, str(existing)) from None


def require_intact(folder: str | Path) -> None:
    """Check that a folder holds what `atomic_folder` wrote, and nothing else but hidden files.

    Raises
    ------
    DamagedFile
        If a file is missing, altered or added; the message names the first of them.
    """
    folder = Path(folder)
    if not (folder / FOLDER_CHECKSUMS).is_file():
        raise DamagedFile(f"{folder} holds no {FOLDER_CHECKSUMS}: it is not whole; {AGAIN}")
    written = read_checksummed(folder / FOLDER_CHECKSUMS)["files"]
    differing = sorted(dict(written.items() ^ _digests(folder).items()))
    if differing:
        raise DamagedFile(
            f"{folder / differing[0]} is not what was written ({len(differing)} of {len(written)}"
            f" files differ); delete the folder {folder} and run the same command again"
        )


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, atomically."""
    write_bytes(path, content.encode())


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` to `path` as indented JSON, atomically.

    Raises
    ------
    ValueError
        If a number is infinite or NaN.
    """
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file and verify its checksum, if it has one.

    Raises
    ------
    DamagedFile
        If the file is not JSON, or its checksum is not that of its content.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DamagedFile(f"{path} is not valid JSON ({error}); {AGAIN}") from None
    if isinstance(content, dict) and CHECKSUM in content and content[CHECKSUM] != checksum(content):
        raise DamagedFile(
            f"{path} was changed after it was written: its {CHECKSUM} differs; {AGAIN}"
        )
    return content


def write_checksummed(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write an object as JSON with its digest under the key `CHECKSUM`, atomically."""
    write_json(path, {**content, CHECKSUM: checksum(content)})


def read_checksummed(path: str | Path) -> dict[str, Any]:
    """Read what `write_checksummed` wrote, without the checksum.

    Raises
    ------
    DamagedFile
        If the file is not JSON, has no checksum, or differs from what was written.
    """
    content = read_json(path)
    if not isinstance(content, dict) or CHECKSUM not in content:
        raise DamagedFile(f"{path} has no {CHECKSUM}: it is damaged or not ours; {AGAIN}")
    del content[CHECKSUM]
    return content


def write_digest(path: str | Path, *, of: str | Path) -> None:
    """Write the digest and the size of a file into a small JSON file."""
    write_checksummed(path, {"file": Path(of).name, **digest_and_size(of)})


def require_digest(path: str | Path, *, digest_file: str | Path) -> str:
    """Return the SHA-256 of a file after comparing it with the file that `write_digest` wrote.

    Raises
    ------
    DamagedFile
        If they differ, or the digest file is damaged.
    """
    found, known = digest(path), read_checksummed(digest_file)
    if (known.get("file"), known.get("sha256")) != (Path(path).name, found):
        raise DamagedFile(
            f"{path} ({Path(path).stat().st_size} bytes) is not the file that {digest_file}"
            " describes; delete both and run the same command again"
        )
    return found


def _temporary_file(target: Path) -> tuple[Path, int]:
    """Return an empty file beside `target` and the descriptor that locks it."""
    path = target.with_name(f".{target.name}.part.tmp")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except PermissionError:  # another user's leftover, or a folder that refuses any file
        descriptor = -1
    if _claimed(descriptor, path):
        os.ftruncate(descriptor, 0)
        return path, descriptor
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    return Path(name), descriptor


def _temporary_folder(target: Path) -> tuple[Path, int]:
    """Return an empty folder beside `target` and the descriptor that locks it."""
    path = target.with_name(f".{target.name}.part.tmp")
    path.mkdir(exist_ok=True)
    descriptor = os.open(path, os.O_RDONLY)
    if _claimed(descriptor, path):
        for leftover in path.iterdir():
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        return path, descriptor
    path = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp"))
    return path, os.open(path, os.O_RDONLY)


def _claimed(descriptor: int, path: Path) -> bool:
    """Lock an open descriptor of `path` until it is closed; on failure close it, return False.

    This fails if another writer holds the lock or has moved the file away, or if the file system
    has no locks.
    """
    if descriptor < 0:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        ours = False
    if not ours:
        os.close(descriptor)
    return ours


def _digests(folder: Path) -> dict[str, str]:
    """Return {name: digest} of the files in a folder, without its checksum file and hidden ones."""
    files = files_in(folder).items()
    return {name: digest(path) for name, path in files if name != FOLDER_CHECKSUMS}


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    """Return the process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
