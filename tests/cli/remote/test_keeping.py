"""What keeps snapshots, through a deployment: each command says and returns what it does without one."""

import asyncio
import json

import pytest
from azure.storage.blob import ContainerClient

from tests.cli.remote.processes import LONGEST, embedded, indexvault, same
from tests.cli.terminal import STORAGE_VERSION
from tests.functions.app import EAST, HELD, App, Ground, hotels


async def test_pins(app: App, ground: Ground) -> None:
    await ground.fill("hotels", hotels(4))
    snapshot = (await app.back_up("hotels"))["indexes"][0]["snapshot"]
    reference = f"{EAST}/hotels@{snapshot}"
    pinned = await indexvault(app, "pin", f"{EAST}/hotels@latest", "--reason", "before the sale")
    assert (pinned.code, pinned.stdout) == (0, f"{reference} is pinned: no policy removes it\n"), pinned.stderr
    await same(app, "pin", reference, "--json")
    local = await embedded(app, "unpin", reference, "--json")
    await embedded(app, "pin", reference)
    remote = await indexvault(app, "unpin", reference, "--json")
    assert (remote.code, remote.stdout) == (0, local.stdout), remote.stderr
    assert remote.records == [{"event": "unpinned", "reference": reference, "was_pinned": True}]
    assert (await same(app, "unpin", reference)).stdout == f"{reference} was not pinned\n"
    assert (await same(app, "pin", f"{EAST}/rooms@latest")).code == 4
    assert (await same(app, "unpin", f"{EAST}/rooms@latest", "--json")).code == 4
    assert (await same(app, "pin", "nobody/rooms@latest")).code == 4


async def test_a_lock_is_taken_from_its_run(app: App, ground: Ground) -> None:
    await ground.fill("hotels", hotels(4))
    await ground.faults(EAST, HELD)
    begun = await app.ask("POST", "/api/backups", {"service": EAST, "indexes": ["hotels"]})
    await _held_search(ground)
    freed = await indexvault(app, "unlock", f"{EAST}/hotels", "--json")
    assert (freed.code, freed.records[0]["lock"]) == (0, "unlocked")
    assert freed.records[0]["had"] == f"run {begun.json['run']}-0 (POST /backups)"
    assert (await same(app, "unlock", f"{EAST}/hotels")).stdout == f"{EAST}/hotels: it was not locked\n"
    await same(app, "unlock", f"{EAST}/hotels", "--json")
    assert (await same(app, "unlock", "nobody/hotels")).code == 4
    await ground.faults(EAST)
    assert (await app.end_of(begun.json["run"]))["state"] == "failed"


async def _held_search(ground: Ground) -> None:
    """Wait until a run has sent a search, which is held back."""
    async with asyncio.timeout(LONGEST):
        while True:
            async with ground.session.get(f"{ground.emulator.endpoint(EAST)}/$emulator") as answer:
                if "search" in (await answer.json())["requests"]:
                    return
            await asyncio.sleep(0.05)


async def test_checks(app: App, ground: Ground) -> None:
    await ground.fill("hotels", hotels(4))
    well = await same(app, "check")
    assert (well.code, well.stdout.splitlines()[-1]) == (0, "all checks passed")
    await same(app, "check", "--json")
    await ground.faults(EAST, {"fault": "reset", "path": "docs/search"})
    refused = await same(app, "check")
    assert (refused.code, refused.stdout.splitlines()[-1]) == (
        1,
        "1 of 3 stores and services can't be used as they are",
    )
    await same(app, "check", "--json")


def _delete_chunk(connection_string: str, prefix: str) -> str:
    """Delete one chunk below a prefix, and return its name."""
    with ContainerClient.from_connection_string(
        connection_string, "search-snapshots", api_version=STORAGE_VERSION
    ) as container:
        name: str = next(name for name in container.list_blob_names(name_starts_with=prefix) if name.endswith(".gz"))
        container.delete_blob(name)
        return name


async def test_verifications(app: App, ground: Ground) -> None:
    await ground.fill("hotels", hotels(40))
    await ground.fill("rooms", hotels(3))
    first = (await app.back_up("hotels"))["indexes"][0]["snapshot"]
    await app.back_up()
    every = await same(app, "verify", EAST, "--json")
    assert (every.code, [record["index"] for record in every.records]) == (0, ["$service", "hotels", "rooms"])
    one = await same(app, "verify", f"{EAST}/hotels@{first}")
    assert (one.code, one.stdout.splitlines()[0]) == (0, f"sound  {EAST}/hotels@{first}")
    await same(app, "verify", f"{EAST}/h*", "--sizes")
    await same(app, "verify", f"{EAST}/hotels", "--sample", "1/2", "--json")
    assert (await same(app, "verify", f"{EAST}/nothing")).code == 4
    assert (await same(app, "verify", f"{EAST}/hotels@20200101T000000Z-123456")).code == 4
    [manifest] = [one for one in every.records if one["index"] == "hotels"]
    assert manifest["snapshots"] == 2
    gone = await asyncio.to_thread(_delete_chunk, app.environment["STORE"], f"{EAST}/hotels/")
    assert gone
    damaged = await same(app, "verify", EAST, "--json")
    assert (damaged.code, [len(record.get("damage", [])) for record in damaged.records[:2]]) == (6, [0, 1])
    [failed] = [run for run in await app.runs() if run["state"] == "failed" and len(run["indexes"]) > 1]
    assert (failed["kind"], failed["indexes"][1]["error"]["kind"]) == ("verify", "IntegrityError")


async def test_comparisons_and_histories(app: App, ground: Ground) -> None:
    await ground.fill("hotels", hotels(40))
    first = (await app.back_up("hotels"))["indexes"][0]["snapshot"]
    changed = [*hotels(3)[1:], {"id": "hotel-900000", "name": "New"}]
    for document in changed[:2]:
        document["name"] = "Renamed"
    await ground.fill("hotels", changed)
    before = f"{EAST}/hotels@{first}"
    live = await same(app, "diff", before, f"{EAST}/hotels", "--fields", "--json")
    assert (live.code, live.records[-1]["changed"], live.records[-1]["added"]) == (0, 2, 1), live.stdout
    drift = await same(app, "compare", before, f"{EAST}/hotels", "--json")
    assert (drift.code, drift.records[0]["different"], drift.records[0]["extra"]) == (1, 2, 1), drift.stdout
    await app.back_up("hotels")
    await same(app, "diff", before, f"{EAST}/hotels@latest", "--fields")
    assert (await same(app, "diff", before, f"{EAST}/nothing@latest")).code == 4
    assert (await same(app, "diff", before, f"{EAST}/nothing")).code == 4

    found = await same(app, "find", f"{EAST}/hotels", "hotel-000001", "--show")
    assert (found.code, found.stdout.count("Renamed")) == (0, 1)
    await same(app, "find", f"{EAST}/hotels", "hotel-000001", "--show", "--json")
    await same(app, "find", f"{EAST}/hotels", "hotel-900000", "--json")
    assert (await same(app, "find", f"{EAST}/hotels", "nobody")).code == 4
    assert (await same(app, "find", f"{EAST}/nothing", "nobody")).code == 4


async def test_prunes(app: App, ground: Ground) -> None:
    configuration = json.loads(app.environment["INDEXVAULT_CONFIG"])
    configuration["policies"]["yearly"]["keep"] = {"last": 1}
    app.environment["INDEXVAULT_CONFIG"] = json.dumps(configuration)
    await app.stop()
    await app.start()
    await ground.fill("hotels", hotels(40))
    for _ in range(3):
        await app.back_up("hotels")
    planned = await same(app, "prune", EAST, "--dry-run", "--json")
    assert [record["keep"] for record in planned.records if record["event"] == "decision"] == [True, False, False]
    await same(app, "prune", f"{EAST}/hotels", "--dry-run")
    removed = await indexvault(app, "prune", f"{EAST}/h*", "--yes", "--json")
    assert (removed.code, removed.records[-1]["removed"]) == (0, 2), removed.stderr
    assert (await same(app, "prune", f"{EAST}/nothing", "--yes")).code == 4
    await same(app, "prune", EAST, "--yes", "--json")
    [listed] = (await indexvault(app, "snapshots", EAST, "--json")).records
    assert listed["index"] == "hotels"


@pytest.mark.slow  # starts many processes, which follow runs; tests/maintenance/test_deletion_run.py has the rules
async def test_deletions(app: App, ground: Ground) -> None:
    await ground.fill("hotels", hotels(40))
    made = [(await app.back_up("hotels"))["indexes"][0]["snapshot"] for _ in range(4)]
    first, second, third, last = (f"{EAST}/hotels@{each}" for each in made)
    planned = await same(app, "delete", first, "--dry-run")
    assert (planned.code, planned.stdout.splitlines()[0][: len(first)]) == (0, first), planned.stderr
    await same(app, "delete", second, f"{EAST}/hotels@{made[0][-6:]}", "--dry-run", "--json")
    asked = await same(app, "delete", first)
    assert (asked.code, "Add --yes" in asked.error_line) == (2, True)
    assert (await same(app, "pin", first)).code == 0
    pinned = await same(app, "delete", first, second, "--yes")
    assert (pinned.code, "it is pinned in store local; nothing was deleted" in pinned.error_line) == (5, True)
    assert (await same(app, "delete", f"{EAST}/hotels@latest", "--yes")).code == 2
    assert (await same(app, "delete", f"{EAST}/hotels@20200101T000000Z-123456", "--yes")).code == 4
    assert (await same(app, "delete", f"{EAST}/nothing@20200101T000000Z-123456", "--yes")).code == 4
    assert (await same(app, "delete", f"nobody/hotels@{made[0]}", "--yes")).code == 4
    remote, local = await indexvault(app, "delete", second, "--yes"), await embedded(app, "delete", third, "--yes")
    assert (remote.code, remote.stdout) == (0, local.stdout.replace(made[2], made[1])), remote.stderr
    gone = await indexvault(app, "delete", last, "--yes", "--json")
    assert (gone.code, [record["event"] for record in gone.records]) == (0, ["deletion", "frees", "deleted"])
    kept = (await indexvault(app, "snapshots", f"{EAST}/hotels", "--json")).records
    assert [record["reference"] for record in kept] == [first]
    assert (await same(app, "delete", first, "--yes")).code == 5
