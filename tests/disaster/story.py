"""The disaster, step by step: a region dies, the other takes over, the old primary comes back, and traffic returns."""

import json
import re
import time
import urllib.request
from collections.abc import Sequence
from typing import Any

from tests.disaster import dumps
from tests.disaster.ledger import Loss
from tests.disaster.scenario import Disaster
from tests.disaster.settings import COLD, HOT, RECOVERY_POINT, RECOVERY_TIME, WARM, east, west
from tests.disaster.traffic import INDEX

_LONG = 300.0
_TICKS = 3
_POINT = 120.0
_WRITES = ("index_documents", "create", "update", "put", "delete")


def play(it: Disaster) -> None:
    """Play it. What does not hold is among the checks; what does not end in time is a TimeoutError."""
    it.start()
    prepare(it)
    failed_at = strike(it)
    fail_over(it, failed_at)
    come_back(it)
    fail_back(it)
    compare(it)
    if it.size.is_patient and WARM in it.size.pairs:
        go_on(it)


def prepare(it: Disaster) -> None:
    """Wait until the standbys are what their mode says, then let the application write and read for a while."""
    pairs = it.size.pairs
    for pair in pairs:
        it.router.until_active(pair, east(pair), 60)
    it.until("the first backups and their copies", lambda: _backed_up(it, "east"), _LONG)
    if WARM in pairs:
        it.until("the standby of warm", lambda: _holds(it, west(WARM), it.size.documents), _LONG)
    it.say("the snapshots are copied to the west" + (", and warm-west is equal" if WARM in pairs else ""))
    for loop in [*it.writers.values(), *it.readers.values()]:
        loop.start()
    it.say(f"a writer and a reader for each pair, for {it.size.before:g} s")
    time.sleep(it.size.before)
    it.check("no query fails before the disaster", not any(reader.reads.failed() for reader in it.readers.values()))
    it.check("no run fails before the disaster", *_failures(it, _runs(it)))


def strike(it: Disaster) -> float:
    """Kill everything in the primary region, and return when."""
    failed_at = time.time()
    it.say(f"SIGKILL to the east: {', '.join(it.east.kill())}")
    for pair in it.size.pairs:
        took = it.router.until_active(pair, west(pair) if pair == HOT else None, 60)
        it.say(f"the router sees it for {pair} after {took:.1f} s")
    return failed_at


def fail_over(it: Disaster, failed_at: float) -> None:
    """Fail every pair over, see how long that took, and hold what is there against the writers' ledgers."""
    pairs = it.size.pairs
    said = it.cli_for_each(pairs, lambda pair: ["failover", pair, "--yes"])
    for pair in pairs:
        it.check(f"{pair}: the failover succeeds", said[pair].code == 0, f"exit {said[pair].code}")
    again = it.all_at_once(pairs, lambda pair: ["failover", pair, "--yes", "--json"])
    for pair in pairs:
        told = again[pair]
        it.check(
            f"{pair}: the same command again changes nothing", told.code == 0 and '"repeated":true' in _dense(told.text)
        )
        # Writes go on as soon as the router sends them to the west: what the standby holds until then is what counts.
        it.router.until_active(pair, west(pair), 60)
        it.figures[f"{pair}: failover"] = f"{said[pair].seconds:.1f} s of the command, {RECOVERY_TIME} allowed"
        _judge_loss(it, pair, failed_at, _window(told.text))
    time.sleep(it.size.after)
    for pair, reader in it.readers.items():
        failed, gap = reader.reads.failed(failed_at), reader.reads.longest_gap(failed_at)
        it.figures[f"{pair}: reads"] = (
            f"{len(failed)} of {len(reader.reads.found)} failed; none was answered for {gap:.1f} s"
        )
    it.timers["west"].start()
    it.say("the timers of the app in the west are on")


def come_back(it: Disaster) -> None:
    """Bring the old primary region back, with its timers, and see that it does no harm."""
    pairs = it.size.pairs
    it.east.start_services()
    it.east.start_store(it.blob_key)
    it.east.await_ports()
    before = {pair: it.dump(east(pair), "returned") for pair in pairs}
    for pair in pairs:
        dumps.control(it.endpoints[east(pair)], "DELETE", "/requests")
    returned = time.time()
    ticked = _ticks(it)
    it.start_app("east")
    it.east.await_ports()
    it.timers["east"].start()
    it.say("the east is back: services, store, and the app with its timers")
    it.until("ticks of the east", lambda: _ticks(it) >= ticked + _TICKS, _LONG)
    if it.size.is_patient:
        it.until("backups of the west", lambda: _backed_up(it, "west", returned), _LONG)
        it.say("the west is backed up, with the timers of both apps on")
    for pair in pairs:
        route = it.router.routes[pair]
        it.check(f"{pair}: traffic stays in the west", route.active == west(pair), it.router.said()[east(pair)])
        after = it.dump(east(pair), "ticked")
        it.check(f"{pair}: the east's timers changed nothing in the east", after[1] == before[pair][1], after[1][:12])
        wrote = _writes(it, east(pair))
        it.check(f"{pair}: the east was sent no write", not wrote, ", ".join(wrote))
        loss = it.loss(pair, west(pair))
        it.check(f"{pair}: the west holds every write since", not loss.lost and not loss.strange, _told(loss))
    failed = [each for each in _runs(it) if each["created"] >= _iso(returned) and each["state"] == "failed"]
    it.check("no run failed since", not failed, ", ".join(each["run"] for each in failed))
    begun = [
        each for each in _runs(it) if each["created"] >= _iso(returned) and str(each.get("policy")).endswith("-east")
    ]
    it.check("no policy of the east ran", not begun, ", ".join(each["run"] for each in begun))


def fail_back(it: Disaster) -> None:
    """Bring the primaries up to date and make them active again, while nobody writes."""
    pairs = it.size.pairs
    if HOT in pairs:
        it.writers[HOT].pause()
        right, other = f"{west(HOT)}/{INDEX}", f"{east(HOT)}/{INDEX}"
        said = it.cli_for_each([HOT], lambda _pair: ["compare", right, other, "--repair-from", right])
        it.check("hot: what the east lacks is repaired", said[HOT].code == 0, f"exit {said[HOT].code}")
        took = it.until("hot-east is routed to again", lambda: east(HOT) in it.router.routes[HOT].up, _LONG)
        it.say(f"hot-east is measured equal, and gets traffic after {took:.1f} s")
    for pair in pairs:
        it.writers[pair].pause()
    began = time.time()
    said = it.cli_for_each(pairs, lambda pair: ["failback", pair, "--yes"])
    for pair in pairs:
        it.check(f"{pair}: the failback succeeds", said[pair].code == 0, f"exit {said[pair].code}")
        it.router.until_active(pair, east(pair), 60)
        it.figures[f"{pair}: failback"] = f"{said[pair].seconds:.1f} s of the command"
        failed = it.readers[pair].reads.failed(began)
        it.figures[f"{pair}: reads in failback"] = f"{len(failed)} failed"


def compare(it: Disaster) -> None:
    """Hold both sides of each pair against each other, and against the ledger, with tools that are not ours."""
    for pair in it.size.pairs:
        one, hash_one = it.dump(east(pair), "end")
        other, hash_other = it.dump(west(pair), "end")
        it.say(f"$ sha256sum {one.name} {other.name}\n    {hash_one}  {one.name}\n    {hash_other}  {other.name}")
        differing = dumps.difference(one, other)
        it.check(f"{pair}: both sides are equal", hash_one == hash_other, "\n".join(differing[:5]))
        loss = it.loss(pair, west(pair))
        unknown = sum(each.acknowledged is None for each in it.ledgers[pair].known())
        seen = f"{_told(loss)}, and {unknown} writes without an answer"
        it.check(f"{pair}: it is what the writer was told", not loss.lost and not loss.strange, seen)


def go_on(it: Disaster) -> None:
    """Write again after the failback, and see that the standby follows."""
    it.writers[WARM].resume()
    time.sleep(5)
    it.writers[WARM].pause()
    wanted = it.content(east(WARM))
    took = it.until("the standby follows again", lambda: it.content(west(WARM)) == wanted, _LONG)
    there = it.content(west(WARM))
    it.check("warm: the west follows the east again", there == wanted, f"{len(there)} documents, after {took:.0f} s")


def _told(loss: Loss) -> str:
    """Return what is lost or strange, with the first of each."""
    first = [f"{each.seq} of {each.key}" for each in loss.lost[:2]] + list(loss.strange[:2])
    return f"{len(loss.lost)} lost, {len(loss.strange)} strange" + (f" ({', '.join(first)})" if first else "")


def _judge_loss(it: Disaster, pair: str, failed_at: float, told: float) -> None:
    """Note what a failover lost of what was acknowledged before the failure. It told of `told` seconds."""
    loss = it.loss(pair, west(pair))
    before = [each for each in loss.lost if each.acknowledged is not None and each.acknowledged < failed_at]
    it.lost[pair] = frozenset(each.seq for each in loss.lost)
    window = loss.since(failed_at)
    it.figures[f"{pair}: lost"] = (
        f"{len(before)} of {len(it.ledgers[pair].known())} writes, of the last {window:.1f} s before the failure"
        f" ({RECOVERY_POINT} allowed)"
    )
    it.check(f"{pair}: nothing is there that nobody wrote", not loss.strange, ", ".join(loss.strange[:3]))
    it.check(f"{pair}: what was lost is within the recovery point", window <= _POINT, f"{window:.1f} s")
    seen = f"{window:.1f} s before the failure, and {told:.1f} s before the failover by its report"
    it.check(f"{pair}: what was lost is within what the failover told of", window <= told, seen)
    if pair == HOT:
        it.check("hot: nothing that the west acknowledged is lost", not loss.lost, f"{len(loss.lost)} lost")


def _window(text: str) -> float:
    """Return the seconds of writes that may be lost by a failover's report, 0 if it tells of none."""
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    told = next((each.get("window") for each in found if "window" in each), None)
    hours, minutes, seconds = re.fullmatch(r"PT?(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?", told or "P").groups()  # type: ignore[union-attr]
    return 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(seconds or 0)


def _dense(text: str) -> str:
    return text.replace(" ", "")


def _backed_up(it: Disaster, region: str, since: float = 0.0) -> bool:
    """Whether each policy of a region has ended a run since then, which copies its snapshots."""
    wanted = {f"{pair}-{region}" for pair in it.size.pairs if pair in (COLD, WARM)}
    done = [each for each in _runs(it) if each["state"] == "done" and each["created"] >= _iso(since)]
    return wanted <= {each.get("policy") for each in done}


def _holds(it: Disaster, service: str, documents: int) -> bool:
    try:
        return len(it.content(service)) == documents
    except OSError:
        return False


def _failures(it: Disaster, runs: Sequence[dict[str, Any]]) -> tuple[bool, str]:
    """Return whether none of some runs failed, and which did with what."""
    failed = [_app(it, f"runs/{each['run']}") for each in runs if each["state"] == "failed"]
    told = [
        f"{each['run']}: {each.get('failure')} {[part.get('failure') for part in each['indexes']]}" for each in failed
    ]
    return not failed, "; ".join(told)


def _runs(it: Disaster) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _app(it, "runs")["runs"]
    return found


def _app(it: Disaster, path: str) -> Any:
    """Ask the app of the east."""
    request = urllib.request.Request(  # noqa: S310 - an app on loopback
        f"{it.east.app_url}/api/{path}", headers={"x-functions-key": it.environment["HOST_FUNCTION_KEY"]}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
        return json.loads(answer.read())


def _ticks(it: Disaster) -> int:
    """Return how many ticks of the east's app have ended, by its log."""
    log = it.east.folder / "app.log"
    return log.read_text(errors="replace").count("runs started")


def _writes(it: Disaster, service: str) -> list[str]:
    requests = dumps.control(it.endpoints[service], "GET", "")["requests"]
    return [name for name in requests if name.startswith(_WRITES)]


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
