"""Targets of the fuzzer: what a search service and a deployment answer."""

import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Self

import msgspec

from indexvault.backup.index_probe import ServiceIndexProbe
from indexvault.backup.partition import NoneOf, OneOf, Partition
from indexvault.backup.reveal_records import with_retrievable
from indexvault.cli.remote.address import Address
from indexvault.cli.remote.connection import Answer as DeploymentAnswer
from indexvault.cli.remote.deployment import Deployment
from indexvault.cli.remote.errors import error_of
from indexvault.cli.remote.follow import report_of
from indexvault.errors import (
    IndexvaultError,
    UnexpectedAnswerError,
)
from indexvault.restore.definition import target_definition, with_fields_shown
from indexvault.restore.projection import Projection, readable
from indexvault.restore.schema_changes import schema_changes
from indexvault.restore.secrets import missing_paths, needed_paths
from indexvault.restore.service.names import ORDER, Rules, renamed
from indexvault.restore.values import same_document
from indexvault.search.batch import batch, read_batch_answer, upload_action
from indexvault.search.client import SearchService
from indexvault.search.definition_content import same_content
from indexvault.search.documents import DocumentRequests
from indexvault.search.page import PageReader, UnsplitReader, document_line
from indexvault.search.query import DocumentQuery
from indexvault.search.retry import RetryPolicy
from indexvault.search.schema import read_schema
from indexvault.search.secret_scan import holds_secret, is_for_secrets, withheld_members, without_secrets
from indexvault.search.throttle import Throttle, Timer
from indexvault.search.transport import Transport
from indexvault.snapshots.chunks import key_reader
from indexvault.snapshots.field_diff import changed_fields, definition_differences
from indexvault.snapshots.manifest import Definition, VersionedDefinition
from tests.soak import fuzz_examples as examples
from tests.soak import fuzz_inputs as inputs
from tests.soak.fuzz_target import Target, json_like, wait

_ON = "fuzz"
_LINES = examples.LINES
_SCHEMA = read_schema(examples.DEFINITIONS[0], on=_ON)


class _Response:
    """What the SDK's client returns: one answer, to be read as a stream."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status_code = status
        self.headers = headers
        self._body = body

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def iter_raw(self) -> AsyncIterator[bytes]:
        yield self._body


class _Client:
    """Stands in for the SDK's client: one answer for every request."""

    def __init__(self, response: _Response) -> None:
        self._response = response

    async def send_request(self, _request: object, *, stream: bool) -> _Response:
        assert stream
        return self._response


class _Service(SearchService):
    """A service that gives one answer to whatever it is asked."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        seconds = [0.0]

        async def sleep(wait: float) -> None:
            seconds[0] += wait

        timer = Timer(lambda: seconds[0], sleep)
        client: Any = _Client(_Response(status, headers, body))
        retry, rng = RetryPolicy(attempts=2), random.Random(1)
        transport = Transport(
            _ON, client, by_key=True, retry=retry, rng=rng, throttle=Throttle(None, timer), timer=timer
        )
        self.by_key = True
        self._endpoint = "http://127.0.0.1"
        DocumentRequests.__init__(self, _ON, transport)


def _use_page(body: bytes) -> None:
    page = PageReader("HotelId").read(body, on=_ON)
    assert list(UnsplitReader("HotelId").read(body, on=_ON).documents) == page.documents
    projection = Projection(_SCHEMA, readable(_SCHEMA))
    for document in page.documents:
        assert b"\n" not in document.line
        assert PageReader("HotelId").read(b'{"value":[%s]}' % document.line, on=_ON).documents[0].key == document.key
        with contextlib.suppress(UnexpectedAnswerError):
            projection.project(document.line)
    batch(upload_action(document.line) for document in page.documents)
    for facets in page.facets.values():
        values = tuple(str(facet.value) for facet in facets)
        assert OneOf("f", values).clause or not values
        assert NoneOf("f", values, collection=True).clause


def _use_batch_answer(body: bytes) -> None:
    for result in read_batch_answer(body, on=_ON).results.values():
        assert len(result.error_message or "") <= 300


def _draw_answer(rng: random.Random) -> tuple[int, dict[str, str], bytes]:
    status = rng.choice((200, 200, 200, 200, 200, 400, 403, 404, 409, 413, 429, 500, 503, 302, 999))
    given = rng.choice((examples.PAGES, examples.STATISTICS, examples.ALIASES, examples.LISTS, examples.DEFINITIONS))
    body = json_like(given if status == 200 else examples.ERRORS)(rng)
    if rng.random() < 0.1:
        body = inputs.damaged_text(rng, ["239", "\ufeff17"]).encode()
    return status, inputs.damaged_mapping(rng, [{"etag": '"1"', "retry-after": "3"}]), body


async def _ask(service: SearchService) -> None:
    ask: Callable[[], Awaitable[Any]]
    reader = PageReader("HotelId")
    fields = dict(_SCHEMA.walk())
    probe = ServiceIndexProbe(service, "hotels", "HotelId")
    partition = Partition()
    for ask in (
        lambda: service.count("hotels"),
        lambda: service.count_found("hotels", DocumentQuery(), reader),
        lambda: service.documents("hotels", DocumentQuery(), reader),
        lambda: service.document("hotels", "1"),
        lambda: service.index_documents("hotels", b"{}"),
        service.index_names,
        lambda: service.index_definition("hotels"),
        lambda: service.index_statistics("hotels"),
        service.service_statistics,
        service.knows_preview,
        lambda: service.definitions("skillsets"),
        lambda: service.alias("live"),
        service.aliases,
        lambda: probe.value_at(partition, "Rating", fields["Rating"], 1),
        lambda: probe.value_at(partition, "Address/City", fields["Address/City"], 1),
        lambda: probe.facets(partition, "Tags", 5),
    ):
        with contextlib.suppress(IndexvaultError):
            await ask()


def _use_answer(answer: tuple[int, dict[str, str], bytes]) -> None:
    wait(_ask(_Service(*answer)))


def _use_definition(body: bytes) -> None:
    """Do with a definition what a backup and a restore do, once it has been read as one."""
    fetched = wait(_Service(200, {}, body).index_definition("hotels")).body
    schema = read_schema(fetched, on=_ON)
    assert schema.no_key_order_reason is None or schema.no_key_order_reason
    schema.synonym_map_names()
    stripped = without_secrets(fetched)
    assert not holds_secret(stripped)
    for path in withheld_members(stripped):
        is_for_secrets(path)
    missing_paths(stripped)
    needed_paths(stripped)
    definition = Definition(stable=VersionedDefinition("2026-04-01", stripped))
    target = target_definition(definition, "inns")
    with_fields_shown(target)
    assert same_content(fetched, target.body) or stripped != fetched
    definition_differences(
        definition, Definition(VersionedDefinition("2026-04-01", msgspec.Raw(examples.DEFINITIONS[0])))
    )
    schema_changes(schema, _SCHEMA)
    with_retrievable(bytes(stripped), ["Rooms/Type"], retrievable=True)


def _use_objects(body: bytes) -> None:
    for each in wait(_Service(200, {}, body).definitions("skillsets")):
        stripped = without_secrets(each.body)
        assert not holds_secret(stripped)
        for kind in ORDER:
            renamed(kind, stripped, Rules(["*=dr-*"]), "x")


def _use_secrets(text: bytes) -> None:
    stripped = without_secrets(wait(_Service(200, {}, text).definition("skillsets", "x")).body)
    assert not holds_secret(stripped)


def _draw_lines(rng: random.Random) -> tuple[bytes, bytes]:
    """Return two documents of which one is damaged, each a JSON object with its key, on one line."""
    line = inputs.damaged_json(rng, _LINES).replace(b"\n", b" ").replace(b"\r", b" ")
    return line, rng.choice(_LINES)


def _use_lines(given: tuple[bytes, bytes]) -> None:
    line, other = given
    # A document is what a page or a folder let through.
    page = PageReader("HotelId").read(b'{"value":[%s]}' % line, on=_ON)
    for document in page.documents:
        key_reader("HotelId")(document.line)
        same_document(document.line, other, _SCHEMA)
        same_document(other, document.line, _SCHEMA)
        changed_fields(document.line, other)
        Projection(_SCHEMA, readable(_SCHEMA)).project(document.line)
        document_line(document.line)


def _draw_deployment(rng: random.Random) -> tuple[int, bytes]:
    from indexvault.api.run_views import RunList, RunView  # noqa: PLC0415 - only this target needs them
    from indexvault.api.snapshot_views import SnapshotView  # noqa: PLC0415 - the same

    status = rng.choice((200, 200, 200, 202, 301, 401, 403, 404, 409, 422, 429, 500, 503, 777))
    if status < 300:
        return status, inputs.damaged_json(
            rng, [examples.example_of(rng.choice((RunView, RunList, SnapshotView)), rng)]
        )
    return status, json_like(examples.ERRORS)(rng)


def _use_deployment(given: tuple[int, bytes]) -> None:
    from indexvault.api.run_views import RunList, RunView  # noqa: PLC0415 - only this target needs them
    from indexvault.api.snapshot_views import SnapshotList, SnapshotView  # noqa: PLC0415 - the same
    from indexvault.restore.report import RestoreReport  # noqa: PLC0415 - the same

    status, data = given
    str(error_of(status, data, _ON))
    deployment = Deployment(Address("https://x.example", "k"), rng=random.Random(1))
    for kind in (RunView, RunList, SnapshotView, SnapshotList):
        with contextlib.suppress(IndexvaultError):
            reply = deployment._decode(DeploymentAnswer("GET x", status, data, None), kind)
            if isinstance(reply.content, RunView):
                report_of(reply.content, RestoreReport)


ANSWERS: tuple[Target, ...] = (
    Target(name="page", draw=json_like(examples.PAGES), use=_use_page, raises=(UnexpectedAnswerError,)),
    Target(
        name="batch-answer",
        draw=json_like(examples.BATCH_ANSWERS),
        use=_use_batch_answer,
        raises=(UnexpectedAnswerError,),
    ),
    Target(name="answer", draw=_draw_answer, use=_use_answer, raises=(IndexvaultError,)),
    Target(name="definition", draw=json_like(examples.DEFINITIONS), use=_use_definition, raises=(IndexvaultError,)),
    Target(name="definitions", draw=json_like(examples.LISTS), use=_use_objects, raises=(IndexvaultError,)),
    Target(name="secrets", draw=json_like(examples.DEFINITIONS), use=_use_secrets, raises=(IndexvaultError,)),
    Target(name="document", draw=_draw_lines, use=_use_lines, raises=(IndexvaultError,)),
    Target(name="deployment", draw=_draw_deployment, use=_use_deployment, raises=(IndexvaultError,)),
)
