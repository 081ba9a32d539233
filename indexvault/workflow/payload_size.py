"""Keep what passes between the steps of a workflow small, whatever the shape of an index.

An engine carries each input and output as one message, of 4 MB at most by default. Source: gRPC core, maximum receive
message length.
"""

from collections.abc import Sequence

MOST_BYTES = 1024 * 1024
"""The largest input or output of an activity, in bytes of JSON."""
MOST_LIST_BYTES = 64 * 1024
"""The most that a list of texts for a person adds to a payload."""
SHOW = "indexvault show has all of them"


def listed(texts: Sequence[str], where: str) -> list[str]:
    """Return the first texts that fit into MOST_LIST_BYTES, and how many more there are.

    `where` says where to see them all.
    """
    room = MOST_LIST_BYTES
    for position, text in enumerate(texts):
        room -= len(text.encode())
        if room < 0:
            return [*texts[:position], f"and {len(texts) - position} more: {where}"]
    return list(texts)


def shortened(text: str) -> str:
    """Return a text cut to MOST_LIST_BYTES."""
    data = text.encode()
    return text if len(data) <= MOST_LIST_BYTES else data[:MOST_LIST_BYTES].decode(errors="ignore") + "…"
