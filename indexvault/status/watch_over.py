"""Look at everything, and tell webhooks what has changed: what each tick does last.

Fails closed: what can't be looked at is an alert itself. Only a tick that gets to its end is recorded, so that an
outside monitor sees when ticks stop.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from indexvault.errors import ConflictError, IndexvaultError, NotFoundError
from indexvault.settings.model import WebhookSettings
from indexvault.status.alerts import (
    Alert,
    alerts_of,
    check_failed,
    in_order,
    oldest_recovery_point,
    stale_lock_alert,
)
from indexvault.status.cards import Message, body_of
from indexvault.status.gather import read_fleet
from indexvault.status.notices import (
    Change,
    NoticeRecords,
    Notices,
    due_changes,
    noted,
    undelivered,
    updated,
)
from indexvault.status.stale_locks import stale_locks
from indexvault.status.ticks import TickRecord, write_tick
from indexvault.status.webhooks import Webhook, deliver, open_webhook
from indexvault.workflow.activity import Resources

_LOG = logging.getLogger(__name__)


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What a look at everything found, and what an outside monitor is to know of it."""

    alerts: list[Alert]
    tick: TickRecord


async def look(resources: Resources, troubles: Mapping[str, BaseException] | None = None) -> Looked:
    """Return everything that is wrong now. `troubles` are checks that have failed already, by their names.

    Never raises for what it looks at. Writes nothing.
    """
    now = resources.clock()
    found = [check_failed(what, error) for what, error in (troubles or {}).items()]
    oldest, all_there = None, False
    try:
        fleet = await read_fleet(resources)
        found += alerts_of(fleet)
        oldest, all_there = oldest_recovery_point(fleet)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is an alert
        _LOG.exception("the facts about services and stores could not be gathered")
        found.append(check_failed("services and stores", error))
    for store in resources.clients.settings.stores:
        try:
            found += [stale_lock_alert(lock) for lock in await stale_locks(resources, store)]
        except NotFoundError:  # no container yet
            continue
        except Exception as error:  # noqa: BLE001 - the same
            _LOG.warning("the locks in store %s could not be checked: %s", store, error)
            found.append(check_failed(f"locks in store {store}", error))
    all_there = all_there and all(each.kind != "check-failed" for each in found)
    return Looked(alerts=in_order(found), tick=TickRecord(at=now, oldest=oldest, all_there=all_there))


async def what_is_wrong(resources: Resources) -> Looked:
    """Return what is wrong now, with the webhooks that could not be told of something. Writes nothing."""
    looked = await look(resources)
    notices, _etags = await NoticeRecords().read(resources.clients)
    if notices is None:
        return looked
    failed = undelivered(notices, resources.clients.settings.alerts.webhooks)
    return Looked(alerts=in_order([*looked.alerts, *failed]), tick=looked.tick)


async def watch_over(
    resources: Resources, records: NoticeRecords, troubles: Mapping[str, BaseException] | None = None
) -> Looked:
    """Look at everything, tell webhooks what has changed since they were last told, and record the tick."""
    looked = await look(resources, troubles)
    try:
        await _tell(resources, records, looked.alerts)
    except ConflictError:
        _LOG.info("another tick tells of the alerts")
    await write_tick(resources.clients, looked.tick)
    return looked


async def _tell(resources: Resources, records: NoticeRecords, alerts: Sequence[Alert]) -> None:
    clients, webhooks = resources.clients, resources.clients.settings.alerts.webhooks
    before, etags = await records.read(clients)
    now = resources.clock()
    known = before or Notices(at=now)
    notices = updated(known, in_order([*alerts, *undelivered(known, webhooks)]), webhooks, now)
    etags = await records.write(clients, notices, etags)
    _log_changes(known, notices)
    for name, settings in webhooks.items():
        for changes in due_changes(notices, name, settings):
            failure = await _send(resources, name, settings, changes, notices)
            if failure is not None:
                _LOG.error("webhook %s was not told of %d alerts: %s", name, len(changes), failure)
            notices = noted(notices, name, changes, failure)
            etags = await records.write(clients, notices, etags)
            if failure is not None:
                break


def _log_changes(before: Notices, notices: Notices) -> None:
    """Log what has changed: rules on the log, such as those of Azure Monitor that send e-mail, see red as errors."""
    was = {notice.alert.key: notice.alert for notice in before.notices if notice.ended is None}
    on = {notice.alert.key: notice.alert for notice in notices.notices if notice.ended is None}
    for key, alert in on.items():
        if key not in was or (alert.level == "red" != was[key].level):
            level = logging.ERROR if alert.level == "red" else logging.WARNING
            _LOG.log(level, "alert %s, %s: %s. %s", alert.kind, alert.subject, alert.what, alert.do)
    for kind, subject in was.keys() - on.keys():
        _LOG.info("recovered from %s, %s", kind, subject)


async def _send(
    resources: Resources, name: str, settings: WebhookSettings, changes: Sequence[Change], notices: Notices
) -> str | None:
    on = sum(notice.ended is None for notice in notices.notices)
    try:
        webhook = open_webhook(resources.clients, name, settings)
    except IndexvaultError as error:
        return f"{error.on}: {error.what}"
    now = resources.clock()
    return await deliver(webhook, body_of(Message(at=now, on=on, changes=changes), webhook.format), now)


def change_of_a_test(now: datetime) -> Change:
    """Return the change that a test tells."""
    return Change(
        id="0" * 16,
        state="on",
        kind="test",
        level="amber",
        subject="this webhook",
        what="alerts of indexvault arrive here",
        do="Nothing: somebody has tried it with `indexvault alerts test`",
        since=now,
    )


class Tested(msgspec.Struct, frozen=True):
    """A webhook that was sent a test, and why it did not take it, None if it did."""

    webhook: str
    failure: str | None = None


async def try_webhooks(resources: Resources, name: str | None = None) -> list[Tested]:
    """Send a test to every webhook, or to one. Raises NotFoundError if there is none (of that name)."""
    webhooks = resources.clients.settings.alerts.webhooks
    if not webhooks or (name is not None and name not in webhooks):
        known = ", ".join(sorted(webhooks)) or "none"
        raise NotFoundError(
            "no webhook of this name is configured" if name is not None else "no webhook is configured",
            on=f"webhook {name}" if name is not None else "settings $.alerts.webhooks",
            do=f"Known: {known}; see docs/alerts.md",
        )
    names = [name] if name is not None else list(webhooks)
    return [Tested(each, await _test(resources, each, webhooks[each])) for each in names]


async def _test(resources: Resources, name: str, settings: WebhookSettings) -> str | None:
    try:
        webhook: Webhook = open_webhook(resources.clients, name, settings)
    except IndexvaultError as error:
        return f"{error.on}: {error.what}"
    now = resources.clock()
    return await deliver(
        webhook, body_of(Message(at=now, on=0, changes=[change_of_a_test(now)], test=True), webhook.format), now
    )
