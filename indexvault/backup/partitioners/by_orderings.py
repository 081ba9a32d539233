"""The two ends of several orderings, for an index that nothing can split into partitions small enough.

Each ordering is read from its beginning as far as `$skip` reaches, and from its end. Whether all of them together cover
the index is only known once it has been read and its unique keys are counted.
"""

import msgspec

from indexvault.backup.index_probe import IndexProbe
from indexvault.backup.partition import Partition
from indexvault.backup.partitioners.by_field import single_valued
from indexvault.search.schema import Schema

_SORTED = frozenset({"Edm.String", "Edm.Int32", "Edm.Int64", "Edm.Double", "Edm.DateTimeOffset", "Edm.Boolean"})


def sortable_paths(schema: Schema) -> list[str]:
    """Return the paths of the fields that documents can be sorted by, the key first: it has no ties."""
    found = [
        (path, field) for path, field in single_valued(schema) if field.type in _SORTED and field.sortable is not False
    ]
    return [path for path, field in sorted(found, key=lambda entry: not entry[1].key)]


class ByOrderings:
    """Reads orderings from both ends."""

    exact = False

    def __init__(self, paths: list[str]) -> None:
        self.name = f"both ends of {', '.join(paths)}"
        self._paths = paths

    async def split(self, probe: IndexProbe, partition: Partition) -> list[Partition]:  # noqa: ARG002 - has no queries to send
        """See `Partitioner.split`."""
        return [
            msgspec.structs.replace(partition, orderby=f"{path} {direction}", partial=True)
            for path in self._paths
            for direction in ("asc", "desc")
        ]
