"""Unpacking tar files that other people made: plain files and folders inside the target, and nothing else."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from fdsl.storage import DamagedFile

MAX_MEMBERS = 200_000
MAX_BYTES = 16 * 2**30


def unpack_tar(
    archive: Path, folder: Path, *, max_members: int = MAX_MEMBERS, max_bytes: int = MAX_BYTES
) -> None:
    """Unpack a tar file, gzipped if its name ends in `gz`, into a folder.

    Owners, modes and times of the archive are not taken over.

    Raises
    ------
    DamagedFile
        At the first member that is a link, a device, a sparse file, absolute, outside the folder or already there; when
        members or bytes exceed the limits; if the archive is truncated or not a tar file.
        What was written until then stays: unpack into a fresh folder and use it only after success.
    """
    written = 0
    try:
        with tarfile.open(archive, mode="r:gz" if archive.name.endswith("gz") else "r:") as tar:
            for count, member in enumerate(tar, start=1):
                written += member.size
                if count > max_members or written > max_bytes:
                    raise DamagedFile(
                        f"{archive} holds more than {max_members} members or {max_bytes} bytes; get it again"
                    )
                _unpack(tar, member, folder, archive)
    except (
        tarfile.TarError,
        gzip.BadGzipFile,
        EOFError,
        zlib.error,
        FileExistsError,
        NotADirectoryError,
    ) as error:
        raise DamagedFile(
            f"{archive} cannot be unpacked ({error}); remove it and get it again"
        ) from None


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, archive: Path) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise DamagedFile(
            f"{archive} holds {member.name!r}, which leaves the folder it is unpacked into; get it again"
        )
    target = folder / path
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    if not member.isreg() or member.issparse():
        raise DamagedFile(
            f"{archive} holds {member.name!r}, which is not a plain file; get it again"
        )
    content = tar.extractfile(member)
    if content is None:
        raise DamagedFile(f"{archive} holds {member.name!r} without content; get it again")
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("xb") as file:
        shutil.copyfileobj(content, file)
