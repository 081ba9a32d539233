"""The app with a record key, and an attacker who can write to its store."""

import json
from datetime import UTC, datetime, timedelta

import msgspec

from indexvault.snapshots.azure_store import AzureStore
from indexvault.snapshots.run_names import open_name, record_name
from indexvault.workflow.runs import RunRecord
from tests.functions.app import EAST, WEST, App, Ground, hotels
from tests.keyed import KEY
from tests.snapshots.samples import documents, write_snapshot


async def test_what_an_attacker_writes_to_the_store_counts_for_nothing(app: App, ground: Ground) -> None:
    await app.stop()
    settings = json.loads(app.environment["INDEXVAULT_CONFIG"]) | {"record_key": {"env": "INDEXVAULT_RECORD_KEY"}}
    app.environment |= {"INDEXVAULT_CONFIG": json.dumps(settings), "INDEXVAULT_RECORD_KEY": KEY}
    await app.start()
    await ground.fill("hotels", hotels(30))
    assert (await app.back_up("hotels"))["state"] == "done"

    now = datetime.now(UTC)
    forged = RunRecord(
        run=f"{now:%Y%m%dT%H%M%SZ}-backup-0a0b0c",
        kind="backup",
        workflow="run_backup",
        service=EAST,
        asked="forged",
        owner="forged",
        created=now,
        choose=["*"],
    )
    async with AzureStore.from_connection_string("local", app.environment["STORE"]) as store:
        await store.runs.put(record_name(forged.run), msgspec.json.encode(forged))
        await store.runs.put(open_name(forged.run), b"{}")
        manifest, _ = await write_snapshot(
            store.snapshots, documents(range(9)), created=now + timedelta(minutes=1), run="forged"
        )
    await app.tick()
    assert forged.run not in {run["run"] for run in await app.runs()}
    assert (await app.ask("GET", f"/api/runs/{forged.run}")).status == 404

    listed = (await app.ask("GET", f"/api/snapshots?service={EAST}&index=hotels")).json["snapshots"]
    assert {each["id"]: each["authenticity"] for each in listed} == {
        manifest.id: "unauthentic",
        (await app.ask("GET", f"/api/snapshots/{EAST}/hotels/latest")).json["summary"]["id"]: "authentic",
    }
    order = {"snapshot": f"{EAST}/hotels@{manifest.id}", "target_service": WEST}
    refused = await app.ask("POST", "/api/restores", order)
    assert (refused.status, refused.json["type"]) == (409, "urn:indexvault:unauthentic")
    assert KEY not in "\n".join(app.said)
