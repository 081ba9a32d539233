"""`POST /histories`: one document through the snapshots of its index.

A POST, though it changes nothing: the key of a document has no place in an address, which every proxy logs.
"""

from typing import Annotated, Literal

import msgspec

from indexvault.api.endpoint import Call, DocumentedAnswer, Endpoint, Nothing, Reply
from indexvault.api.parameters import IndexName, ServiceName
from indexvault.errors import OversizedAnswerError
from indexvault.snapshots.history import Event, History, find_key
from indexvault.snapshots.summary import Summary

MOST_DOCUMENT_BYTES = 32 * 1024 * 1024
"""Bytes of all versions of a document that are shown at once."""


class HistoryRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which document to follow; `show` asks for its versions."""

    service: ServiceName
    index: IndexName
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=1024, description="The key of a document.")]
    show: bool = False


class EventView(msgspec.Struct, frozen=True):
    """A difference between a document in a snapshot and in the snapshot before.

    `document` is the document as the snapshot holds it, as a text of JSON, if it was asked for.
    """

    kind: Literal["appeared", "changed", "vanished", "unreadable"]
    snapshot: Summary
    detail: str
    document: str | None = None


class HistoryView(msgspec.Struct, frozen=True):
    """The events of a document, the oldest first, and the numbers of snapshots and chunks that were read."""

    events: list[EventView]
    snapshots: int
    chunks_read: int


async def find(call: Call[HistoryRequest, Nothing, Nothing]) -> Reply:
    """Follow one document. Raises NotFoundError if the index has no snapshot."""
    asked = call.body
    blobs = call.resources.clients.reading_store(asked.service).snapshots
    history = await find_key(blobs, asked.service, asked.index, asked.key)
    if asked.show and sum(len(event.line or b"") for event in history.events) > MOST_DOCUMENT_BYTES:
        raise OversizedAnswerError(
            f"the versions of this document have more than {MOST_DOCUMENT_BYTES:,} bytes",
            on=f"{asked.service}/{asked.index}",
            do="Ask without show, and restore the document from one of the snapshots",
        )
    return Reply(200, view_history(history, show=asked.show))


def view_history(history: History, *, show: bool) -> HistoryView:
    """Return the view of a document's history."""
    events = [
        EventView(
            event.kind,
            event.snapshot,
            event.detail,
            event.line.decode() if show and event.line is not None else None,
        )
        for event in history.events
    ]
    return HistoryView(events, history.snapshots, history.chunks_read)


def history_of(view: HistoryView) -> History:
    """Return the history behind a view."""
    events = [
        Event(each.kind, each.snapshot, None if each.document is None else each.document.encode(), each.detail)
        for each in view.events
    ]
    return History(tuple(events), view.snapshots, view.chunks_read)


ENDPOINTS = (
    Endpoint(
        name="find_document",
        method="POST",
        route="histories",
        summary="Follow one document through the snapshots of its index",
        handle=find,
        body=HistoryRequest,
        answers={
            200: DocumentedAnswer(
                "Where it appeared, changed and vanished: nothing if no snapshot has it.", HistoryView
            )
        },
    ),
)
