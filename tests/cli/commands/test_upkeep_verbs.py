"""prune, pin, unpin, replicate, repair."""

import pytest
from azure.storage.blob import BlobServiceClient

from tests.azurite import Azurite
from tests.cli.desk import EAST, Operator

NOTES = f"{EAST}/notes"


@pytest.fixture
def second_store(desk: Operator, azurite: Azurite) -> str:
    """Return the desk a policy that keeps two snapshots and copies to a second store."""
    account = azurite.new_account()
    desk.settings["stores"]["second"] = {"connection_string": {"env": "SECOND"}, "region": "elsewhere"}
    desk.environment["SECOND"] = account
    policy = {"service": EAST, "schedule": "0 0 2 * * *", "keep": {"last": 2}, "replicate_to": ["second"]}
    desk.settings["policies"] = {"nightly": policy}
    return account


def delete(connection_string: str, suffix: str) -> str:
    with BlobServiceClient.from_connection_string(connection_string, api_version="2024-11-04") as account:
        container = account.get_container_client("search-snapshots")
        name: str = next(blob.name for blob in container.list_blobs() if blob.name.endswith(suffix))
        container.delete_blob(name)
        return name


def snapshots(desk: Operator) -> list[str]:
    return [record["reference"] for record in desk.indexvault("snapshots", NOTES, "--json").records]


def test_prune_shows_why_and_removes_what_no_rule_keeps(desk: Operator, second_store: str) -> None:
    del second_store
    desk.settings["policies"]["nightly"]["replicate_to"] = []
    desk.east.fill("notes", 40)
    made = [desk.back_up("notes") for _ in range(4)]
    dry = desk.indexvault("prune", NOTES, "--dry-run")
    assert dry.code == 0
    rows = [line.split() for line in dry.stdout.splitlines() if line.startswith("2")]
    assert [row[0] for row in rows] == [reference.partition("@")[2] for reference in made[::-1]]
    assert ["stays" in row for row in rows] == [True, True, False, False]
    assert "would go" in dry.stdout
    assert "last 1, the last complete one" in dry.stdout
    assert len(snapshots(desk)) == 4
    done = desk.indexvault("prune", EAST, "--json")
    assert done.code == 0
    assert [record["removed"] for record in done.records if record["event"] == "decision"] == [False, False, True, True]
    assert snapshots(desk) == made[:1:-1]


def test_without_rules_nothing_goes(desk: Operator) -> None:
    desk.east.fill("notes", 40)
    desk.back_up("notes")
    ended = desk.indexvault("prune", NOTES, "--json")
    assert (ended.code, [record["keep"] for record in ended.records[:1]]) == (0, [True])
    assert desk.indexvault("prune", f"{EAST}/none").code == 4
    assert desk.indexvault("prune", "nowhere").code == 4


def test_a_pinned_snapshot_stays_until_it_is_unpinned(desk: Operator, second_store: str) -> None:
    del second_store
    desk.east.fill("notes", 40)
    made = [desk.back_up("notes") for _ in range(3)]
    assert desk.indexvault("pin", made[0], "--reason", "audit").code == 0
    assert "pinned" in desk.indexvault("prune", NOTES).stdout
    assert snapshots(desk) == made[::-1]
    assert "no longer pinned" in desk.indexvault("unpin", made[0]).stdout
    assert "was not pinned" in desk.indexvault("unpin", made[0]).stdout
    desk.indexvault("prune", NOTES)
    assert snapshots(desk) == made[:0:-1]
    assert desk.indexvault("pin", made[0]).code == 4


def test_replicate_copies_and_says_how_far_behind(desk: Operator, second_store: str) -> None:
    del second_store
    desk.east.fill("notes", 40)
    reference = desk.back_up("notes")
    ended = desk.indexvault("replicate", EAST)
    assert ended.code == 0
    assert "1 snapshot copied" in ended.stdout
    assert "nothing behind" in ended.stdout
    assert desk.indexvault("verify", reference, "--store", "second").code == 0
    assert desk.indexvault("replicate", EAST, "--to", "local").code == 2
    assert desk.indexvault("replicate", EAST, "--to", "nowhere").code == 4
    del desk.settings["policies"]
    assert desk.indexvault("replicate", EAST).code == 2


def test_what_was_lost_here_is_read_from_the_replica(desk: Operator, second_store: str) -> None:
    del second_store
    desk.east.fill("notes", 40)
    reference = desk.back_up("notes")
    desk.indexvault("replicate", EAST)
    delete(desk.connection_string, ".jsonl.gz")
    delete(desk.connection_string, ".json")
    assert desk.indexvault("show", reference).code == 0
    restored = desk.indexvault("restore", reference, "--to", "contoso-west/notes")
    assert restored.code == 0, restored.stderr
    assert desk.west.indexes == ["notes"]


def test_repair_takes_from_the_replica_or_the_index(desk: Operator, second_store: str) -> None:
    desk.east.fill("notes", 40)
    reference = desk.back_up("notes")
    desk.indexvault("replicate", EAST)
    missing = delete(desk.connection_string, ".jsonl.gz")
    ended = desk.indexvault("verify", NOTES)
    assert ended.code == 6
    assert missing in ended.complaint
    assert reference.partition("@")[2] in ended.complaint
    repaired = desk.indexvault("repair", NOTES)
    assert repaired.code == 0, repaired.stderr
    assert f"put back  {missing} from store second" in repaired.stdout
    assert delete(second_store, ".jsonl.gz") == delete(desk.connection_string, ".jsonl.gz") == missing
    repaired = desk.indexvault("repair", reference)
    assert f"put back  {missing} from index {NOTES}" in repaired.stdout
    assert "Nothing is missing" in desk.indexvault("repair", NOTES).stdout
    delete(desk.connection_string, ".jsonl.gz")
    desk.east.call("DELETE", "/indexes/notes?api-version=2026-04-01")
    left = desk.indexvault("repair", NOTES)
    assert left.code == 6
    assert f"left  {missing}" in left.stdout


def test_repair_goes_on_to_the_chunks_of_a_manifest_that_is_back(desk: Operator, second_store: str) -> None:
    desk.east.fill("notes", 3000)
    desk.back_up("notes")
    assert second_store
    assert desk.indexvault("replicate", EAST).code == 0
    damaged = {desk.flip_byte(".jsonl.gz"), desk.flip_byte(".json")}
    ended = desk.indexvault("repair", NOTES, "--json")
    assert ended.code == 0, ended.stderr
    (record,) = ended.records
    assert {repaired["blob"] for repaired in record["repaired"]} == damaged
    assert desk.indexvault("verify", NOTES).code == 0
