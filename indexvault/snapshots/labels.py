"""What people write on a snapshot as it is made: a description, tags, and until when it is wanted.

Tags have the characters that tags of Azure resources and blobs have, so that they fit into metadata, command lines and
queries as they are. Source: Manage and find Azure Blob data with blob index tags, limits, 2026-09.
"""

import fnmatch
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import parse_qsl, quote, urlencode

import msgspec

from indexvault.errors import SettingsError

MOST_TAGS = 10
TAG_NAME_LENGTH = 40
TAG_VALUE_LENGTH = 100
DESCRIPTION_LENGTH = 200
SHORTEST_EXPIRY = timedelta(hours=1)
LONGEST_EXPIRY = timedelta(days=36525)
"""A century: also what keeps a date within the calendar."""

TAG_NAME = f"[A-Za-z0-9_][A-Za-z0-9_.:/+-]{{0,{TAG_NAME_LENGTH - 1}}}"
"""Regular expression for the name of a tag, from end to end."""
TAG_VALUE = f"([A-Za-z0-9_.:/+=-]([A-Za-z0-9_.:/+= -]{{0,{TAG_VALUE_LENGTH - 2}}}[A-Za-z0-9_.:/+=-])?)?"
"""Regular expression for the value of a tag, from end to end."""
TAG_FILTER = f"{TAG_NAME}(=[A-Za-z0-9_.:/+=* -]{{0,{TAG_VALUE_LENGTH}}})?"
"""Regular expression for `NAME`, `NAME=VALUE` or `NAME=PAT*`, from end to end."""

type Tags = Annotated[dict[str, str], msgspec.Meta(max_length=MOST_TAGS)]
type Description = Annotated[str, msgspec.Meta(max_length=DESCRIPTION_LENGTH)]


class Labels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a snapshot is to carry; `expires` is a time after it was made."""

    description: Description = ""
    tags: Tags = {}
    expires: timedelta | None = None

    def expiry(self, created: datetime) -> datetime | None:
        """Return until when a snapshot made at a time is wanted, None for always."""
        return None if self.expires is None else created + self.expires


NO_LABELS = Labels()


def check_labels(labels: Labels, on: str) -> None:
    """Raise SettingsError for labels that a snapshot can't carry. `on` is what they are members of."""
    for name, value in labels.tags.items():
        if not re.fullmatch(TAG_NAME, name) or not re.fullmatch(TAG_VALUE, value):
            raise SettingsError(
                f"expected a tag of letters, digits and _ . : / + - (in its value also = and inner blanks), its name at"
                f" most {TAG_NAME_LENGTH} characters long, its value {TAG_VALUE_LENGTH}",
                on=f"{on}.tags",
                do='Write it as "release": "4.2"',
            )
    if len(labels.tags) > MOST_TAGS:
        raise SettingsError(f"expected {MOST_TAGS} tags at most", on=f"{on}.tags", do="Leave some out")
    if len(labels.description) > DESCRIPTION_LENGTH or not labels.description.isprintable():
        raise SettingsError(
            f"expected one line of {DESCRIPTION_LENGTH} characters at most", on=f"{on}.description", do="Shorten it"
        )
    if labels.expires is not None and not SHORTEST_EXPIRY <= labels.expires <= LONGEST_EXPIRY:
        raise SettingsError("expected an hour or more, such as P30D", on=f"{on}.expires", do="Correct the duration")


def parse_tag(text: str, on: str) -> tuple[str, str]:
    """Return name and value of NAME=VALUE, or of NAME alone. Raises SettingsError for what is no tag."""
    name, _equals, value = text.partition("=")
    check_labels(Labels(tags={name: value}), on)
    return name, value


def check_tag_filter(text: str, on: str) -> None:
    """Raise SettingsError for what is no NAME, NAME=VALUE or NAME=PAT*."""
    if not re.fullmatch(TAG_FILTER, text):
        raise SettingsError(
            "expected the name of a tag, or NAME=VALUE, where * in the value stands for any characters",
            on=on,
            do='Write it as "release" or "release=4.*"',
        )


def has_tag(tags: Mapping[str, str], wanted: str) -> bool:
    """Return whether there is a tag of this name and, if one is given, value; `*` in it stands for any characters."""
    name, equals, pattern = wanted.partition("=")
    if name not in tags:
        return False
    # fnmatch translates stars without backtracking. Filters hold no other wildcard.
    return not equals or re.fullmatch(fnmatch.translate(pattern), tags[name]) is not None


def has_tags(tags: Mapping[str, str], wanted: Iterable[str]) -> bool:
    """Return whether there are all of the wanted tags."""
    return all(has_tag(tags, each) for each in wanted)


def tags_in_words(tags: Mapping[str, str]) -> str:
    """Return tags as a person writes them, by name."""
    return ", ".join(f"{name}={value}" if value else name for name, value in sorted(tags.items()))


def encode_tags(tags: Mapping[str, str]) -> str:
    """Return tags as one ASCII text, for metadata."""
    return urlencode(sorted(tags.items()), quote_via=quote)


def decode_tags(text: str) -> dict[str, str]:
    """Return the tags in a text of `encode_tags`. Raises ValueError for any other text."""
    tags = dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=MOST_TAGS))
    try:
        check_labels(Labels(tags=tags), "metadata")
    except SettingsError as error:
        raise ValueError(error.what) from None
    return tags


def encode_description(text: str) -> str:
    """Return a description as ASCII text without blanks at its ends, for metadata."""
    return quote(text, safe="")
