"""The command line against a deployment: `python -m indexvault --url` as a process, the real app behind it."""

import asyncio
import re
import signal

import pytest

from tests.cli.remote.processes import LONGEST, embedded, indexvault, result_of, same, started
from tests.functions.app import EAST, HELD, WEST, App, Ground, hotels


@pytest.mark.slow  # starts many processes
async def test_a_backup_is_listed_shown_and_restored(app: App, ground: Ground) -> None:
    await ground.fill("hotels", hotels(40))
    made = await indexvault(app, "backup", EAST, "hotels")
    assert made.code == 0, made.stderr
    reference = made.stdout.split()[1]
    assert re.fullmatch(
        r"complete  \S+\n  40 documents, .* in 1 chunk \(.*\); added .* in 1 chunk; .* s\n", made.stdout
    )

    for arguments in (["snapshots", EAST, "--json"], ["show", f"{EAST}/hotels@latest"], ["show", reference, "--json"]):
        remote, local = await indexvault(app, *arguments), await embedded(app, *arguments)
        assert (remote.code, remote.stdout) == (local.code, local.stdout) == (0, local.stdout), remote.stderr

    into = ("--to", f"{WEST}/hotels-back")
    checked = await indexvault(app, "restore", f"{EAST}/hotels@latest", *into, "--dry-run", "--json")
    assert (checked.code, checked.records[0]["ready"]) == (0, True), checked.stderr
    restored = await indexvault(app, "restore", f"{EAST}/hotels@latest", *into)
    assert restored.code == 0, restored.stderr
    assert restored.stdout.startswith(f"restored  {WEST}/hotels-back from {reference}\n  40 documents read back")
    assert "40 the same to the byte" in restored.stdout
    assert "mode create: 40 documents written, 0 deleted, in 1 request" in restored.stdout
    in_the_way = await indexvault(app, "restore", reference, *into, "--dry-run", "--json")
    assert (in_the_way.code, in_the_way.records[0]["ready"]) == (5, False)
    again = await indexvault(app, "restore", reference, *into)
    assert (again.code, f"name: an index {WEST}/hotels-back exists; nothing was touched" in again.error_line) == (
        5,
        True,
    )
    assert again.error_line == (await embedded(app, "restore", reference, *into)).error_line


async def test_a_move_and_what_ran(app: App, ground: Ground) -> None:
    await ground.fill("hotels", hotels(30))
    checked = await indexvault(app, "move", f"{EAST}/hotels", "--to", f"{WEST}/inns", "--dry-run", "--json")
    assert (checked.code, checked.records[0]["ready"], checked.records[0]["documents"]) == (0, True, 30)
    assert checked.records[0]["would"][0] == f"make a snapshot of {EAST}/hotels"
    missing = await indexvault(app, "move", f"{EAST}/nothing", "--to", WEST, "--dry-run")
    assert (missing.code, "would not be moved" in missing.stdout) == (4, True), missing.stderr
    moved = await indexvault(app, "move", f"{EAST}/hotels", "--to", f"{WEST}/inns", "--json")
    assert moved.code == 0, moved.stderr
    [record] = moved.records
    assert (record["event"], record["target_index"], record["compared"]) == ("move", "inns", 30)
    [listed] = (await indexvault(app, "runs", "--json")).records
    assert listed["state"] == "done"
    shown = await indexvault(app, "runs", listed["run"])
    assert f"{WEST}/inns: done, 30 documents" in shown.stdout
    assert (await indexvault(app, "cancel", listed["run"])).code == 5


async def test_lossy_and_failed_indexes_each_have_their_say(app: App, ground: Ground) -> None:
    fields = [
        {"name": "id", "type": "Edm.String", "key": True, "filterable": True, "sortable": True},
        {"name": "name", "type": "Edm.String", "retrievable": False},
    ]
    await ground.send(EAST, "PUT", "/indexes('rooms')", {"name": "rooms", "fields": fields})
    everything = await indexvault(app, "backup", EAST, "--json")
    assert everything.code == 3, everything.stderr
    assert [(record["event"], record["state"]) for record in everything.records] == [
        ("backup", "lossy"),
        ("service_objects", "complete"),
    ]
    refused = await indexvault(app, "restore", f"{EAST}/rooms@latest", "--to", f"{WEST}/rooms", "--json")
    assert (refused.code, refused.records[0]["kind"]) == (3, "LossNotAcceptedError")
    assert "--accept-loss" in refused.records[0]["do"]
    some = await indexvault(app, "backup", EAST, "rooms", "nothing")
    assert (some.code, "nothing: there is no such index" in some.error_line) == (4, True)
    assert f"{EAST}: 2 indexes: 0 complete, 1 lossy or unsettled, 1 failed" in some.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["replicate", EAST], 2, "replicate: a deployment does not support this. Leave out --url and set"),
        (["backup", EAST, "--parallel", "2"], 2, "a deployment does not support --parallel"),
        (["prune", EAST], 2, "there is no terminal to ask on"),
        (["prune", EAST, "--yes"], 4, "the container is not there"),
        (["backup", EAST, "--dry-run"], 2, "--url: a deployment does not support --dry-run"),
        (["backup", EAST, "!h*"], 2, "expected at least one entry without !"),
        (["backup", EAST, "No-Index"], 2, "INDEX: this is no name that an index can have"),
        (["backup", EAST, "no/index"], 2, "it is not of contoso-east"),
        (["backup", "nobody"], 4, "service nobody"),
        (["snapshots", f"{EAST}/rooms"], 4, "rooms"),
        (["show", f"{EAST}/rooms@latest"], 4, "rooms"),
        (["runs", "NOPE"], 4, "run NOPE: no such run. `indexvault runs` lists the runs"),
        (["cancel", "../NOPE"], 4, "run ../NOPE: no such run"),
        (["runs", "20261120T020000Z-backup-7f3a9c"], 4, "no such run"),
    ],
)
async def test_refusals_end_as_they_do_here(refusing: App, arguments: list[str], code: int, complaint: str) -> None:
    told = await indexvault(refusing, *arguments)
    assert (told.code, complaint in told.error_line) == (code, True), told.stderr


async def test_keys_that_do_not_open(refusing: App) -> None:
    wrong = await indexvault(refusing, "snapshots", INDEXVAULT_KEY="a-wrong-key")
    assert (wrong.code, "the key is missing or wrong. Set INDEXVAULT_KEY" in wrong.error_line) == (1, True)
    none = await indexvault(refusing, "snapshots", INDEXVAULT_KEY="")
    assert (none.code, "there is no key for the deployment" in none.error_line) == (2, True)
    assert "a-wrong-key" not in wrong.stderr + wrong.stdout
    given = await indexvault(refusing, "--key", refusing.function_key, "snapshots", INDEXVAULT_KEY="a-wrong-key")
    assert (given.code, given.stdout) == (0, "There are no snapshots\n")


async def test_an_interrupted_command_leaves_the_run_which_can_be_cancelled(app: App, ground: Ground) -> None:
    await ground.fill("hotels", hotels(3000))
    await ground.faults(EAST, HELD)
    process = await started(app, "backup", EAST, "hotels")
    async with asyncio.timeout(LONGEST):
        while not (runs := await app.runs()):  # noqa: ASYNC110 - another process is polled
            await asyncio.sleep(0.1)
    run = runs[0]["run"]
    await app.until(run, lambda view: view["state"] == "running")
    await asyncio.sleep(1)  # the command has been told of its run, and needs a moment to read that
    process.send_signal(signal.SIGINT)
    stopped = await result_of(app, process)
    assert stopped.code == 130
    assert f"run {run} continues on the deployment" in stopped.error_line
    assert f"to cancel it: indexvault --url {app.url} cancel {run}" in stopped.error_line
    assert (await app.show(run))["state"] == "running"
    cancelled = await indexvault(app, "cancel", run, "--json")
    assert (cancelled.code, cancelled.records[0]["state"]) == (0, "cancelled")


async def test_a_deployment_that_is_down(app: App) -> None:
    await app.stop()
    several = await indexvault(app, "backup", EAST, "hotels", "rooms")
    assert several.code == 1
    assert f"{EAST} index rooms: not attempted" in several.stderr
    down = await indexvault(app, "snapshots")
    assert (down.code, "no connection could be made" in down.error_line) == (1, True)


@pytest.mark.slow  # starts many processes, which follow runs; tests/api/test_service_restores.py has the rules
async def test_a_whole_service(app: App, ground: Ground) -> None:
    await ground.fill("hotels", hotels(20))
    await ground.fill("rooms", hotels(3))
    assert (await indexvault(app, "backup", EAST)).code == 0
    whole = ("restore", f"{EAST}@latest", "--to", WEST, "--rename", "*=dr-*")
    checked = await same(app, *whole, "--dry-run")
    assert (checked.code, "everything can be restored; nothing was written" in checked.stdout) == (0, True)
    some = await indexvault(app, *whole, "--indexes", "rooms", "--json")
    assert some.code == 0, some.stderr
    assert [(each["target"], each["outcome"]) for each in some.records[0]["objects"]] == [("dr-rooms", "made")]
    again = await same(app, *whole, "--indexes", "rooms")
    assert (again.code, "1 object of 1 not on the target" in again.stdout) == (1, True)
    assert (await same(app, "restore", f"{EAST}@20200101T000000Z-123456", "--to", WEST)).code == 4
    assert (await same(app, "restore", f"{EAST}@latest", "--to", "nobody")).code == 4
    assert (await same(app, *whole, "--indexes", "nothing")).code == 4
    assert (await same(app, *whole, "--mode", "sync")).code == 2
