"""The message of each kind of alert in each format, as golden files, and what hostile texts make of them."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from msgspec.structs import replace

from indexvault.errors import UnreachableError
from indexvault.recovery.drift_records import DriftState
from indexvault.recovery.pair_role import SeenRole
from indexvault.recovery.standby_records import StandbyState
from indexvault.settings.alerts import KINDS
from indexvault.settings.model import EnvironmentSecret, PairSettings, WebhookSettings
from indexvault.snapshots.roles import PairRole
from indexvault.status.alerts import Alert, AlertLevel, StaleLock, check_failed, stale_lock_alert
from indexvault.status.cards import MESSAGE_LIMIT, Format, Message, body_of
from indexvault.status.health import Judged, JudgedReplica, ReasonKind, judge_index
from indexvault.status.notices import Change, Delivery, Notice, Notices, change_of, undelivered
from indexvault.status.pairs import PairReadings, pair_facts
from indexvault.status.watch_over import change_of_a_test

GOLDEN = Path(__file__).resolve().parent.parent / "fixtures" / "alerts"
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
SINCE = NOW - timedelta(minutes=5)
FORMATS: tuple[Format, ...] = get_args(Format.__value__)
DAY = timedelta(days=1)
WELL = Judged(
    now=NOW,
    is_on_service=True,
    policies=("nightly",),
    recovery_point=2 * DAY,
    scheduled=NOW - timedelta(hours=7),
    newest_state="complete",
    first=NOW - 3 * DAY,
    last_whole=NOW - timedelta(hours=6),
    last_proved=NOW - timedelta(hours=6),
    last_verified=NOW - 3 * DAY,
)
ENDED = "run 20261120T020000Z-policy-nightly: it was ended after its time limit of 6 h. See whether the service is slow"
OF_AN_INDEX: dict[str, dict[str, Any]] = {
    "recovery-point": {"last_whole": NOW - 3 * DAY},
    "no-snapshot": {"last_whole": None, "newest_state": None},
    "late": {"last_whole": NOW - DAY},
    "lossy": {"newest_state": "lossy"},
    "unsettled": {"newest_state": "unsettled"},
    "unproved": {"prove_every": 7 * DAY, "last_proved": NOW - 30 * DAY},
    "run-failed": {"failure": ENDED},
    "integrity": {"damage": ("the manifest of snapshot 20261119T020300Z-7f3a9c has vanished",)},
    "unauthentic": {"unauthentic": 2},
    "revealed": {"is_revealed": True},
    "replica": {"replicas": [JudgedReplica(store="west", last_whole=NOW - 5 * DAY, behind=5)]},
    "unverified": {"last_verified": NOW - 30 * DAY},
    "unread": {"unread": ("store east: no answer",)},
}
DOWN = UnreachableError("no answer", on="store east", do="Try again in a minute")


def of_an_index(kind: str) -> Alert:
    reason = next(each for each in judge_index(replace(WELL, **OF_AN_INDEX[kind])).reasons if each.kind == kind)
    level: AlertLevel = "red" if reason.level == "red" else "amber"
    return Alert(kind=kind, level=level, subject="contoso-east/hotels", what=reason.what, do=reason.do)


def failed_delivery() -> Alert:
    notice = Notice(
        alert=of_an_index("late"), since=NOW, deliveries={"teams": Delivery(attempts=3, failure="it answered 404")}
    )
    webhook = WebhookSettings(url=EnvironmentSecret(env="TEAMS"))
    return undelivered(Notices(at=NOW, notices=(notice,)), {"teams": webhook})[0]


PAIR = PairSettings(
    primary="contoso-east",
    standby="contoso-west",
    recovery_point=timedelta(hours=1),
    recovery_time=timedelta(minutes=30),
)
STANDBY = StandbyState(
    pair="contoso",
    index="hotels",
    source="contoso-east",
    service="contoso-west",
    generation=0,
    run="20261120T080000Z-follow-of-contoso-1",
    tried_at=NOW,
    snapshot="20261120T060300Z-7f3a9c",
    created=NOW - timedelta(hours=3),
    failure=DOWN.record(),
    failed_since=NOW - timedelta(minutes=55),
)
DRIFT = DriftState(
    pair="contoso",
    index="hotels",
    one="contoso-east",
    other="contoso-west",
    run="20261120T080000Z-drift-of-contoso-0",
    tried_at=NOW,
    measured=NOW,
    changed=37,
    missing=5,
    extra=3,
    since=NOW - timedelta(minutes=30),
)
ROLE = PairRole(pair="contoso", generation=0, active="contoso-east")
OFF = replace(ROLE, generation=1, active="contoso-west", run="failover-20261119T030000Z-7f3a9c", following=False)
HOT = replace(PAIR, mode="hot-hot", drift_schedule="0 0 * * * *")
OF_A_PAIR: dict[str, tuple[PairSettings, PairReadings]] = {
    "standby": (PAIR, PairReadings(seen=SeenRole(ROLE), states=[STANDBY])),
    "follow-failed": (PAIR, PairReadings(seen=SeenRole(ROLE), states=[STANDBY])),
    "follow-off": (PAIR, PairReadings(seen=SeenRole(OFF))),
    "role": (PAIR, PairReadings(seen=SeenRole(ROLE, ("west",)))),
    "drift": (HOT, PairReadings(seen=SeenRole(ROLE), drifts=[DRIFT])),
}


def of_a_pair(kind: str) -> Alert:
    settings, read = OF_A_PAIR[kind]
    pair = pair_facts("contoso", settings, read, expected=None, last_drill=None, now=NOW)
    healths = {"pair contoso": pair.health} | {f"{each.service}/{each.index}": each.health for each in pair.indexes}
    subject, reason = next(
        (subject, reason) for subject, health in healths.items() for reason in health.reasons if reason.kind == kind
    )
    level: AlertLevel = "red" if reason.level == "red" else "amber"
    return Alert(kind=kind, level=level, subject=subject, what=reason.what, do=reason.do)


SAMPLES: dict[str, Alert] = {kind: of_an_index(kind) for kind in OF_AN_INDEX} | {
    **{kind: of_a_pair(kind) for kind in OF_A_PAIR},
    "stale-lock": stale_lock_alert(
        StaleLock(service="contoso-east", index="hotels", run="backup-20261120T020000Z-7f3a9c", since=NOW - DAY)
    ),
    "check-failed": check_failed("services and stores", DOWN),
    "undelivered": failed_delivery(),
}
REPORTED_BY_OTHERS = {"drill", "gone"}
"""Kinds of which there are no golden files: they read as the rest."""


def begun(alert: Alert) -> Change:
    return change_of(Notice(alert=alert, since=SINCE))


def message(*changes: Change, on: int = 1) -> Message:
    return Message(at=NOW, on=on, changes=changes)


MESSAGES = {kind: message(begun(alert)) for kind, alert in SAMPLES.items()} | {
    "recovered": message(change_of(Notice(alert=SAMPLES["recovery-point"], since=SINCE, ended=NOW)), on=0),
    "several": message(*(begun(SAMPLES[kind]) for kind in ("recovery-point", "replica", "lossy")), on=7),
    "test": Message(at=NOW, on=0, changes=[change_of_a_test(NOW)], test=True),
}


def test_every_kind_has_its_golden_files() -> None:
    assert set(SAMPLES) | REPORTED_BY_OTHERS == set(KINDS)
    assert set(get_args(ReasonKind.__value__)) - {"well", "indexes", "no-policy"} <= set(KINDS)
    assert {path.name for path in GOLDEN.iterdir()} == {f"{name}.{form}.json" for name in MESSAGES for form in FORMATS}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", MESSAGES)
def test_is_as_in_the_golden_file(name: str, form: Format) -> None:
    body = body_of(MESSAGES[name], form)
    assert msgspec.json.format(body, indent=2).decode() + "\n" == (GOLDEN / f"{name}.{form}.json").read_text()


HOSTILE = (
    "<!channel> [click](https://evil.example) **x** <https://evil.example|y> @here \x1b[31m \u202e\nDo: rm -rf "
    + "é😀" * 400
)


@pytest.mark.parametrize("form", FORMATS)
def test_hostile_texts_are_text_on_one_line_and_bounded(form: Format) -> None:
    alert = Alert(kind="unread", level="red", subject=HOSTILE, what=HOSTILE, do=HOSTILE)
    body = body_of(message(*(begun(replace(alert, subject=f"{n} {HOSTILE}")) for n in range(10))), form)
    assert len(body) <= MESSAGE_LIMIT
    said = msgspec.json.decode(body)
    texts = list(strings(said))
    assert not any(set("\x1b\u202e") & set(text) for text in texts)
    if form == "teams":
        kinds = {each["type"] for each in objects(said) if "type" in each}
        assert kinds <= {"message", "AdaptiveCard", "RichTextBlock", "TextRun", "Container"}
    if form == "slack":
        assert all(each["type"] == "plain_text" for each in objects(said) if "text" in each and "emoji" in each)
        assert "<" not in said["text"]
        assert max(len(block["text"]["text"]) for block in said["blocks"] if "text" in block) <= 3000
        assert all(text.count("\n") <= 2 for text in texts)
    else:
        assert not any("\n" in text for text in texts)


def objects(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value, *(each for inner in value.values() for each in objects(inner))]
    return [each for inner in value for each in objects(inner)] if isinstance(value, list) else []


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [each for inner in inside for each in strings(inner)]


def test_no_message_holds_an_address_or_a_key() -> None:
    for name, form in ((name, form) for name in MESSAGES for form in FORMATS):
        text = body_of(MESSAGES[name], form).decode().replace("http://adaptivecards.io/schemas/adaptive-card.json", "")
        assert not re.search(r"https?://|AccountKey|sig=|webhooks/durabletask", text)
