import random
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import batched

import msgspec
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from indexvault.errors import OverloadedError, QuotaError, UnexpectedAnswerError
from indexvault.restore.batches import BATCH_BYTES, Action, Batch, batches, halves, joined, only, pieces
from indexvault.restore.upload import MOST_REFUSED, QUOTA_ROUNDS, Uploader
from indexvault.search.batch import MOST_ACTIONS, MOST_BYTES, UPLOAD, batch, upload_action
from indexvault.search.retry import RetryPolicy
from tests.scripted import Scripted

type Judge = Callable[[str, int], int]
"""Returns the status of a document from its key and how often it was sent."""


class Indexer:
    """Answers batches as a service does, by a judge; a status of 0 spoils the whole request."""

    def __init__(self, judge: Judge, *, most_actions: int = MOST_ACTIONS, reason: str | None = None) -> None:
        self.judge = judge
        self.most_actions = most_actions
        self.reason = reason
        self.seen: dict[str, int] = {}
        self.stored: dict[str, dict[str, object]] = {}

    def __call__(self, body: bytes) -> web.Response:
        actions = msgspec.json.decode(body)["value"]
        if len(actions) > self.most_actions:
            return web.Response(status=413)
        for action in actions:
            self.seen[action["id"]] = self.seen.get(action["id"], 0) + 1
        statuses = {action["id"]: self.judge(action["id"], self.seen[action["id"]]) for action in actions}
        if 0 in statuses.values():
            return web.json_response({"error": {"code": "", "message": "malformed 'secret'"}}, status=400)
        for action in actions:
            if statuses[action["id"]] < 300:
                assert action.pop("@search.action") == "upload"
                self.stored[action["id"]] = action
        items = [
            {"key": key, "status": status < 300, "statusCode": status, "errorMessage": self.reason}
            for key, status in reversed(statuses.items())
        ]
        return web.json_response({"value": items}, status=200 if all(s < 300 for s in statuses.values()) else 207)


def uploader(scripted: Scripted, indexer: Indexer, *, most_refused: int | None = MOST_REFUSED) -> Uploader:
    scripted.replies = [lambda _request: indexer(scripted.requests[-1][3])]

    async def sleep(seconds: float) -> None:
        scripted.slept.append(seconds)

    return Uploader(
        scripted.service,
        "hotels",
        rng=random.Random(3),
        retry=RetryPolicy(attempts=4, first_wait=1),
        sleep=sleep,
        most_refused=most_refused,
    )


async def documents(count: int, *, size: int = 0) -> AsyncIterator[list[tuple[str, bytes]]]:
    for number in range(count):
        yield [(f"k{number:05}", upload_action(msgspec.json.encode({"id": f"k{number:05}", "text": "x" * size})))]


async def test_every_document_is_stored_once_and_counted(scripted: Scripted) -> None:
    indexer = Indexer(lambda _key, _times: 201)
    loaded = await uploader(scripted, indexer).upload(documents(2500))
    assert (loaded.documents, loaded.requests) == (2500, 3)
    assert indexer.stored["k00007"] == {"id": "k00007", "text": ""}
    assert set(indexer.seen.values()) == {1}


@pytest.mark.parametrize("status", [409, 422, 503])
async def test_only_what_was_put_off_is_sent_again(scripted: Scripted, status: int) -> None:
    indexer = Indexer(lambda key, times: status if key.endswith("3") and times < 3 else 200)
    loaded = await uploader(scripted, indexer).upload(documents(40))
    assert loaded.documents == 40
    assert {key: times for key, times in indexer.seen.items() if times > 1} == dict.fromkeys(
        ["k00003", "k00013", "k00023", "k00033"], 3
    )
    assert len(scripted.slept) == 2


async def test_what_is_put_off_for_ever_is_named_in_the_end(scripted: Scripted) -> None:
    indexer = Indexer(lambda key, _times: 503 if key == "k00005" else 200)
    with pytest.raises(OverloadedError, match="k00005"):
        await uploader(scripted, indexer).upload(documents(10))
    assert indexer.seen["k00005"] == 4
    assert indexer.seen["k00004"] == 1


async def test_a_malformed_document_is_found_by_halving_and_the_others_are_stored(scripted: Scripted) -> None:
    indexer = Indexer(lambda key, _times: 0 if key == "k00700" else 200)
    loaded = await uploader(scripted, indexer).upload(documents(1000))
    assert [each.key for each in loaded.refused] == ["k00700"]
    assert "secret" not in loaded.refused[0].reason
    assert loaded.documents == 999
    assert len(scripted.requests) < 25


async def test_a_document_refused_for_good_is_named_with_its_reason_and_tried_once(scripted: Scripted) -> None:
    indexer = Indexer(lambda key, _times: 400 if key == "k00002" else 200)
    loaded = await uploader(scripted, indexer).upload(documents(5))
    assert [(each.key, each.reason) for each in loaded.refused] == [
        ("k00002", "the service refuses the document (HTTP 400)")
    ]
    assert (loaded.documents, indexer.seen["k00002"]) == (4, 1)


async def test_a_load_with_too_many_refusals_is_given_up(scripted: Scripted) -> None:
    indexer = Indexer(lambda _key, _times: 400)
    loaded = await uploader(scripted, indexer).upload(documents(3000))
    assert loaded.given_up
    assert len(loaded.refused) == MOST_REFUSED
    assert len(scripted.requests) == 1


async def test_fewer_are_sent_at_once_under_pressure_and_more_again_later(scripted: Scripted) -> None:
    indexer = Indexer(lambda key, times: 503 if key < "k01000" and times < 4 else 200)
    await uploader(scripted, indexer).upload(documents(6000))
    sizes = [len(msgspec.json.decode(body)["value"]) for _method, _path, _headers, body in scripted.requests]
    assert sizes[:2] == [1000, 500]
    assert {250, 125} <= set(sizes)
    assert sizes[-1] > 200


async def test_a_batch_is_acknowledged_after_all_of_it_is_stored_and_in_order(scripted: Scripted) -> None:
    indexer = Indexer(lambda key, times: 503 if key.endswith("7") and times < 2 else 200)
    told: list[str] = []

    async def acknowledged(key: str) -> None:
        assert all(f"k{number:05}" in indexer.stored for number in range(int(key[1:]) + 1))
        told.append(key)

    await uploader(scripted, indexer).upload(documents(2500), acknowledged)
    assert told == ["k00999", "k01999", "k02499"]


async def test_a_batch_too_large_is_split(scripted: Scripted) -> None:
    indexer = Indexer(lambda _key, _times: 200, most_actions=100)
    loaded = await uploader(scripted, indexer).upload(documents(1000))
    assert loaded.documents == 1000
    assert len(indexer.stored) == 1000


async def test_a_result_that_is_missing_is_no_success(scripted: Scripted) -> None:
    scripted.replies = [web.json_response({"value": []})]
    with pytest.raises(UnexpectedAnswerError, match="k00000"):
        await Uploader(scripted.service, "hotels", rng=random.Random(1)).upload(documents(1))


async def test_a_full_service_is_not_taken_for_a_bad_document(scripted: Scripted) -> None:
    message = "You have exceeded your document quota"
    scripted.replies = [lambda _request: web.json_response({"error": {"message": message}}, status=429)]
    with pytest.raises(QuotaError):
        await Uploader(scripted.service, "hotels", rng=random.Random(1)).upload(documents(1000))
    assert len(scripted.requests) == 1


@given(st.lists(st.integers(0, 3_000_000), max_size=30), st.sampled_from([b"", UPLOAD]))
async def test_batches_keep_order_and_limits(sizes: list[int], begin: bytes) -> None:
    last = b'"}' if not begin else b'","id":1}'
    first = b'{"id":"' if not begin else b'"text":"'
    actions: list[tuple[str, Action]] = [
        (f"k{position}", first + b"x" * size + last) for position, size in enumerate(sizes)
    ]

    async def source() -> AsyncIterator[Sequence[tuple[str, Action]]]:
        for some in batched(actions, 4, strict=False):
            yield some

    cut = [each async for each in batches(source(), len(begin))]
    assert [pair for each in cut for pair in zip(each.keys, each.actions, strict=True)] == actions
    for each in cut:
        body = batch(each.actions, begin)
        assert len(each.keys) <= MOST_ACTIONS
        assert len(body) <= max(BATCH_BYTES, len(batch(each.actions[:1], begin)))
        assert len(body) <= MOST_BYTES
        assert len(msgspec.json.decode(body)["value"]) == len(each.keys)


def test_parts_of_a_batch_stay_together() -> None:
    whole = Batch(["a", "b", "c"], [b"1", b"2", b"3"])
    first, second = halves(whole)
    assert joined([first, second]) == whole
    assert only(whole, {"c", "a"}) == Batch(["a", "c"], [b"1", b"3"])
    assert [piece.keys for piece in pieces(whole, 2)] == [["a", "b"], ["c"]]


FULL = "The storage quota has been exceeded for this service. Maximum storage: 2000000000 bytes."


@pytest.mark.parametrize("status", [400, 403, 409, 422, 429, 503, 507])
@pytest.mark.parametrize("most_refused", [MOST_REFUSED, None], ids=["strict", "skipping"])
async def test_documents_refused_for_a_quota_end_the_upload_as_the_quota(
    scripted: Scripted, status: int, most_refused: int | None
) -> None:
    indexer = Indexer(lambda key, _times: 200 if key < "k00007" else status, reason=FULL)
    one = uploader(scripted, indexer, most_refused=most_refused)
    with pytest.raises(QuotaError, match=r"13 documents.*storage quota"):
        await one.upload(documents(20))
    assert set(indexer.seen.values()) == {1, QUOTA_ROUNDS}
    assert (len(indexer.stored), one.totals.refused) == (7, [])


async def test_room_that_is_made_meanwhile_is_used(scripted: Scripted) -> None:
    indexer = Indexer(lambda key, times: 200 if key < "k00007" or times == QUOTA_ROUNDS else 403, reason=FULL)
    totals = await uploader(scripted, indexer).upload(documents(20))
    assert (totals.documents, totals.refused, len(indexer.stored)) == (20, [], 20)


@pytest.mark.parametrize(
    "reason",
    [
        "The document key 'quota-7' is invalid.",
        'The value of field "storageQuota" can\'t be converted.',
        "Cannot convert the literal of field 'quota' to the expected type 'Edm.Int32'.",
    ],
)
async def test_a_bad_document_that_mentions_a_quota_is_refused_alone(scripted: Scripted, reason: str) -> None:
    indexer = Indexer(lambda key, _times: 400 if key == "k00007" else 200, reason=reason)
    totals = await uploader(scripted, indexer).upload(documents(20))
    assert (totals.documents, [each.key for each in totals.refused]) == (19, ["k00007"])
