"""What of the service's own words may be repeated."""

import re

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def without_quoted_values(message: str) -> str:
    """Replace what a message quotes: the service quotes values of documents, which belong in no log and no error."""
    return _QUOTED.sub("'…'", message)
