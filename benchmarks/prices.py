"""What operations and storage cost in US dollars, from a list of prices.

The prices are those of the hot tier in the table of sample prices of "Estimate the cost of using Azure Blob Storage"
(Microsoft Learn, 2024-07-26), which says that they are examples; an operator's own are on "Azure Blob Storage pricing".
The types of operations are those of general-purpose v2 accounts in "Map each REST operation to a price" (Microsoft
Learn, 2025-05-14).
"""

from collections import Counter
from collections.abc import Mapping
from typing import Literal

type Kind = Literal["write", "read", "list", "other", "free"]

PER_10_000: Mapping[Kind, float] = {"write": 0.055, "read": 0.0044, "list": 0.055, "other": 0.0044, "free": 0.0}
PER_GB_MONTH = 0.0208
_KINDS: Mapping[str, Kind] = {
    "PutBlob": "write",
    "PutBlock": "write",
    "PutBlockList": "write",
    "GetBlob": "read",
    "ListBlobs": "list",
    "CreateContainer": "list",
    "DeleteBlob": "free",
    "GetBlobProperties": "other",
    "GetContainerProperties": "other",
    "AcquireBlobLease": "other",
    "RenewBlobLease": "other",
    "ReleaseBlobLease": "other",
    "BreakBlobLease": "other",
}


def by_kind(operations: Mapping[str, int]) -> Counter[Kind]:
    """Return the operations by how they are priced. Raises KeyError for one that is not in the list."""
    found = Counter[Kind]()
    for name, number in operations.items():
        found[_KINDS[name]] += number
    return found


def price_of_operations(operations: Mapping[str, int]) -> float:
    """Return the price of operations in US dollars."""
    return sum(PER_10_000[kind] * number / 10_000 for kind, number in by_kind(operations).items())


def price_of_storage(size: int) -> float:
    """Return the price of storing so many bytes for a month in US dollars. A GB of the price list is 2**30 bytes."""
    return PER_GB_MONTH * size / 2**30
