"""Names in requests: what fits, fits from end to end."""

from typing import Any

import msgspec
import pytest

from indexvault.api.parameters import IndexName, IndexPattern, RunName, ServiceName, SnapshotName, SnapshotPoint

NAMES: list[tuple[Any, str]] = [
    (ServiceName, "contoso-east"),
    (IndexName, "hotels_2"),
    (IndexPattern, "!tmp-*"),
    (SnapshotPoint, "2026-11-20T02:30Z"),
    (SnapshotPoint, "yesterday"),
    (SnapshotPoint, "-2h"),
    (SnapshotPoint, "7f3a"),
    (SnapshotName, "contoso-east/hotels@20261120T023000Z-7f3a9c"),
    (SnapshotName, "contoso-east/hotels@-90min"),
    (RunName, "20261120T020000Z-policy-nightly"),
]


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_nothing_goes_before_or_after_a_name(kind: Any, name: str) -> None:
    assert msgspec.convert(name, kind) == name
    for other in (f"{name}\n", f"\n{name}", f"{name}\0", f"x/{name}", f"{name}\n{name}", ""):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(other, kind)
