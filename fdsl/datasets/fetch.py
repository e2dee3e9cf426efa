"""Download a dataset: verified before it is unpacked, in place only when complete."""

from __future__ import annotations

import logging
import shutil
import tempfile
import urllib.request
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

from fdsl.datasets.downstream import MissingData, explain, locate
from fdsl.datasets.readers.extraction import unpack_tar
from fdsl.datasets.readers.integrity import md5
from fdsl.datasets.readers.location import Found, Missing, folder_of
from fdsl.io.storage import DamagedFile
from fdsl.schema.catalogue import Archive, DownstreamDataset

log = logging.getLogger(__name__)

TIMEOUT_S = 60
CHUNK_BYTES = 2**20
# URLError wraps the last two only while the connection opens.
NETWORK_ERRORS = (URLError, HTTPException, TimeoutError, ConnectionError)
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")


def fetch(entry: DownstreamDataset, data_root: str | Path) -> Found:
    """Return where a dataset is; download it first if it is missing and the licence allows it.

    An archive that already lies in `data_root` under its published name is used instead of the
    network, so that a machine without internet works too. Everything is prepared in a temporary
    folder below `data_root`; the dataset's folder appears by one rename at the end.

    Parameters
    ----------
    entry
        Of workflow/catalog/downstream.yaml.
    data_root
        Made if missing.

    Raises
    ------
    MissingData
        If it is missing and cannot be downloaded, or the download fails, or an incomplete folder is
        in the way.
    DamagedFile
        If an archive has another md5, holds unsafe members, or does not contain the dataset.
    """
    found = locate(entry, data_root)
    if isinstance(found, Found):
        return found
    target = folder_of(entry, data_root)
    if not entry.fetchable:
        raise MissingData(explain(entry, found))
    if target.exists():
        raise MissingData(f"{target} is incomplete ({found.reason}); move it away and fetch again")
    root = Path(data_root).expanduser()
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".fetch-") as folder:
        fresh = Path(folder) / "data"
        for archive in entry.archives:
            _install(archive, root, Path(folder), fresh)
        return _publish(entry, fresh, data_root)


def _install(archive: Archive, root: Path, scratch: Path, fresh: Path) -> None:
    """Verify one archive of data_root or the network and unpack or copy it below `fresh`."""
    own = root / archive.name
    path = own if own.is_file() else _download(archive, scratch / archive.name)
    if (found := md5(path)) != archive.md5:
        where = own if path == own else archive.url
        raise DamagedFile(
            f"{where} has md5 {found}, expected {archive.md5}; remove it and get {archive.name}"
            " again"
        )
    target = fresh / archive.into
    target.mkdir(parents=True, exist_ok=True)
    if archive.name.endswith(TAR_SUFFIXES):
        log.info("unpacking %s", archive.name)
        unpack_tar(path, target)
    else:
        shutil.copyfile(path, target / archive.name)
    if path != own:
        path.unlink()


def _download(archive: Archive, path: Path) -> Path:
    """Download one file; stop when it grows beyond twice its expected size."""
    limit = 2 * int(archive.megabytes or 0) * 10**6
    log.info("downloading %s (about %s MB)", archive.url, archive.megabytes)
    try:
        url = str(archive.url)
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer, path.open("wb") as file:
            while chunk := answer.read(CHUNK_BYTES):
                file.write(chunk)
                if file.tell() > limit:
                    raise DamagedFile(
                        f"{archive.url} sends more than {limit} bytes; get {archive.name} by hand"
                    )
    except NETWORK_ERRORS as error:
        raise MissingData(
            f"{archive.url} could not be downloaded ({error}); put {archive.name} (md5"
            f" {archive.md5}) into {path.parent.parent} and fetch again"
        ) from None
    return path


def _publish(entry: DownstreamDataset, fresh: Path, data_root: str | Path) -> Found:
    """Move a complete dataset into place; another process that was faster wins."""
    inside = locate(entry.model_copy(update={"also_in": []}), fresh)
    if isinstance(inside, Missing):
        raise DamagedFile(
            f"the archives of {entry.title} do not hold it: {inside.where.name}, {inside.reason}"
        )
    target = folder_of(entry, data_root)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder_of(entry, fresh).rename(target)
    except OSError:
        if isinstance(locate(entry, data_root), Missing):
            raise
    return Found(target, inside.files)
