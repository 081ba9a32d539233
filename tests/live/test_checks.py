"""The checks against emulated services that behave in one way or another."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.core.credentials import AzureKeyCredential

import live.run
from emulator.server import running
from emulator.service import EmulatedService
from live import definition_checks, document_checks
from live.clean_up import clean_service, clean_store
from live.record import DEFAULT_PREFIX, MARK, Made, Record
from live.run import run_checks
from live.seen import Seen, as_assumed
from live.site import KEY, Site
from live.table import Assumption, Check
from live.tool import Tool
from live.wire import Wire, index_path
from tests.memory_store import MemoryStore

type Opened = Callable[..., Any]


@pytest.fixture
def open_site(tmp_path: Path) -> Opened:
    """Return what opens a site on an emulated service; waits end at once."""

    @asynccontextmanager
    async def opened(patience: float = 5.0, **members: Any) -> AsyncIterator[Site]:
        service = EmulatedService(**({"name": "a", "tier": "standard", "api_key": "key"} | members))

        async def sleep(_seconds: float) -> None:
            await asyncio.sleep(0)

        async with (
            running([service]) as emulator,
            Wire(emulator.endpoint("a"), AzureKeyCredential("key"), sleep=sleep) as wire,
        ):
            yield Site(
                wire=wire,
                prefix=DEFAULT_PREFIX,
                run="0a1b2c3d",
                record=Record(tmp_path / "made.jsonl"),
                clock=lambda: datetime(2026, 11, 20, tzinfo=UTC),
                sleep=sleep,
                documents=50,
                patience=patience,
                tool=Tool(f"{DEFAULT_PREFIX}0a1b2c3d", {}, {}),
            )

    return opened


async def faults(site: Site, *rules: dict[str, Any]) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{site.wire.endpoint}/$emulator/faults", json={"rules": list(rules)}) as answer,
    ):
        assert answer.status < 300


async def indexes(site: Site) -> list[str]:
    return [entry["name"] for entry in (await site.wire.ask("GET", "indexes")).json["value"]]


def assumption(check: Check, name: str = "x") -> Assumption:
    return Assumption(name=name, says="", where="", expected="", if_wrong="", check=check)


async def ran(site: Site, *checks: Check) -> tuple[Sequence[Any], list[str]]:
    told: list[str] = []
    report = await run_checks(site, MemoryStore("local"), [assumption(check) for check in checks], told.append)
    return report.rows, report.cleaned.indexes


async def leaves_an_index(site: Site) -> Seen:
    await site.create("left", [])
    return as_assumed("it is there")


async def crashes(site: Site) -> Seen:
    await site.create("left", [])
    raise KeyError("nobody thought of this")


async def test_a_check_that_crashes_stops_no_other_and_leaves_nothing(open_site: Opened) -> None:
    async with open_site() as site:
        rows, removed = await ran(site, crashes, definition_checks.gzip_answers)
        assert [row.verdict for row in rows] == ["crashed", "as assumed"]
        assert removed == [site.name("left")]
        assert await indexes(site) == []


async def test_a_check_that_hangs_is_given_up(open_site: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(site: Site) -> Seen:
        async with site.index("hanging", []):
            await asyncio.sleep(3600)
        raise AssertionError

    monkeypatch.setattr(live.run, "CHECK_SECONDS", 0.5)
    async with open_site() as site:
        rows, _removed = await ran(site, hangs)
        assert [row.verdict for row in rows] == ["not settled"]
        assert await indexes(site) == []


async def test_a_run_that_is_cancelled_leaves_nothing(open_site: Opened) -> None:
    async def cancels(site: Site) -> Seen:
        await site.create("left", [])
        raise asyncio.CancelledError

    async with open_site() as site:
        with pytest.raises(asyncio.CancelledError):
            await ran(site, cancels)
        assert await indexes(site) == []


async def test_what_can_not_be_removed_is_told(open_site: Opened) -> None:
    async with open_site() as site:
        await faults(site, {"fault": "unavailable", "method": "DELETE"})
        report = await run_checks(site, MemoryStore("local"), [assumption(leaves_an_index)], lambda _line: None)
        assert report.cleaned.kept == [site.name("left")]
        assert report.exit_code == 1


async def test_only_indexes_with_prefix_and_mark_are_removed(open_site: Opened) -> None:
    async with open_site() as site:
        for name, description in (
            ("hotels", MARK + "0a1b2c3d"),
            (f"{DEFAULT_PREFIX}hotels", "ours"),
            (f"{DEFAULT_PREFIX}ffffffff-etag", MARK + "ffffffff"),
        ):
            definition = {"name": name, "fields": [KEY], "description": description}
            assert (await site.wire.ask("PUT", index_path(name), definition)).ok
        site.note("index", "hotels")
        cleaned = await clean_service(site.wire, DEFAULT_PREFIX, site.record.read(site.wire.endpoint))
        assert cleaned.indexes == [f"{DEFAULT_PREFIX}ffffffff-etag"]
        assert cleaned.kept == [f"{DEFAULT_PREFIX}hotels"]
        assert await indexes(site) == ["hotels", f"{DEFAULT_PREFIX}hotels"]


async def test_only_blobs_of_a_runs_own_service_are_removed() -> None:
    store, own = MemoryStore("local"), f"{DEFAULT_PREFIX}0a1b2c3d"
    theirs = [f"{own}x/hotels/manifests/1.json", "contoso/hotels/manifests/1.json"]
    for name in (f"{own}/hotels/manifests/1.json", *theirs):
        await store.snapshots.create(name, b"{}")
    runs = {
        f"locks/{own}/hotels.json": b"{}",
        "records/backup-1.json": f'{{"service":"{own}"}}'.encode(),
        "runs/backup-1/part.json": b"[]",
        "records/backup-2.json": f'{{"service":"contoso","note":"{own}x"}}'.encode(),
        "runs/backup-2/part.json": b"[]",
        "locks/contoso/hotels.json": b"{}",
    }
    for name, data in runs.items():
        await store.runs.put(name, data)
    await store.runs.acquire(f"locks/{own}/hotels.json", "00000000-0000-0000-0000-000000000001", 60)
    cleaned = await clean_store(store, [own], datetime.now(UTC))
    assert (cleaned.blobs, cleaned.kept) == (4, [])
    assert [blob.name async for blob in store.snapshots.list("")] == sorted(theirs)
    left = [blob.name async for blob in store.runs.list("")]
    assert left == ["locks/contoso/hotels.json", "records/backup-2.json", "runs/backup-2/part.json"]


async def test_the_record_survives_a_line_that_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "made.jsonl"
    made = Made(kind="index", name="a", endpoint="http://127.0.0.1:1", run="1", at=datetime(2026, 1, 1, tzinfo=UTC))
    Record(path).note(made)
    with path.open("ab") as file:
        file.write(b'{"kind":"ind')
    assert Record(path).read("http://127.0.0.1:1") == [made]
    assert Record(path).read("http://127.0.0.1:2") == []


async def test_counts_that_never_agree_are_told(open_site: Opened) -> None:
    async with open_site() as site:
        await faults(site, {"fault": "lagging_count", "seconds": 3600})
        rows, _ = await ran(site, document_checks.count_lag)
        assert rows[0].verdict == "otherwise"
        assert "$count disagreed" in rows[0].seen


async def test_ties_are_counted_in_orders(open_site: Opened) -> None:
    async with open_site() as site:
        await faults(site, {"fault": "shuffled_ties"})
        rows, _ = await ran(site, document_checks.ties)
        assert rows[0].verdict == "as assumed"
        assert "in 20 orders" in rows[0].seen


async def test_answers_that_leave_documents_out_are_told(open_site: Opened) -> None:
    async with open_site() as site:
        await faults(site, {"fault": "short_page", "operation": "search", "documents": 59})
        rows, _ = await ran(site, document_checks.ties)
        assert rows[0].verdict == "otherwise"


async def test_a_small_service_is_filled_only_if_asked_to(open_site: Opened) -> None:
    async with open_site(tier="free", quotas={"storage": 1_000_000}) as site:
        rows, _ = await ran(site, document_checks.full_storage)
        assert rows[0].verdict == "skipped"
        object.__setattr__(site, "fill_storage", True)
        rows, removed = await ran(site, document_checks.full_storage)
        assert rows[0].verdict == "as assumed"
        assert "quota" in rows[0].seen
        assert await indexes(site) == []
        assert removed == []


async def test_a_large_service_is_never_filled(open_site: Opened) -> None:
    async with open_site() as site:
        object.__setattr__(site, "fill_storage", True)
        rows, _ = await ran(site, document_checks.full_storage)
        assert rows[0].verdict == "skipped"


async def test_what_the_service_refuses_is_not_settled(open_site: Opened) -> None:
    async with open_site(quotas={"indexes": 0}) as site:
        rows, _ = await ran(site, definition_checks.identical_put)
        assert rows[0].verdict == "not settled"
        assert "could not be created" in rows[0].seen


@pytest.mark.parametrize(
    ("fault", "verdict"), [({"fault": "unavailable", "times": 99}, "not settled"), (None, "as assumed")]
)
async def test_only_a_refused_document_is_taken_for_refused(
    open_site: Opened, fault: dict[str, Any] | None, verdict: str
) -> None:
    async with open_site() as site:
        if fault is not None:
            await faults(site, fault | {"method": "POST", "path": "search.index"})
        assert (await document_checks.search_members(site)).verdict == verdict


async def test_no_link_is_followed_to_another_host(open_site: Opened) -> None:
    async with open_site() as site:
        with pytest.raises(ConnectionError, match="another host"):
            await site.wire.follow("http://127.0.0.2/indexes?api-version=2026-04-01")
