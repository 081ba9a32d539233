"""What only the store on Azure does: refusals, faults on the wire, URLs and keys."""

import base64
import logging
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Self

import pytest
from aiohttp import web
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from indexvault.errors import (
    ConflictError,
    ForbiddenError,
    IndexvaultError,
    IntegrityError,
    NotFoundError,
    OverloadedError,
    RefusedError,
    SettingsError,
    UnauthorizedError,
    UnreachableError,
)
from indexvault.snapshots.azure_store import AzureStore
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.pins import Pin, pin
from indexvault.snapshots.prune import decide_proved, remove_snapshot
from indexvault.snapshots.retention import Retention
from indexvault.snapshots.tombstones import read_tombstones
from indexvault.snapshots.verify import verify_index
from indexvault.workflow.runs import RunRecord, Runs
from tests.azurite import Azurite
from tests.snapshots.faults import FaultyProxy, refusal
from tests.snapshots.samples import LATER, MORNING, documents, write_snapshot

ACCOUNT_KEY = base64.b64encode(b"not the key").decode()


class Identity:
    """A fake Entra credential, or one that fails."""

    def __init__(self, *, known: bool = True) -> None:
        self._known = known

    async def get_token(self, *_: object, **__: object) -> AccessToken:
        if not self._known:
            raise ClientAuthenticationError(message="nobody is signed in")
        return AccessToken("token", 4102444800)

    async def close(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the number of retries, without the pauses between them."""
    monkeypatch.setattr("indexvault.snapshots.azure_store.ExponentialRetry.get_backoff_time", lambda *_: 0.001)


@pytest.fixture
async def proxy(azurite: Azurite) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(azurite.port).running() as running:
        yield running


@pytest.fixture
async def store(azurite: Azurite, proxy: FaultyProxy) -> AsyncIterator[AzureStore]:
    """Yield a prepared store behind the proxy."""
    account = azurite.new_account_name()
    connection_string = azurite.connection_string(account, port=proxy.port)
    async with AzureStore.from_connection_string("east", connection_string) as store:
        await store.prepare()
        yield store


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "code", "expected"),
        [
            (403, "AuthenticationFailed", (UnauthorizedError, "connection string")),
            (401, "NoAuthenticationInformation", (UnauthorizedError, "connection string")),
            (403, "AuthorizationPermissionMismatch", (ForbiddenError, "Storage Blob Data Contributor")),
            (403, "AuthorizationFailure", (ForbiddenError, "firewall")),
            (404, "ContainerNotFound", (NotFoundError, "first backup")),
            (409, "BlobImmutableDueToPolicy", (ConflictError, "policy")),
            (409, "BlobImmutableDueToLegalHold", (ConflictError, "policy")),
            (409, "ContainerBeingDeleted", (ConflictError, "again")),
            (409, "BlobArchived", (IntegrityError, "Rehydrate")),
            (409, "BlobUsesCustomerSpecifiedEncryption", (IntegrityError, "another store")),
            (412, "LeaseIdMissing", (ConflictError, "again")),
            (400, "FeatureNotSupportedForAccount", (RefusedError, "kind")),
            (503, "ServerBusy", (OverloadedError, "later")),
            (500, "InternalError", (UnreachableError, "later")),
        ],
    )
    async def test_each_becomes_the_error_that_says_what_to_do(
        self, store: AzureStore, proxy: FaultyProxy, status: int, code: str, expected: tuple[type[IndexvaultError], str]
    ) -> None:
        kind, hint = expected
        proxy.spoil = lambda _: refusal(status, code)
        with pytest.raises(kind) as caught:
            await store.snapshots.delete("a/b")
        assert type(caught.value) is kind
        assert code in caught.value.what
        assert hint in caught.value.do
        assert caught.value.on.startswith("store east, test")
        assert caught.value.on.endswith("/search-snapshots/a/b")

    @pytest.mark.parametrize("code", ["BlobImmutableDueToPolicy", "UnauthorizedBlobOverwrite", "BlobAlreadyExists"])
    async def test_a_protected_blob_counts_as_being_there(
        self, store: AzureStore, proxy: FaultyProxy, code: str
    ) -> None:
        proxy.spoil = lambda _: refusal(403 if code.startswith("Unauthorized") else 409, code)
        assert not await store.snapshots.create("a", b"")

    async def test_an_archived_blob_stops_nothing_else(self, store: AzureStore, proxy: FaultyProxy) -> None:
        _, first = await write_snapshot(store.snapshots, documents(range(3)))
        _, second = await write_snapshot(
            store.snapshots, documents(range(4)), created=MORNING + timedelta(days=1), run="run-2"
        )
        runs = ["20261120T020000Z-backup-000001", "20261120T020000Z-backup-000002"]
        for run in runs:
            record = RunRecord(run=run, kind="backup", workflow="w", service="s", asked="a", owner="o", created=MORNING)
            await Runs(store.runs).create(record)

        def archive(request: web.Request) -> web.Response | None:
            is_read = request.method == "GET" and any(each in request.path for each in (first.id, runs[0]))
            return refusal(409, "BlobArchived") if is_read else None

        proxy.spoil = archive
        assert [each.run for each in await Runs(store.runs).unfinished()] == runs[1:]
        keep = [Retention(last=1)]
        decisions = await decide_proved(store, [second, first], keep, now=LATER)
        assert {each.snapshot.id: each.snapshot.state for each in decisions} == {
            first.id: "damaged",
            second.id: "complete",
        }
        report = await verify_index(store.snapshots, first.service, first.index)
        assert [finding.kind for finding in report.damage] == ["damaged"]

    async def test_an_archived_pin_still_keeps_its_snapshot(self, store: AzureStore, proxy: FaultyProxy) -> None:
        _, summary = await write_snapshot(store.snapshots, documents(range(3)))
        await pin(store, summary.reference, Pin(MORNING))
        proxy.spoil = lambda request: (
            refusal(409, "BlobArchived") if request.method == "GET" and "/pins/" in request.path else None
        )
        assert await remove_snapshot(store, summary.reference, "old", clock=lambda: LATER) == "pinned"
        assert [each.id for each in await list_snapshots(store.snapshots)] == [summary.id]
        assert await read_tombstones(store.runs, summary.service, summary.index) == {}

    async def test_a_store_that_was_never_written_to_says_so(self, storage_account: str) -> None:
        async with AzureStore.from_connection_string("east", storage_account) as store:
            with pytest.raises(NotFoundError, match="container"):
                await list_snapshots(store.snapshots)
            with pytest.raises(NotFoundError, match="container"):
                await store.snapshots.properties("a")
            with pytest.raises(NotFoundError, match="container"):
                await store.snapshots.delete("a")
            with pytest.raises(NotFoundError, match="container"):
                await store.runs.read("a", 10)

    async def test_a_wrong_key_is_named_and_not_shown(self, azurite: Azurite) -> None:
        text = azurite.connection_string(azurite.new_account_name())
        wrong = ";".join(f"AccountKey={ACCOUNT_KEY}" if "AccountKey" in part else part for part in text.split(";"))
        async with AzureStore.from_connection_string("east", wrong) as store:
            # Azure says AuthenticationFailed, Azurite the more general AuthorizationFailure.
            with pytest.raises((UnauthorizedError, ForbiddenError), match="key") as caught:
                await store.prepare()
        assert ACCOUNT_KEY not in repr(caught.value)

    async def test_a_key_that_is_none_is_named_and_not_shown(self, azurite: Azurite) -> None:
        text = azurite.connection_string(azurite.new_account_name())
        wrong = ";".join("AccountKey=abc" if "AccountKey" in part else part for part in text.split(";"))
        async with AzureStore.from_connection_string("east", wrong) as store:
            with pytest.raises(UnauthorizedError):
                await store.prepare()

    async def test_no_identity_is_unauthorized_at_once(self, caplog: pytest.LogCaptureFixture) -> None:
        """It is asked for no second time: a desk where nobody is signed in would wait for half a minute."""
        url = "https://account.blob.invalid"
        with caplog.at_level(logging.WARNING, "snapshots"):
            async with AzureStore.from_account_url("east", url, Identity(known=False)) as store:
                with pytest.raises(UnauthorizedError, match="sign in"):
                    await store.prepare()
        assert [record.message for record in caplog.records if "trying again" in record.message] == []


class TestFaults:
    async def test_a_passing_fault_is_tried_again_and_logged(
        self, store: AzureStore, proxy: FaultyProxy, caplog: pytest.LogCaptureFixture
    ) -> None:
        answers = iter([refusal(503, "ServerBusy"), refusal(500, "InternalError"), "drop", "drop", None])
        proxy.spoil = lambda _: next(answers, None)
        with caplog.at_level(logging.WARNING, "snapshots"):
            assert await store.snapshots.create("a", b"1")
        assert len(caplog.records) >= 3
        assert all("store east" in record.message for record in caplog.records)

    async def test_a_lasting_fault_ends_after_five_attempts(self, store: AzureStore, proxy: FaultyProxy) -> None:
        proxy.spoil = lambda _: refusal(503, "ServerBusy")
        before = len(proxy.requests)
        with pytest.raises(OverloadedError):
            await store.snapshots.create("a", b"1")
        assert len(proxy.requests) - before == 5

    async def test_a_store_that_is_down_is_unreachable(
        self, azurite: Azurite, closed_port: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        nobody = azurite.connection_string("test0000", port=closed_port)
        async with AzureStore.from_connection_string("east", nobody) as store:
            with caplog.at_level(logging.WARNING, "snapshots"), pytest.raises(UnreachableError) as caught:
                await store.prepare()
            assert caught.value.on == "store east, test0000/search-snapshots"
            assert len([each for each in caplog.records if "trying again" in each.message]) == 1
            with pytest.raises(UnreachableError):
                await anext(store.snapshots.list("a"))

    async def test_a_write_whose_answer_was_lost_is_there_once(self, store: AzureStore, proxy: FaultyProxy) -> None:
        answers = iter(["lose"])
        proxy.spoil = lambda _: next(answers, None)
        assert not await store.snapshots.create("a", b"1")
        assert await store.snapshots.read("a", 1) == b"1"

    async def test_a_snapshot_is_whole_though_every_answer_is_lost_once(
        self, store: AzureStore, proxy: FaultyProxy
    ) -> None:
        seen: Counter[tuple[str, str]] = Counter()

        def lose_the_first(request: web.Request) -> str | None:
            seen[request.method, request.path_qs] += 1
            return "lose" if seen[request.method, request.path_qs] == 1 else None

        proxy.spoil = lose_the_first
        _, summary = await write_snapshot(store.snapshots, documents(range(50)))
        assert await list_snapshots(store.snapshots) == [summary]

    async def test_bytes_that_change_on_the_way_in_are_not_stored(self, store: AzureStore, proxy: FaultyProxy) -> None:
        proxy.tamper = lambda body: body.replace(b"documents", b"dokuments")
        with pytest.raises(IndexvaultError):
            await store.snapshots.create("a", b"documents")
        assert await store.snapshots.properties("a") is None

    async def test_a_blob_larger_than_the_limit_is_refused_from_its_first_answer(
        self, store: AzureStore, proxy: FaultyProxy
    ) -> None:
        await store.snapshots.create("a", b"x" * (40 * 1024 * 1024))
        before = len(proxy.requests)
        with pytest.raises(IntegrityError):
            await store.snapshots.read("a", 1024)
        assert len(proxy.requests) - before == 1


class TestAddresses:
    @pytest.mark.parametrize(
        "text", ["", "hello", "AccountName=x;AccountKey", "Endpoint=sb://x;SharedAccessKey=secret"]
    )
    def test_what_is_no_connection_string_is_a_setting_to_mend(self, text: str) -> None:
        with pytest.raises(SettingsError) as caught:
            AzureStore.from_connection_string("east", text)
        assert caught.value.on == "stores.east.connection_string"
        assert "secret" not in repr(caught.value)

    @pytest.mark.parametrize("host", ["contoso.blob.core.windows.net", "10.0.0.4", "127.0.0.1.example.net"])
    def test_plain_http_stays_on_this_machine(self, host: str) -> None:
        text = f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey={ACCOUNT_KEY};BlobEndpoint=http://{host}/a"
        with pytest.raises(SettingsError, match="loopback only"):
            AzureStore.from_connection_string("east", text)

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
    async def test_plain_http_to_this_machine_is_for_azurite(self, host: str) -> None:
        text = f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey={ACCOUNT_KEY};BlobEndpoint=http://{host}:1/a"
        await AzureStore.from_connection_string("east", text).close()

    async def test_development_storage_needs_no_more_than_its_name(self) -> None:
        store = AzureStore.from_connection_string("local", "UseDevelopmentStorage=true")
        await store.close()

    async def test_a_signature_in_an_address_is_refused(self) -> None:
        with pytest.raises(SettingsError) as caught:
            AzureStore.from_account_url("east", "https://a.blob.core.windows.net/?sv=1&sig=hidden", Identity())
        assert "hidden" not in repr(caught.value)

    async def test_what_is_no_address_is_a_setting_to_mend(self) -> None:
        for address in ("http://a.blob.core.windows.net", "", "https://"):
            with pytest.raises(SettingsError) as caught:
                AzureStore.from_account_url("east", address, Identity())
            assert caught.value.on == "stores.east.account_url"


async def test_a_store_keeps_to_the_containers_that_it_is_given(storage_account: str) -> None:
    def opened(*containers: str) -> AzureStore:
        return AzureStore.from_connection_string("east", storage_account, containers=(containers[0], containers[1]))

    async with (
        opened("hotels-a", "hotels-b") as store,
        AzureStore.from_connection_string("west", storage_account) as by,
    ):
        await store.prepare()
        await by.prepare()
        await write_snapshot(store.snapshots, documents(range(3)))
        await store.runs.put("runs/x/y.json", b"{}")
        assert len(await list_snapshots(store.snapshots)) == 1
        assert await list_snapshots(by.snapshots) == []
        assert await store.runs.read("runs/x/y.json", 100) is not None
        assert await by.runs.read("runs/x/y.json", 100) is None
        # A record that was copied from one to the other would have another signature.
        assert store.account == f"{by.account}/hotels-b"
