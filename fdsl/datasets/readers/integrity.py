"""MD5 digests of published files, checked before anything parses them."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from pathlib import Path

from fdsl.io.storage import DamagedFile
from fdsl.schema.catalogue import DownstreamDataset

LARGEST_UNZIPPED_BYTES = 256 * 2**20
UNZIP_ERRORS = (gzip.BadGzipFile, EOFError, zlib.error)


def md5(path: Path) -> str:
    """Return the MD5 of a file as 32 hexadecimal digits; datasets publish no better digest."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def content_md5(path: Path) -> str:
    """Return the MD5 of a file's content, gunzipped where its name ends in `.gz`."""
    if path.suffix != ".gz":
        return md5(path)
    return hashlib.md5(_gunzipped(path), usedforsecurity=False).hexdigest()


def content(entry: DownstreamDataset, folder: Path, name: str) -> bytes:
    """Return the bytes of a list or batch, gunzipped if it ends in `.gz`, once its digest matches.

    Raises
    ------
    DamagedFile
        If the file is missing, cannot be unzipped, or has another digest than `entry.files` says.
    """
    path = folder / name
    data = _gunzipped(path) if path.suffix == ".gz" else _read(path)
    expected = entry.files.get(name.removesuffix(".gz"))
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if expected is not None and found != expected:
        raise DamagedFile(
            f"{path} has md5 {found}, expected {expected}: it is damaged or not the published file."
            f" Remove it and get {entry.title} again. {entry.how_to_get}"
        )
    return data


def text_lines(entry: DownstreamDataset, folder: Path, name: str) -> list[str]:
    """Return the stripped non-empty lines of a checked UTF-8 text file.

    Raises
    ------
    DamagedFile
        As `content`, and if it is not UTF-8.
    """
    try:
        text = content(entry, folder, name).decode()
    except UnicodeDecodeError as error:
        raise DamagedFile(f"{folder / name} is not UTF-8 ({error}); get it again") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DamagedFile(f"{path} is missing; unpack the dataset's archive again") from None


def _gunzipped(path: Path) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(_read(path))) as file:
            data = file.read(LARGEST_UNZIPPED_BYTES + 1)
    except UNZIP_ERRORS as error:
        raise DamagedFile(f"{path} cannot be unzipped ({error}); get the file again") from None
    if len(data) > LARGEST_UNZIPPED_BYTES:
        raise DamagedFile(
            f"{path} unzips to more than {LARGEST_UNZIPPED_BYTES} bytes: get it again"
        )
    return data
