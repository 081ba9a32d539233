"""What is told, when, how often, and what survives a kill between sending and recording."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from indexvault.errors import UnreachableError
from indexvault.settings.model import AlertSettings, EnvironmentSecret, PolicySettings, WebhookSettings
from indexvault.snapshots.run_names import LAST_TICK, NOTICES
from indexvault.status import watch_over as watching
from indexvault.status.alerts import Alert
from indexvault.status.notices import (
    MOST_ATTEMPTS,
    MOST_CHANGES,
    MOST_MESSAGES,
    NoticeRecords,
    Notices,
    change_of,
    due_changes,
    noted,
    undelivered,
    updated,
)
from indexvault.status.ticks import read_tick
from tests import hotels
from tests.keyed import KEY as RECORD_KEY
from tests.memory_store import MemoryStore
from tests.status.receivers import Receiver, receiver
from tests.world import EAST, Calendar, World, open_world

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
TICK = timedelta(minutes=5)
HOOK = WebhookSettings(url=EnvironmentSecret(env="HOOK"))


def alert(subject: str = "contoso-east/hotels", kind: str = "recovery-point", **members: object) -> Alert:
    made = Alert(kind=kind, level="red", subject=subject, what="it is old", do="Look at it")
    return replace(made, **members)


class Story:
    """Ticks one after the other; each tells a webhook what it is owed, and the webhook takes it or not."""

    def __init__(self, **webhooks: WebhookSettings) -> None:
        self.webhooks = webhooks or {"hook": HOOK}
        self.notices = Notices(at=NOW)
        self.now = NOW

    def tick(self, *alerts: Alert, failing: Sequence[str] = (), poison: str = "") -> list[tuple[str, str, str]]:
        """Return what was told: the webhook, the state and the subject. No webhook takes a message with `poison`."""
        self.now += TICK
        self.notices = updated(self.notices, alerts, self.webhooks, self.now)
        told: list[tuple[str, str, str]] = []
        for name, settings in self.webhooks.items():
            for changes in due_changes(self.notices, name, settings):
                is_refused = name in failing or poison in {change.subject for change in changes}
                failure = "it answered 500" if is_refused else None
                self.notices = noted(self.notices, name, changes, failure)
                if failure is not None:
                    break
                told += [(name, change.state, change.subject) for change in changes]
        return told


def test_each_change_is_told_once() -> None:
    story, east = Story(), alert("east")
    assert story.tick(east) == [("hook", "on", "east")]
    assert story.tick(replace(east, what="it is older")) == []
    assert story.tick() == [("hook", "off", "east")]
    assert story.tick() == []
    assert story.notices.notices == ()
    assert story.tick(east) == [("hook", "on", "east")]


def test_what_failed_is_tried_again_and_the_other_webhook_is_told_meanwhile() -> None:
    story = Story(down=HOOK, up=HOOK)
    assert story.tick(alert("east"), failing=["down"]) == [("up", "on", "east")]
    assert [each.subject for each in undelivered(story.notices, story.webhooks)] == ["webhook down"]
    assert story.tick(alert("east"), failing=["down"]) == []
    assert story.tick(alert("east")) == [("down", "on", "east")]
    assert undelivered(story.notices, story.webhooks) == []


def test_trying_again_has_a_bound() -> None:
    story = Story()
    for _ in range(MOST_ATTEMPTS):
        assert story.tick(alert("east"), failing=["hook"]) == []
    assert story.tick(alert("east")) == []
    (told,) = undelivered(story.notices, story.webhooks)
    assert "1 are no longer tried" in told.what
    # Another change is another story.
    assert story.tick(alert("east"), alert("west")) == [("hook", "on", "west")]


def test_one_that_is_always_refused_does_not_hold_back_the_others() -> None:
    """The webhook may choke on a single alert: the others go without it, and it is still tried."""
    story, alerts = Story(), [alert("poison"), *(alert(f"index {number}") for number in range(24))]
    told: list[tuple[str, str, str]] = []
    for _ in range(12):
        told += story.tick(*alerts, poison="poison")
    assert sorted(told) == sorted(("hook", "on", each.subject) for each in alerts[1:])
    assert story.tick(*alerts, alert("new"), poison="poison") == [("hook", "on", "new")]
    assert story.tick(*alerts, alert("new")) == [("hook", "on", "poison")]


def test_the_end_is_tried_again_too_and_told_only_to_whoever_knew_the_beginning() -> None:
    story = Story(down=HOOK, up=HOOK)
    story.tick(alert("east"), failing=["down"])
    assert story.tick(failing=["up", "down"]) == []
    assert [notice.state for notice in story.notices.notices] == ["off"]
    assert story.tick() == [("up", "off", "east")]
    assert not story.notices.notices


def test_an_alert_that_comes_back_before_its_end_was_told_is_the_same() -> None:
    story = Story()
    story.tick(alert("east"))
    story.tick(failing=["hook"])
    assert story.tick(alert("east")) == []
    assert story.tick() == [("hook", "off", "east")]


def test_a_failed_run_is_only_told() -> None:
    story = Story()
    assert story.tick(alert("run 1", ends=False)) == [("hook", "on", "run 1")]
    assert story.tick() == []
    assert story.notices.notices == ()


def test_a_webhook_is_told_of_its_level_and_kinds() -> None:
    story = Story(red=replace(HOOK, level="red"), lossy=replace(HOOK, kinds=("lossy",)))
    amber = alert("east", kind="lossy", level="amber")
    assert story.tick(amber, alert("west")) == [("red", "on", "west"), ("lossy", "on", "east")]


def test_an_alert_that_gets_worse_is_told_again_and_one_that_gets_better_is_not() -> None:
    story = Story()
    amber = alert("east", kind="replica", level="amber")
    assert story.tick(amber) == [("hook", "on", "east")]
    first = change_of(story.notices.notices[0]).id
    assert story.tick(replace(amber, level="red")) == [("hook", "on", "east")]
    assert change_of(story.notices.notices[0]).id != first
    assert story.tick(replace(amber, level="red")) == []
    assert story.tick(amber) == []
    assert story.tick() == [("hook", "off", "east")]


def test_who_was_told_of_red_is_told_of_the_end_although_it_was_amber_by_then() -> None:
    story = Story(red=replace(HOOK, level="red"))
    red = alert("east", kind="replica")
    assert story.tick(red) == [("red", "on", "east")]
    assert story.tick(replace(red, level="amber")) == []
    assert story.tick() == [("red", "off", "east")]
    assert story.notices.notices == ()


def test_who_no_longer_wants_a_kind_is_told_of_its_end_and_it_is_forgotten() -> None:
    story = Story()
    story.tick(alert("east"))
    story.webhooks = {"hook": replace(HOOK, kinds=("lossy",))}
    assert story.tick() == [("hook", "off", "east")]
    assert story.notices.notices == ()


def test_what_is_no_longer_tried_is_told_once_the_webhook_takes_something_again() -> None:
    story = Story()
    for _ in range(MOST_ATTEMPTS):
        story.tick(alert("east"), failing=["hook"])
    assert story.tick(alert("east"), alert("west")) == [("hook", "on", "west")]
    assert story.tick(alert("east"), alert("west")) == [("hook", "on", "east")]
    assert undelivered(story.notices, story.webhooks) == []


def test_a_new_webhook_learns_what_is_on_and_one_that_is_gone_is_forgotten() -> None:
    story = Story(old=HOOK)
    story.tick(alert("east"))
    story.webhooks = {"new": HOOK}
    assert story.tick(alert("east")) == [("new", "on", "east")]
    assert story.notices.notices[0].deliveries.keys() == {"new"}


def test_many_at_once_are_told_in_several_messages_over_several_ticks() -> None:
    story = Story()
    alerts = [alert(f"index {number}", level="red" if number % 2 else "amber") for number in range(120)]
    per_tick = MOST_CHANGES * MOST_MESSAGES
    assert [len(story.tick(*alerts)) for _ in range(4)] == [per_tick, per_tick, 20, 0]


def test_a_change_that_is_told_again_has_the_same_id() -> None:
    story = Story()
    story.tick(alert("east"), failing=["hook"])
    first = change_of(story.notices.notices[0]).id
    story.tick(replace(alert("east"), what="other words"), failing=["hook"])
    assert change_of(story.notices.notices[0]).id == first


@given(st.lists(st.tuples(st.sets(st.sampled_from("abc")), st.booleans()), max_size=20))
def test_a_webhook_knows_in_the_end_what_is_on(ticks: list[tuple[set[str], bool]]) -> None:
    """Whatever fails on the way: once it takes messages again, it has been told the truth, and no change twice."""
    story, known = Story(), dict.fromkeys("abc", "off")
    last = ticks[-1][0] if ticks else set[str]()
    for on, fails in [*ticks, (last, False)]:
        for _, state, subject in story.tick(*(alert(each) for each in sorted(on)), failing=["hook"] if fails else []):
            assert known[subject] != state
            known[subject] = state
    assert {each for each, state in known.items() if state == "on"} == last


NIGHTLY = PolicySettings(service=EAST, schedule="0 0 2 * * *", indexes=("hotels",))


@asynccontextmanager
async def watched(
    server: Receiver, clock: Calendar, *, record_key: str | None = None, store: MemoryStore | None = None
) -> AsyncIterator[World]:
    """Open a world whose index is backed up, with a webhook."""
    async with open_world(
        store or MemoryStore("local", clock), clock=clock, policies={"nightly": NIGHTLY}, record_key=record_key
    ) as world:
        world.clients.settings = replace(world.clients.settings, alerts=AlertSettings(webhooks={"operators": HOOK}))
        world.clients._environment = {**world.clients._environment, "HOOK": server.url}
        await world.fill(hotels.definition(), hotels.hotels(3))
        await world.back_up("hotels")
        yield world


async def test_trouble_is_told_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    clock = Calendar()
    async with receiver() as server, watched(server, clock) as world:
        records = NoticeRecords()
        looked = await watching.watch_over(world.resources, records)
        assert (looked.alerts, server.received) == ([], [])
        clock.now += timedelta(days=3)
        for _ in range(2):
            await watching.watch_over(world.resources, records)
        assert server.told == [("on", "recovery-point", f"{EAST}/hotels")]
        # The rules of Azure Monitor that send e-mail look for errors in the log.
        logged = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
        what = "the last complete snapshot is 3 days old, and 2 days is the recovery point"
        assert logged == [f"alert recovery-point, {EAST}/hotels: {what}. Look at the last run, or start a backup"]
        await world.back_up("hotels")
        # Another process knows what was told from the record.
        await watching.watch_over(world.resources, NoticeRecords())
        assert server.told[1:] == [("off", "recovery-point", f"{EAST}/hotels")]
        tick = await read_tick(world.clients)
        assert tick is not None
        assert (tick.at, tick.oldest, tick.all_there) == (clock.now, clock.now, True)


def test_an_alert_that_turns_red_is_logged_as_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """The rules of Azure Monitor that send e-mail look for errors in the log."""
    amber = alert("east", kind="replica", level="amber")
    before = updated(Notices(at=NOW), [amber], [], NOW)
    watching._log_changes(before, updated(before, [replace(amber, level="red")], [], NOW + TICK))
    assert [each.levelname for each in caplog.records] == ["ERROR"]


async def test_a_kill_between_sending_and_recording_tells_it_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Calendar()
    async with receiver() as server, watched(server, clock) as world:
        clock.now += timedelta(days=3)

        class KilledError(BaseException):
            pass

        def killed(*_: object) -> None:
            raise KilledError

        with monkeypatch.context() as patched:
            patched.setattr(watching, "noted", killed)
            with pytest.raises(KilledError):
                await watching.watch_over(world.resources, NoticeRecords())
        assert await read_tick(world.clients) is None
        await watching.watch_over(world.resources, NoticeRecords())
        await watching.watch_over(world.resources, NoticeRecords())
        first, second = (each.json["changes"][0] for each in server.received)
        assert first["id"] == second["id"]


async def test_a_store_that_can_not_be_read_is_told_once_by_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Calendar()
    async with receiver() as server, watched(server, clock) as world:

        async def down(*_args: object, **_options: object) -> None:
            raise UnreachableError("no answer", on="store local", do="Try again")

        records = NoticeRecords()
        await watching.watch_over(world.resources, records)
        runs = world.clients.store("local").runs
        for method in ("read", "put"):
            monkeypatch.setattr(runs, method, down)
        for _ in range(3):
            await watching.watch_over(world.resources, records)
        kinds = [kind for _state, kind, _subject in server.told]
        assert kinds
        assert set(kinds) <= {"unread", "check-failed"}
        assert len(server.told) == len(set(server.told))
        monkeypatch.undo()
        await watching.watch_over(world.resources, records)
        assert [state for state, _kind, _subject in server.told].count("off") == len(server.told) / 2


async def test_a_check_that_can_not_run_is_an_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Calendar()
    async with receiver() as server, watched(server, clock) as world:

        async def broken(*_: object) -> None:
            raise RuntimeError("a bug")

        monkeypatch.setattr(watching, "read_fleet", broken)
        monkeypatch.setattr(watching, "stale_locks", broken)
        trouble = {"due policies": UnreachableError("no answer", on="the engine", do="See the log")}
        looked = await watching.watch_over(world.resources, NoticeRecords(), trouble)
        assert [each.subject for each in looked.alerts] == [
            "due policies",
            "locks in store local",
            "services and stores",
        ]
        assert {each.kind for each in looked.alerts} == {"check-failed"}
        assert len(server.told) == 3
        tick = await read_tick(world.clients)
        assert tick is not None
        assert not tick.all_there


async def test_an_outside_monitor_sees_that_a_check_could_not_run() -> None:
    clock = Calendar()
    async with receiver() as server, watched(server, clock) as world:
        trouble = {"due policies": UnreachableError("no answer", on="the engine", do="See the log")}
        assert not (await watching.look(world.resources, trouble)).tick.all_there
        assert (await watching.look(world.resources)).tick.all_there


async def test_a_service_whose_indexes_are_all_gone_is_an_alert() -> None:
    """Its address may lead to another service, or somebody has deleted what is to be backed up."""
    clock = Calendar()
    async with receiver() as server, watched(server, clock) as world:
        await world.east.delete_index("hotels", before=await world.east.index_definition("hotels"))
        looked = await watching.look(world.resources)
        assert [(each.kind, each.level, each.subject) for each in looked.alerts] == [
            ("gone", "amber", f"service {EAST}")
        ]
        assert "policy nightly" in looked.alerts[0].what
        assert not looked.tick.all_there


async def test_forged_notices_and_ticks_count_for_nothing() -> None:
    clock = Calendar()
    store = MemoryStore("local")
    async with receiver() as server, watched(server, clock, record_key=RECORD_KEY, store=store) as world:
        clock.now += timedelta(days=3)
        silent = updated(Notices(at=clock.now, number=10**9), [alert(f"{EAST}/hotels")], ["operators"], clock.now)
        silent = noted(silent, "operators", [change_of(silent.notices[0])], None)
        await store.runs.put(NOTICES, msgspec.json.encode(silent))
        await store.runs.put(LAST_TICK, msgspec.json.encode({"at": clock.now}))
        assert await read_tick(world.clients) is None
        await watching.watch_over(world.resources, NoticeRecords())
        assert server.told == [("on", "recovery-point", f"{EAST}/hotels")]


async def test_a_broken_webhook_is_an_alert_and_holds_nothing_up() -> None:
    clock = Calendar()
    async with receiver(500) as server, watched(server, clock) as world:
        clock.now += timedelta(days=3)
        records = NoticeRecords()
        await watching.watch_over(world.resources, records)
        assert len(server.received) == 1
        wrong = [(each.kind, each.subject) for each in (await watching.what_is_wrong(world.resources)).alerts]
        assert wrong == [("recovery-point", f"{EAST}/hotels"), ("undelivered", "webhook operators")]
        server.how = 200
        await watching.watch_over(world.resources, records)
        told = server.told[1:]
        assert ("on", "recovery-point", f"{EAST}/hotels") in told
        await watching.watch_over(world.resources, records)
        assert await read_tick(world.clients) is not None


async def test_without_its_address_a_webhook_fails_in_words_and_the_tick_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Calendar()
    async with receiver() as server, watched(server, clock) as world:
        clock.now += timedelta(days=3)
        world.clients._environment = {
            name: value for name, value in world.clients._environment.items() if name != "HOOK"
        }
        await watching.watch_over(world.resources, NoticeRecords())
        assert "the environment variable HOOK is not set" in caplog.text
        assert await read_tick(world.clients) is not None
        assert server.received == []


async def test_a_damaged_record_is_written_anew() -> None:
    clock = Calendar()
    async with receiver() as server, watched(server, clock) as world:
        clock.now += timedelta(days=3)
        await watching.watch_over(world.resources, NoticeRecords())
        await world.store.runs.put(NOTICES, b"{")
        for _ in range(3):
            await watching.watch_over(world.resources, NoticeRecords())
        assert server.told == [("on", "recovery-point", f"{EAST}/hotels")] * 2


async def test_two_ticks_at_once_leave_one_record_and_lose_nothing() -> None:
    clock = Calendar()
    async with receiver() as server, watched(server, clock) as world:
        clock.now += timedelta(days=3)
        await asyncio.gather(*(watching.watch_over(world.resources, NoticeRecords()) for _ in range(3)))
        await watching.watch_over(world.resources, NoticeRecords())
        assert set(server.told) == {("on", "recovery-point", f"{EAST}/hotels")}
        assert len(server.told) <= 3
        await world.back_up("hotels")
        await watching.watch_over(world.resources, NoticeRecords())
        assert server.told[-1] == ("off", "recovery-point", f"{EAST}/hotels")
