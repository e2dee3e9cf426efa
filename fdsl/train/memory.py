"""Memory that one update frees stays with the process for the next."""

from __future__ import annotations

import ctypes
import logging

log = logging.getLogger(__name__)

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # names of glibc's malloc.h
MMAP_BYTES = 32 * 2**20  # the most that every glibc takes
TRIM_BYTES = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed blocks of up to 32 MiB, for the rest of the process; say whether it
    does.

    By default it hands every larger tensor back to the system and gets it anew, zeroed page by
    page, in the next update: 5,000 page faults and a quarter of the processor time in each update
    of the laptop scale. Results do not change, and the most memory that a training takes hardly
    does. Other C libraries (musl, macOS) are left as they are.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        log.debug("this C library has no mallopt: its allocator stays as it is")
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)) and bool(
        mallopt(M_TRIM_THRESHOLD, TRIM_BYTES)
    )
