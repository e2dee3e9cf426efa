"""Files that are either whole or absent (temporary file, fsync, rename, fsync of the folder), and
digests that show damage.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHECKSUM = "checksum"  # the key under which a JSON file holds the digest of all its other keys
FOLDER_CHECKSUMS = "sha256.json"
AGAIN = "delete it and run the same command again"


class DamagedFile(ValueError):
    """A file that is truncated, altered or not ours; the message names it and the remedy."""


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` and move it there, durably, when the block ends without
    an exception.

    The folder is made if missing. On an exception the temporary file is removed and `path` is left
    as it was. What a killed writer of the same path left half-written is used again, so that such
    files do not pile up.

    Raises
    ------
    OSError
        If the disk is full or cannot be written; the error names a file.
    """
    target = Path(path)
    with naming(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary, descriptor = _temporary_file(target)
        try:
            yield temporary
            sync(temporary)
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        sync(target.parent)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield a new folder beside `path`, checksum it and move it there, durably, when the block ends
    without an exception.

    The checksum file holds the digests of all others, for `require_whole`. A folder that was at
    `path` is removed. On an exception the new folder is removed and `path` is left as it was.

    Raises
    ------
    OSError
        If the disk is full or cannot be written; the error names a file.
    """
    target = Path(path)
    with naming(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary, descriptor = _temporary_folder(target)
        try:
            yield temporary
            write_checksummed(temporary / FOLDER_CHECKSUMS, {"files": _digests(temporary)})
            for below in [temporary, *temporary.rglob("*")]:
                sync(below)
            temporary.chmod(0o777 & ~_umask())
            if target.exists():
                replaced = target.with_name(f".{target.name}.replaced.tmp")
                shutil.rmtree(replaced, ignore_errors=True)
                target.rename(replaced)
                temporary.rename(target)
                shutil.rmtree(replaced)
            else:
                temporary.rename(target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        finally:
            os.close(descriptor)
        sync(target.parent)


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Give an OSError of the block that names no file, as a rule a full disk's, the name of the one
    that is being written.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        if error.errno is None:  # a library's own words
            raise OSError(f"{error}: {str(path)!r}") from error
        raise OSError(error.errno, error.strerror, str(path)) from error


def require_writable(folder: str | Path) -> None:
    """Pass if a file can be made in a folder, or, where it is missing, in the nearest one above it;
    nothing is left there.

    Raises
    ------
    OSError
        With the folder's name and the remedy.
    """
    there = Path(folder).absolute()
    while not there.exists():
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        reason = f"{error.strerror}, so nothing can be written; make it writable or work elsewhere"
        raise OSError(error.errno, reason, str(there)) from None


def require_whole(folder: str | Path) -> None:
    """Pass if a folder holds what `atomic_folder` left there, and nothing else but hidden files.

    Raises
    ------
    DamagedFile
        If a file is missing, altered or more; the message names the first of them.
    """
    folder = Path(folder)
    if not (folder / FOLDER_CHECKSUMS).is_file():
        raise DamagedFile(f"{folder} holds no {FOLDER_CHECKSUMS}: it is not whole; {AGAIN}")
    noted = read_checksummed(folder / FOLDER_CHECKSUMS)["files"]
    found = _digests(folder)
    differing = sorted(
        name for name in noted.keys() | found.keys() if noted.get(name) != found.get(name)
    )
    if differing:
        raise DamagedFile(
            f"{folder / differing[0]} is not what was written ({len(differing)} of {len(noted)}"
            f" files differ); delete the folder {folder} and run the same command again"
        )


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, whole or not at all."""
    write_bytes(path, content.encode())


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` to `path` as indented JSON, whole or not at all. NaN and infinity are refused
    (ValueError).
    """
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file; one that is sealed must be what was written.

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
    """Write an object as JSON with its own digest under the key `CHECKSUM`, whole or not at all."""
    write_json(path, {**content, CHECKSUM: checksum(content)})


def read_checksummed(path: str | Path) -> dict[str, Any]:
    """Read what `write_checksummed` wrote, without the checksum.

    Raises
    ------
    DamagedFile
        If the file is not JSON, has no checksum, or differs in anything from what was written.
    """
    content = read_json(path)
    if not isinstance(content, dict) or CHECKSUM not in content:
        raise DamagedFile(f"{path} has no {CHECKSUM}: it is damaged or not ours; {AGAIN}")
    del content[CHECKSUM]
    return content


def checksum(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an object without its checksum, as JSON gives it back: with lists for
    tuples and text for keys.
    """
    rest = {key: value for key, value in content.items() if key != CHECKSUM}
    return digest_json(json.loads(json.dumps(rest, allow_nan=False)))


def stated(path: str | Path) -> dict[str, str | int]:
    """Return the digest and the size of a file, as digest files and records state them."""
    return {"sha256": digest(path), "bytes": Path(path).stat().st_size}


def write_digest(path: str | Path, *, of: str | Path) -> None:
    """Write the digest and the size of a file into a small JSON file."""
    write_checksummed(path, {"file": Path(of).name, **stated(of)})


def require_digest(path: str | Path, *, noted: str | Path) -> str:
    """Return the SHA-256 of a file, which must be the one that `write_digest` noted.

    Raises
    ------
    DamagedFile
        If it is another, or the note is damaged.
    """
    found, known = digest(path), read_checksummed(noted)
    if (known.get("file"), known.get("sha256")) != (Path(path).name, found):
        raise DamagedFile(
            f"{path} ({Path(path).stat().st_size} bytes) is not the file that {noted} describes;"
            " delete both and run the same command again"
        )
    return found


def digest(path: str | Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_json(content: Any) -> str:
    """Return the SHA-256 of plain data, independent of the order of keys, as 64 hexadecimal digits."""
    return hashlib.sha256(
        json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    ).hexdigest()


def _temporary_file(target: Path) -> tuple[Path, int]:
    """Return an empty file beside `target` and a descriptor that keeps other writers away from it."""
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
    """Return an empty folder beside `target` and a descriptor that keeps other writers away from
    it.
    """
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
    """Lock what was opened at `path` until it is closed, and say whether it is ours; if not, close
    it.

    It is not ours if another writer holds it or has moved it away, or if the file system has no
    locks.
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
    """Return {name: digest} of the files of a folder, without its checksums and hidden ones, such
    as Snakemake's time stamp.
    """
    files = sorted(path for path in folder.rglob("[!.]*") if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: digest(path) for name, path in named.items() if name != FOLDER_CHECKSUMS}


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, durable."""
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
