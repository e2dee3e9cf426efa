"""Unpack untrusted tar files: plain files and folders inside the target, and nothing else."""

from __future__ import annotations

import gzip
import os
import tarfile
from io import BufferedReader
from pathlib import Path, PurePosixPath

from fdsl.datasets.readers.integrity import UNZIP_ERRORS
from fdsl.io.storage import DamagedFile

MAX_MEMBERS = 200_000
MAX_BYTES = 16 * 2**30
LARGEST_HEADER = 2**20  # bytes before a member's content: its name, PAX, the map of a sparse file
LONGEST_NAME = 255  # bytes between two slashes
CHUNK_BYTES = 2**16
# ValueError: names with a zero, numbers of a PAX header; RecursionError: headers about headers.
TAR_ERRORS = (tarfile.TarError, FileExistsError, NotADirectoryError, ValueError, RecursionError)


def unpack_tar(
    archive: Path, folder: Path, *, max_members: int = MAX_MEMBERS, max_bytes: int = MAX_BYTES
) -> None:
    """Unpack a tar file, gzipped if its name ends in `gz`, into a folder.

    Owners, modes and times of the archive are not taken over.

    Raises
    ------
    DamagedFile
        At the first member that is a link, a device, a sparse file, absolute, outside the folder or
        already there; when members, bytes or the length of a header exceed the limits; if the
        archive is truncated or not a tar file. What was written until then stays: unpack into a
        fresh folder and use it only after success.
    """
    written = 0
    zipped = archive.name.endswith("gz")
    try:
        with gzip.open(archive) if zipped else archive.open("rb") as content:
            bounded = _Bounded(content)
            with tarfile.open(fileobj=bounded, mode="r:") as tar:  # type: ignore[call-overload]
                for count, member in enumerate(tar, start=1):
                    if member.size < 0:
                        raise ValueError(f"{member.name!r} has {member.size} bytes")
                    written += member.size
                    if count > max_members or written > max_bytes:
                        raise DamagedFile(
                            f"{archive} holds more than {max_members} members or {max_bytes} bytes;"
                            " get it again"
                        )
                    _unpack(tar, member, folder, archive, bounded)
    except DamagedFile:
        raise
    except (*UNZIP_ERRORS, *TAR_ERRORS) as error:
        raise DamagedFile(f"{archive} cannot be unpacked ({error}); get it again") from None


class _Bounded:
    """Allows `LARGEST_HEADER` bytes until `taken` is reset: tarfile keeps headers in memory."""

    def __init__(self, file: gzip.GzipFile | BufferedReader) -> None:
        self._file = file
        self.taken = 0
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes; ValueError for too many."""
        self.taken += size
        if size < 0 or self.taken > LARGEST_HEADER:
            raise ValueError(f"a header is longer than {LARGEST_HEADER} bytes")
        return self._file.read(size)


def _unpack(
    tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, archive: Path, bounded: _Bounded
) -> None:
    path = PurePosixPath(member.name)
    holds = f"{archive} holds {member.name[:80]!r}"
    if path.is_absolute() or ".." in path.parts:
        raise DamagedFile(f"{holds}, which leaves the folder it is unpacked into; get it again")
    longest = max((len(os.fsencode(part)) for part in path.parts), default=0)
    if not member.name.isprintable() or longest > LONGEST_NAME:
        raise DamagedFile(
            f"{holds}, a name that is too long or has control characters; get it again"
        )
    target = folder / path
    bounded.taken = 0
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    if not member.isreg() or member.issparse():
        raise DamagedFile(f"{holds}, which is not a plain file; get it again")
    content = tar.extractfile(member)
    if content is None:
        raise DamagedFile(f"{holds} without content; get it again")
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("xb") as file:
        while chunk := content.read(CHUNK_BYTES):
            file.write(chunk)
            bounded.taken = 0
