"""Values and definitions that are not of the form they should have."""

from typing import Any

import pytest
from aiohttp import web

from indexvault.backup.index_probe import ServiceIndexProbe
from indexvault.backup.partition import Partition
from indexvault.backup.reveal_records import with_retrievable
from indexvault.errors import IntegrityError, UnexpectedAnswerError
from indexvault.search.schema import Field
from tests.scripted import Scripted, scripted

__all__ = ["scripted"]


@pytest.mark.parametrize(
    ("value", "path"),
    [('"x"', "Rating"), ("[]", "Rating"), ("1" + "0" * 400, "Rating"), ('{"a":1}', "Rating"), ("1", "Rating/Inner")],
)
async def test_a_value_of_another_type(scripted: Scripted, value: str, path: str) -> None:
    body = f'{{"value":[{{"id":"1","Rating":{value}}}]}}'
    scripted.replies = [lambda _request: web.Response(text=body, content_type="application/json")]
    probe = ServiceIndexProbe(scripted.service, "hotels", "id")
    with pytest.raises(UnexpectedAnswerError):
        await probe.value_at(Partition(), path, Field("Rating", "Edm.Double"), 1)


@pytest.mark.parametrize(
    "definition", [b"{}", b"[]", b'{"fields":[{}]}', b'{"fields":[{"name":"\xff"}]}', b'{"fields":1}']
)
def test_what_is_no_definition_can_not_be_revealed(definition: bytes) -> None:
    changed: Any = None
    with pytest.raises(IntegrityError):
        changed = with_retrievable(definition, ["a"], retrievable=True)
    assert changed is None
