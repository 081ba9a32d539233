"""How much memory a block takes at most."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

_PEAKS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


@contextlib.contextmanager
def taking_at_most(mebibytes: int) -> Iterator[None]:
    """Fail if the process holds more than so many MiB beyond those before the block, at any time in it."""
    _PEAKS.write_text("5", encoding="ascii")  # the kernel counts the peak from now on
    before = _held()
    yield
    assert _held() - before <= mebibytes << 10


def _held() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"))
    assert found
    return int(found[1])
