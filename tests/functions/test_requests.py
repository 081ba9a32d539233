"""Requests that can't be answered: each refusal is a problem document that names what is wrong."""

from typing import Any

import pytest

from tests.functions.app import EAST, WEST, App

pytestmark = pytest.mark.asyncio(loop_scope="module")

BACKUPS, RESTORES, MOVES = "/api/backups", "/api/restores", "/api/moves"
SNAPSHOT = f"{EAST}/hotels@latest"


def nested(levels: int) -> dict[str, Any]:
    patch: dict[str, Any] = {}
    for _ in range(levels):
        patch = {"a": patch}
    return patch


@pytest.mark.parametrize(
    ("path", "body", "status", "member"),
    [
        (BACKUPS, {}, 422, "body.service"),
        (BACKUPS, [], 422, "body"),
        (BACKUPS, {"service": 7}, 422, "body.service"),
        (BACKUPS, {"service": EAST, "endpoint": "https://elsewhere.example"}, 422, "body.endpoint"),
        (BACKUPS, {"service": EAST, "indexes": []}, 422, "body.indexes"),
        (BACKUPS, {"service": EAST, "indexes": ["hotels", "../x"]}, 422, "body.indexes[1]"),
        (BACKUPS, {"service": EAST, "indexes": ["a" * 200]}, 422, "body.indexes[0]"),
        (BACKUPS, {"service": EAST, "indexes": ["!tmp-*"]}, 422, "body.indexes"),
        (BACKUPS, {"service": "a" * 61}, 422, "body.service"),
        (BACKUPS, {"service": f"{EAST}\n"}, 422, "body.service"),
        (BACKUPS, {"service": EAST, "indexes": ["hotels\0"]}, 422, "body.indexes[0]"),
        (BACKUPS, {"service": EAST, "an\nother": 1}, 422, "body.an other"),
        (BACKUPS, {"service": EAST, "changes": {}}, 422, "body.changes.field"),
        (BACKUPS, {"service": EAST, "changes": {"field": "a b"}}, 422, "body.changes.field"),
        (BACKUPS, {"service": EAST, "changes": {"field": "a", "prove_every": "PT1M"}}, 422, "body.changes.prove_every"),
        (BACKUPS, {"service": "nobody"}, 404, None),
        (BACKUPS, {"service": EAST, "indexes": ["nothing"]}, 404, None),
        (BACKUPS, {"service": EAST, "indexes": ["no_thing"]}, 404, None),
        (RESTORES, {"snapshot": "hotels", "target_service": WEST}, 422, "body.snapshot"),
        (RESTORES, {"snapshot": f"{EAST}/hotels@never", "target_service": WEST}, 422, "body.snapshot"),
        (RESTORES, {"snapshot": SNAPSHOT, "target_service": WEST, "accept_loss": "yes"}, 422, "body.accept_loss"),
        (RESTORES, {"snapshot": SNAPSHOT, "target_service": "nobody"}, 404, None),
        (RESTORES, {"snapshot": f"{EAST}/rooms@latest", "target_service": WEST}, 404, None),
        (RESTORES, {"snapshot": f"{EAST}/rooms_2@latest", "target_service": WEST, "target_index": "a_b"}, 404, None),
        (RESTORES, {"snapshot": f"{EAST}/hotels@2026-02-31", "target_service": WEST}, 404, None),
        (RESTORES, {"snapshot": SNAPSHOT, "target_service": WEST, "mode": "overwrite"}, 422, "body.mode"),
        (RESTORES, {"snapshot": SNAPSHOT, "target_service": WEST, "patch": []}, 422, "body.patch"),
        (RESTORES, {"snapshot": SNAPSHOT, "target_service": WEST, "keys": [""]}, 422, "body.keys[0]"),
        (RESTORES, {"snapshot": SNAPSHOT, "target_service": WEST, "patch": {"name": "inns"}}, 422, "body.patch.name"),
        (RESTORES, {"snapshot": SNAPSHOT, "target_service": WEST, "patch": nested(900)}, 422, "body.patch"),
        (RESTORES, {"snapshot": SNAPSHOT, "target_service": WEST, "filter": "a >"}, 422, "body.filter"),
        (RESTORES, {"snapshot": SNAPSHOT, "target_service": WEST, "filter": "(" * 2000}, 422, "body.filter"),
        (RESTORES, {"snapshot": f"{SNAPSHOT}\n", "target_service": WEST}, 422, "body.snapshot"),
        (MOVES, {"service": EAST, "index": "hotels", "target_service": WEST, "patch": nested(99)}, 422, "body.patch"),
        (MOVES, {"service": EAST, "index": "nothing", "target_service": WEST}, 404, None),
        (MOVES, {"service": EAST, "index": "hotels"}, 422, "body.target_service"),
        (MOVES, {"service": EAST, "index": "hotels", "target_service": WEST, "key": "x"}, 422, "body.key"),
    ],
)
async def test_bodies(asked: App, path: str, body: Any, status: int, member: str | None) -> None:
    answer = await asked.ask("POST", path, body)
    assert (answer.status, answer.json["status"]) == (status, status), answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json.get("member") == member


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"service": "contoso-east"} {}', 400),
        (b"\xff\xfe", 400),
        (b'{"service": "\xff"}', 400),
        (b'{"service": "contoso-east", "indexes": ' + b"[" * 100_000, 422),
        (b'{"service": "' + b"a" * 1_000_001 + b'"}', 413),
    ],
)
async def test_bytes_that_are_no_request(asked: App, data: bytes, status: int) -> None:
    answer = await asked.ask("POST", BACKUPS, data=data)
    assert (answer.status, answer.json["member"].partition(".")[0]) == (status, "body")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/runs/20261120T020000Z-backup-7f3a9c", 404),
        ("/api/runs/..%2F..%2Frecords", 422),
        ("/api/runs/x", 422),
        ("/api/runs/20261120T020000Z-backup-7f3a9c%0A", 422),
        (f"/api/snapshots?service={EAST}%0A", 422),
        ("/api/runs?limit=0", 422),
        ("/api/runs?limit=many", 422),
        ("/api/runs?unknown=1", 422),
        ("/api/snapshots?service=nobody", 404),
        ("/api/snapshots?index=UPPER", 422),
        (f"/api/snapshots/{EAST}/rooms/latest", 404),
        (f"/api/snapshots/{EAST}/hotels/not-a-point", 422),
        (f"/api/snapshots/{EAST}/..%2F..%2Fx/latest", 422),
        ("/api/nothing", 404),
    ],
)
async def test_paths_and_queries(asked: App, path: str, status: int) -> None:
    answer = await asked.ask("GET", path)
    assert answer.status == status, answer.text


@pytest.mark.parametrize("path", ["/api/runs", "/api/snapshots", "/api/openapi.json"])
async def test_a_key_is_needed(asked: App, path: str) -> None:
    assert (await asked.ask("GET", path, key="")).status == 401
    assert (await asked.ask("GET", path, key="wrong")).status == 401
    assert (await asked.ask("GET", path, key="\udcff")).status == 401
    assert (await asked.ask("GET", f"{path}?code={asked.function_key}", key="")).status == 200


@pytest.mark.parametrize(
    ("asked_for", "member"),
    [
        ({"patch": {"fields": {"gone": None}}}, "body.patch.fields.gone"),
        ({"patch": {"fields": [1]}}, "body.patch"),
        ({"mode": "replace", "keys": ["hotel-000001"]}, "body.keys"),
    ],
)
async def test_what_the_snapshot_tells_is_refused_too(asked: App, asked_for: dict[str, Any], member: str) -> None:
    await asked.back_up("hotels")
    body = {"snapshot": SNAPSHOT, "target_service": WEST, "dry_run": True, **asked_for}
    answer = await asked.ask("POST", RESTORES, body)
    assert (answer.status, answer.json.get("member")) == (422, member), answer.text


async def test_a_snapshot_tells_what_it_holds(asked: App) -> None:
    run = await asked.back_up("hotels")
    answer = await asked.ask("GET", f"/api/snapshots/{EAST}/hotels/latest")
    assert (answer.status, answer.json["summary"]["run"]) == (200, f"{run['run']}-0")
    assert answer.json["counts"]["documents"] == 7
    assert answer.json["definition"]["stable"]["body"]["name"] == "hotels"
    by_id = await asked.ask("GET", f"/api/snapshots/{EAST}/hotels/{answer.json['summary']['id']}")
    assert by_id.json == answer.json
