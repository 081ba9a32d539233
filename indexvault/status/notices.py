"""What was told of which alert to whom, and what is to be told now.

A record in the runs container of every store remembers it, so that each change is told once, and one that could not be
delivered is tried again. Deciding is pure. A message is recorded after it was delivered: a process that dies in between
delivers it again.
"""

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from indexvault.clients import Clients
from indexvault.errors import ConflictError, IndexvaultError, IntegrityError, NotFoundError
from indexvault.settings.model import WebhookSettings
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.records import RECORD_LIMIT, RecordStore
from indexvault.snapshots.run_names import NOTICES
from indexvault.status.alerts import Alert, AlertLevel

type ChangeState = Literal["on", "off"]

MOST_ATTEMPTS = 288
"""How often the delivery of a change is tried: a day of ticks every five minutes."""
MOST_CHANGES = 10
"""Changes in one message. A card of Teams has 28 KB at most."""
MOST_MESSAGES = 5
"""Messages that a webhook gets in one tick. The next tick sends on: Teams takes four requests in a second."""
_TOGETHER = 3
"""How often a change is tried together with others: one that is refused for its own sake then holds nothing back."""
_MOST_KEPT = 5000
_LIMIT = 16 * 1024 * 1024
_LOG = logging.getLogger(__name__)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook was told last of an alert, None for nothing, and at which `level` the alert was then.

    `attempts` is how often telling it of the change since has failed, `failure` why.
    """

    told: ChangeState | None = None
    level: AlertLevel | None = None
    attempts: int = 0
    failure: str = ""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """An alert, since when it is on, when it ended (None while it is on), and what each webhook was told.

    `worse_since` is when it turned from amber to red, None if it has not.
    """

    alert: Alert
    since: AwareTime
    worse_since: AwareTime | None = None
    ended: AwareTime | None = None
    deliveries: dict[str, Delivery] = {}

    @property
    def state(self) -> ChangeState:
        """Whether it is on."""
        return "on" if self.ended is None else "off"


class Notices(msgspec.Struct, frozen=True, kw_only=True):
    """All that is on or not yet told, as it was at `at`. `number` rises with every change of the record."""

    at: AwareTime
    number: int = 0
    notices: tuple[Notice, ...] = ()


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change of an alert as a webhook is told it. `id` is the same when it is told again."""

    id: str
    state: ChangeState
    kind: str
    level: AlertLevel
    subject: str
    what: str
    do: str
    since: AwareTime
    ended: AwareTime | None = None


def updated(before: Notices, alerts: Sequence[Alert], webhooks: Iterable[str], now: datetime) -> Notices:
    """Return the notices with what is on now.

    An alert that is off is kept until every webhook that was told of it knows, or can't be reached. What was told to a
    webhook that is no longer configured is dropped.
    """
    known = set(webhooks)
    on = {alert.key: alert for alert in alerts}
    kept: list[Notice] = []
    for notice in before.notices:
        alert = on.pop(notice.alert.key, None)
        deliveries = {name: each for name, each in notice.deliveries.items() if name in known}
        if alert is None:
            ended = notice.ended or now
            kept.append(replace(notice, ended=ended, deliveries=_anew(deliveries, "off", notice.state)))
        else:
            since, worse_since = (notice.since, notice.worse_since) if notice.ended is None else (now, None)
            is_worse = alert.level == "red" != notice.alert.level and worse_since is None
            worse_since = now if is_worse and since != now else worse_since
            fresh = _anew(deliveries, "on", "off" if is_worse else notice.state)
            kept.append(
                replace(notice, alert=alert, since=since, worse_since=worse_since, ended=None, deliveries=fresh)
            )
    kept += [Notice(alert=alert, since=now) for alert in on.values()]
    pending = [notice for notice in kept if notice.ended is None or _is_owed(notice)]
    if len(pending) > _MOST_KEPT:
        _LOG.error("%d alerts are on; %d are remembered", len(pending), _MOST_KEPT)
    return Notices(at=now, number=before.number + 1, notices=tuple(pending[:_MOST_KEPT]))


def due_changes(notices: Notices, name: str, webhook: WebhookSettings) -> list[list[Change]]:
    """Return the messages that a webhook is owed, each a list of changes, the worst first.

    What it has refused several times comes last, one change a message, the least often refused first.
    """
    owed = [
        notice
        for notice in notices.notices
        if _is_due(notice, notice.deliveries.get(name, Delivery()))
        # Whoever was told of an alert is told of its end, whatever they want to be told by now.
        and (notice.ended is not None or is_meant(notice.alert, webhook))
    ]
    owed.sort(key=lambda notice: (notice.alert.level != "red", notice.state == "off", notice.since))
    refused = {id(each): each.deliveries.get(name, Delivery()).attempts for each in owed}
    fresh = [change_of(each) for each in owed if refused[id(each)] < _TOGETHER]
    alone = sorted((each for each in owed if refused[id(each)] >= _TOGETHER), key=lambda each: refused[id(each)])
    messages = [fresh[at : at + MOST_CHANGES] for at in range(0, len(fresh), MOST_CHANGES)]
    return [*messages, *([change_of(each)] for each in alone)][:MOST_MESSAGES]


def noted(notices: Notices, name: str, changes: Iterable[Change], failure: str | None) -> Notices:
    """Return the notices after a message with these changes was delivered, or was not for a reason in words.

    A webhook that took one is tried once more with what it was no longer tried with.
    """
    ids = {change.id for change in changes}
    after = []
    for notice in notices.notices:
        if change_of(notice).id in ids:
            before = notice.deliveries.get(name, Delivery())
            delivery = Delivery(told=notice.state, level=notice.alert.level)
            if failure is not None:
                delivery = replace(before, attempts=before.attempts + 1, failure=failure)
            notice = replace(notice, deliveries=notice.deliveries | {name: delivery})  # noqa: PLW2901 - the same one
        elif failure is None and (given_up := notice.deliveries.get(name, Delivery())).attempts >= MOST_ATTEMPTS:
            again = replace(given_up, attempts=MOST_ATTEMPTS - 1)
            notice = replace(notice, deliveries=notice.deliveries | {name: again})  # noqa: PLW2901 - the same one
        after.append(notice)
    return replace(
        notices,
        number=notices.number + 1,
        notices=tuple(notice for notice in after if notice.ended is None or _is_owed(notice)),
    )


def undelivered(notices: Notices, webhooks: Mapping[str, WebhookSettings]) -> list[Alert]:
    """Return an alert for each webhook that could not be told of something, for the others."""
    found = []
    for name in sorted(webhooks):
        failed = [
            each.deliveries[name]
            for each in notices.notices
            if name in each.deliveries and each.deliveries[name].attempts and each.alert.kind != "undelivered"
        ]
        if failed:
            given_up = sum(each.attempts >= MOST_ATTEMPTS for each in failed)
            what = f"{len(failed)} alerts could not be delivered: {failed[0].failure}"
            found.append(
                Alert(
                    kind="undelivered",
                    level="red",
                    subject=f"webhook {name}",
                    what=f"{what}; {given_up} are no longer tried" if given_up else what,
                    do=f"Check its address, then: indexvault alerts test {name}",
                )
            )
    return found


def change_of(notice: Notice) -> Change:
    """Return an alert's last change as webhooks are told it."""
    alert = notice.alert
    times = [notice.since, *([notice.worse_since] if notice.worse_since is not None else [])]
    facts = (alert.kind, alert.subject, *(time.isoformat() for time in times), notice.state)
    return Change(
        id=hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16],
        state=notice.state,
        kind=alert.kind,
        level=alert.level,
        subject=alert.subject,
        what=alert.what,
        do=alert.do,
        since=notice.since,
        ended=notice.ended,
    )


def is_meant(alert: Alert, webhook: WebhookSettings) -> bool:
    """Return whether a webhook is to be told of an alert."""
    return (alert.level == "red" or webhook.level == "amber") and (not webhook.kinds or alert.kind in webhook.kinds)


def _anew(deliveries: Mapping[str, Delivery], state: ChangeState, before: ChangeState) -> dict[str, Delivery]:
    """Return deliveries with the attempts of another change forgotten."""
    if state == before:
        return dict(deliveries)
    return {name: Delivery(told=each.told, level=each.level) for name, each in deliveries.items()}


def _is_due(notice: Notice, delivery: Delivery) -> bool:
    if delivery.attempts >= MOST_ATTEMPTS:
        return False
    is_worse = notice.alert.level == "red" and delivery.level == "amber"
    return delivery.told != "on" or is_worse if notice.ended is None else _owes_end(notice, delivery)


def _owes_end(notice: Notice, delivery: Delivery) -> bool:
    return notice.alert.ends and delivery.told == "on" and delivery.attempts < MOST_ATTEMPTS


def _is_owed(notice: Notice) -> bool:
    return any(_owes_end(notice, delivery) for delivery in notice.deliveries.values())


class NoticeRecords:
    """The record in every store that answers. The newest counts: one that was out of reach for a while is older.

    Keeps what it read or wrote last, for when no store answers: then nothing is told twice by this process at least.
    """

    def __init__(self) -> None:
        self._last: Notices | None = None

    async def read(self, clients: Clients) -> tuple[Notices | None, dict[str, str | None]]:
        """Return the newest record there is, and the ETag of each store's, None where there is none.

        A store that can't be read is logged and left out; a record that can't be decoded counts as none.
        """
        found, etags = self._last, dict[str, str | None]()
        for name in clients.settings.stores:
            try:
                version = await _records(clients, name).read_version(NOTICES)
            except NotFoundError:  # no container yet
                etags[name] = None
                continue
            except IntegrityError as error:
                _LOG.warning("%s; it is written anew, so what is on is told once more", error)
                damaged = await clients.store(name).runs.read(NOTICES, RECORD_LIMIT)
                etags[name] = damaged.etag if damaged is not None else None
                continue
            except IndexvaultError as error:
                _LOG.warning("what was told of alerts can't be read in store %s: %s", name, error)
                continue
            etags[name] = version.etag if version is not None else None
            if version is not None and (found is None or version.record.number > found.number):
                found = version.record
        self._last = found
        return found, etags

    async def write(self, clients: Clients, notices: Notices, etags: dict[str, str | None]) -> dict[str, str | None]:
        """Write the record to every store that answered, and return the new ETags.

        Raises ConflictError if somebody else has written it meanwhile: another tick is at work.
        """
        self._last = notices
        written = dict[str, str | None]()
        for name, etag in etags.items():
            try:
                if etag is None:
                    await clients.store(name).prepare()
                written[name] = await _records(clients, name).write(
                    NOTICES, notices, if_match=etag, if_absent=etag is None
                )
            except ConflictError:
                self._last = None
                raise
            except IndexvaultError as error:
                _LOG.warning("what was told of alerts can't be written to store %s: %s", name, error)
        return written


def _records(clients: Clients, store: str) -> RecordStore[Notices]:
    return RecordStore(clients.store(store).runs, Notices, what="what was told of alerts can't be read", limit=_LIMIT)
