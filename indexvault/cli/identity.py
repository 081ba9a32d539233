"""Who runs the command line: the user of the operating system, and the machine."""

import os
import socket
from collections.abc import Mapping

from indexvault.snapshots.pins import Identity


def operator(environment: Mapping[str, str]) -> Identity:
    """Return the identity of whoever runs this process. The operating system tells it, not a variable, where it can."""
    try:
        import pwd  # noqa: PLC0415 - not on Windows

        user = pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        user = environment.get("USERNAME") or f"user {os.getuid() if hasattr(os, 'getuid') else 'unknown'}"
    # One person may use several machines: the user alone tells people apart.
    return Identity("operator", user, f"{user} on {socket.gethostname()}")
