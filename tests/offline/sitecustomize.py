"""Refuses the network to a Python process and to those that it starts, and writes down who asked
for it.

Python imports this by itself where its folder is on PYTHONPATH. The hook sees every socket of
Python, whatever library uses it, and no code can remove it. Sockets of one machine (Unix, loopback)
stay. What other languages open is not seen: `tests/test_offline.py` takes the network away
altogether, where it may.
"""

import os
import socket
import sys
import traceback

LOG = "FDSL_TEST_NETWORK_LOG"  # a file that a line is added to for each attempt
ASKS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}
SENDS = {"socket.connect", "socket.sendto", "socket.sendmsg"}


class NetworkRefused(OSError):
    """Something tried to reach another machine."""


def _is_here(host):
    if isinstance(host, bytes):
        host = host.decode()
    return host in {
        None,
        "",
        "localhost",
        "0.0.0.0",
        "::",
        "::1",
        socket.gethostname(),
    } or host.startswith("127.")


def _watch(event, arguments):
    if event in ASKS:
        where = arguments[0]
    elif (
        event in SENDS and arguments[0].family != socket.AF_UNIX and isinstance(arguments[1], tuple)
    ):
        where = arguments[1][0]
    else:
        return
    if _is_here(where):
        return
    if LOG in os.environ:
        with open(os.environ[LOG], "a", encoding="utf-8") as log:  # noqa: PTH123  (pathlib would be loaded by every process)
            log.write(
                f"{event} {where!r} by"
                f" {sys.argv[:4]}\n{''.join(traceback.format_stack(limit=12))}\n"
            )
    raise NetworkRefused(f"the network is off in tests: {event} {where!r}")


sys.addaudithook(_watch)
