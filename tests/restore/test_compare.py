from collections.abc import AsyncIterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import VerificationError
from restore.compare import MOST_NAMED, compare
from restore.definition import holds_redacted_secrets, same_definition, target_definition
from restore.job import Difference, RestoreJob, StretchCompared
from restore.plan import STRETCH_BYTES, STRETCH_DOCUMENTS, stretches
from restore.workflow import require_equal
from search.schema import Field, Schema
from snapshots.chunks import Chunk
from snapshots.manifest import Definition, VersionedDefinition

SCHEMA = Schema(name="x", fields=(Field("id", "Edm.String", key=True), Field("n", "Edm.Double")))
KEYS = st.text("abcd", min_size=1, max_size=3)
SIDES = st.dictionaries(KEYS, st.sampled_from(["1", "1.0", "2"]), max_size=12)


async def side(documents: dict[str, str]) -> AsyncIterator[tuple[str, bytes]]:
    for key in sorted(documents):
        yield key, f'{{"id":"{key}","n":{documents[key]}}}'.encode()


@given(stored=SIDES, restored=SIDES)
async def test_every_document_of_either_side_is_judged_once(stored: dict[str, str], restored: dict[str, str]) -> None:
    found = await compare(side(stored), side(restored), SCHEMA)
    both = stored.keys() & restored.keys()
    assert found.identical == sum(stored[key] == restored[key] for key in both)
    assert found.equal == sum(
        stored[key] != restored[key] and {stored[key], restored[key]} <= {"1", "1.0"} for key in both
    )
    assert found.missing == len(stored.keys() - restored.keys())
    assert found.extra == len(restored.keys() - stored.keys())
    assert found.identical + found.equal + found.different == len(both)
    named = {difference.key: difference.kind for difference in found.differences}
    assert {key for key, kind in named.items() if kind == "missing"} == stored.keys() - restored.keys()
    assert {key for key, kind in named.items() if kind == "extra"} == restored.keys() - stored.keys()
    assert len(named) == found.different + found.missing + found.extra


async def test_so_many_differences_are_named_and_all_are_counted() -> None:
    found = await compare(side({f"{n:04}": "1" for n in range(300)}), side({}), SCHEMA)
    assert (found.missing, len(found.differences)) == (300, MOST_NAMED)


JOB = RestoreJob(service="a", index="i", snapshot="s", target_service="b", target_index="j", run="r")


def test_a_difference_fails_the_restore_and_is_named() -> None:
    good = StretchCompared(identical=3, equal=1, different=0, missing=0, extra=0, differences=[])
    bad = StretchCompared(
        identical=0, equal=0, different=1, missing=1, extra=0, differences=[Difference("k1", "different")]
    )
    require_equal(JOB, [good, good])
    with pytest.raises(
        VerificationError, match=r"1 documents differ, 1 are missing, 0 extra \(first: 'k1' different\)"
    ):
        require_equal(JOB, [good, bad])


def chunk(documents: int, size: int) -> Chunk:
    return Chunk(sha256="0" * 64, first="a", last="b", documents=documents, bytes=size, stored=1)


@given(st.lists(st.tuples(st.integers(1, 4000), st.integers(1, 4 * 1024 * 1024)), max_size=60))
def test_stretches_cover_every_chunk_once_and_stay_small(sizes: list[tuple[int, int]]) -> None:
    chunks = [chunk(documents, size) for documents, size in sizes]
    cut = stretches(chunks)
    assert [position for start, end in cut for position in range(start, end)] == list(range(len(chunks)))
    assert cut[0][0] == 0
    for start, end in cut:
        assert sum(each.documents for each in chunks[start : end - 1]) < STRETCH_DOCUMENTS
        assert sum(each.bytes for each in chunks[start : end - 1]) < STRETCH_BYTES


def test_an_empty_snapshot_has_one_empty_stretch() -> None:
    assert stretches([]) == [(0, 0)]


def definition(stable: str, preview: str | None = None) -> Definition:
    return Definition(
        stable=VersionedDefinition(api_version="2026-04-01", body=msgspec.Raw(stable.encode())),
        preview=None
        if preview is None
        else VersionedDefinition(api_version="2026-08-01-preview", body=msgspec.Raw(preview.encode())),
    )


def test_a_target_gets_the_definition_as_it_was_but_for_its_name() -> None:
    stable = '{"@odata.context":"c","@odata.etag":"e","name":"a","fields":[ {"x":1.50} ],"later":{"y":[]}}'
    made = target_definition(definition(stable, stable.replace('"c"', '"d"')), "b")
    assert made.body == b'{"name":"b","fields":[ {"x":1.50} ],"later":{"y":[]}}'
    assert not made.preview


def test_what_only_the_preview_knows_is_created_with_the_preview() -> None:
    made = target_definition(definition('{"name":"a","fields":[]}', '{"name":"a","fields":[],"new":{"n":1}}'), "b")
    assert made.body == b'{"name":"b","fields":[],"new":{"n":1}}'
    assert made.preview


def test_a_preview_that_only_adds_empty_members_is_not_needed() -> None:
    assert not target_definition(definition('{"name":"a"}', '{"name":"a","new":null,"newer":[]}'), "b").preview


def test_definitions_are_the_same_whatever_their_etag_and_name() -> None:
    one = definition('{"@odata.etag":"1","name":"a","rules":"x"}').stable
    other = definition('{"name":"b", "rules":"x","@odata.etag":"2"}').stable
    assert same_definition(one, other)
    assert not same_definition(one, definition('{"name":"a","rules":"y"}').stable)
    assert holds_redacted_secrets(b'{"apiKey":"<redacted>"}')
