"""The app end to end: what the worker indexes, the timer, backups and restores over HTTP, kills and cancels."""

import asyncio

import pytest

from tests.functions.app import EAST, HELD, WEST, App, Ground, hotels


async def test_the_worker_indexes_every_function(app: App) -> None:
    answer = await app.ask("GET", "/admin/functions", key=app.master_key)
    found = {each["name"]: each["bindings"] for each in answer.json}
    triggers = {name: next(each for each in of if each["type"].endswith("Trigger")) for name, of in found.items()}
    routes = {
        (each["methods"][0], each["route"], each["authLevel"]) for each in triggers.values() if "route" in each
    }  # fmt: skip
    assert routes == {
        ("POST", "backups", "FUNCTION"),
        ("GET", "snapshots", "FUNCTION"),
        ("GET", "snapshots/{service}/{index}/{id}", "FUNCTION"),
        ("POST", "pins", "FUNCTION"),
        ("DELETE", "pins/{service}/{index}/{id}", "FUNCTION"),
        ("DELETE", "locks/{service}/{index}", "FUNCTION"),
        ("POST", "checks", "FUNCTION"),
        ("POST", "verifications", "FUNCTION"),
        ("POST", "prunes", "FUNCTION"),
        ("POST", "deletions", "FUNCTION"),
        ("POST", "comparisons", "FUNCTION"),
        ("GET", "status", "FUNCTION"),
        ("GET", "readiness", "FUNCTION"),
        ("POST", "drifts", "FUNCTION"),
        ("POST", "drills", "FUNCTION"),
        ("POST", "followings", "FUNCTION"),
        ("POST", "failovers", "FUNCTION"),
        ("GET", "alerts", "FUNCTION"),
        ("POST", "alerts/tests", "FUNCTION"),
        ("GET", "policies", "FUNCTION"),
        ("GET", "stats", "FUNCTION"),
        ("POST", "protections", "FUNCTION"),
        ("DELETE", "protections/{service}/{index}/{id}", "FUNCTION"),
        ("GET", "{ignored:maxlength(0)?}", "FUNCTION"),
        ("GET", "page/{*path}", "FUNCTION"),
        ("GET", "page/assets/{name}", "ANONYMOUS"),
        ("POST", "histories", "FUNCTION"),
        ("POST", "restores", "FUNCTION"),
        ("POST", "moves", "FUNCTION"),
        ("GET", "runs", "FUNCTION"),
        ("GET", "runs/{run}", "FUNCTION"),
        ("GET", "runs/{run}/reports/{item}", "FUNCTION"),
        ("DELETE", "runs/{run}", "FUNCTION"),
        ("GET", "health", "ANONYMOUS"),
        ("GET", "health/{service}", "ANONYMOUS"),
        ("GET", "openapi.json", "FUNCTION"),
    }
    timer = triggers["start_due_policies"]
    assert (timer["schedule"], timer["runOnStartup"], timer["useMonitor"]) == ("%INDEXVAULT_TICK%", False, True)
    durable = [
        each for of in found.values() for each in of if each["type"] in {"orchestrationTrigger", "activityTrigger"}
    ]
    assert all(each["durableRequiresGrpc"] for each in durable)
    names = {name for name, each in triggers.items() if each["type"] == "orchestrationTrigger"}
    assert {"run_backup", "back_up_index", "run_restore", "restore_index", "run_move", "move_index"} <= names


async def test_a_due_policy_runs_once(app: App, ground: Ground) -> None:
    await ground.fill("hotels", hotels(20))
    await ground.fill("tmp-hotels", hotels(3))
    words = {"name": "words", "format": "solr", "synonyms": "inn, hotel"}
    await ground.send(EAST, "PUT", "/synonymmaps('words')", words)
    await asyncio.gather(app.tick(), app.tick())
    [run] = await app.runs()
    assert run["policy"] == "yearly"
    ended = await app.end_of(run["run"])
    assert (ended["state"], ended["documents"]) == ("done", 20)
    assert [(index["index"], index["state"]) for index in ended["indexes"]] == [
        ("hotels", "done"),
        ("$service", "done"),
    ]
    await app.tick()
    assert [each["run"] for each in await app.runs()] == [run["run"]]
    listed = (await app.ask("GET", "/api/snapshots")).json["snapshots"]
    assert [(each["index"], each["documents"], each["run"]) for each in listed] == [
        ("$service", 1, f"{run['run']}-1"),
        ("hotels", 20, f"{run['run']}-0"),
    ]


async def test_a_restore_is_followed_to_its_end(app: App, ground: Ground) -> None:
    await ground.fill("hotels", hotels(50))
    await app.back_up("hotels")
    asked = {"snapshot": f"{EAST}/hotels@latest", "target_service": WEST, "target_index": "hotels-back"}
    answer = await app.ask("POST", "/api/restores", asked)
    assert answer.status == 202, answer.text
    assert answer.headers["Location"] == f"/api/runs/{answer.json['run']}"
    assert int(answer.headers["Retry-After"]) > 0
    ended = await app.end_of(answer.json["run"])
    assert (ended["kind"], ended["state"], ended["documents"]) == ("restore", "done", 50)
    again = await app.ask("POST", "/api/restores", asked)
    assert (again.status, again.json["on"]) == (409, f"{WEST}/hotels-back")


async def test_a_dry_run_is_answered_at_once_and_starts_nothing(app: App, ground: Ground) -> None:
    await ground.fill("hotels", hotels(5))
    await app.back_up("hotels")
    asked = {"snapshot": f"{EAST}/hotels@latest", "target_service": WEST, "target_index": "x", "dry_run": True}
    before = await app.runs()
    answer = await app.ask("POST", "/api/restores", asked)
    assert (answer.status, answer.json["ready"], answer.json["documents"]) == (200, True, 5)
    assert await app.runs() == before


@pytest.mark.parametrize(
    "alias",
    [None, pytest.param("guests", marks=pytest.mark.slow)],  # a move waits until an alias points elsewhere everywhere
)
async def test_a_move_is_followed_to_its_end(app: App, ground: Ground, alias: str | None) -> None:
    await ground.fill("hotels", hotels(30))
    asked = {"service": EAST, "index": "hotels", "target_service": WEST, "target_index": "hotels-moved"}
    answer = await app.ask("POST", "/api/moves", asked | {"alias": alias})
    assert answer.status == 202, answer.text
    ended = await app.end_of(answer.json["run"])
    assert (ended["kind"], ended["state"], ended["documents"]) == ("move", "done", 30), ended


async def test_one_of_two_backups_of_an_index_is_refused(app: App, ground: Ground) -> None:
    await ground.fill("hotels", hotels(50))
    await ground.fill("rooms", hotels(50))
    await ground.faults(EAST, HELD)
    body = {"service": EAST, "indexes": ["rooms", "hotels"]}
    answers = await asyncio.gather(*(app.ask("POST", "/api/backups", body) for _ in range(2)))
    await ground.faults(EAST)
    taken, refused = sorted(answers, key=lambda answer: answer.status)
    assert (taken.status, refused.status) == (202, 409)
    assert refused.headers["Content-Type"].startswith("application/problem+json")
    assert f"run {taken.json['run']}-0 (POST /backups)" in refused.json["detail"]
    assert (await app.end_of(taken.json["run"]))["state"] == "done"
    assert (await app.back_up("hotels"))["state"] == "done"


async def test_a_deleted_index_is_reported_and_not_fatal(app: App, ground: Ground) -> None:
    for name in ("a-hotels", "b-hotels", "c-hotels"):
        await ground.fill(name, hotels(5))
    await ground.faults(EAST, HELD)
    answer = await app.ask("POST", "/api/backups", {"service": EAST, "indexes": ["*"]})
    await app.until(answer.json["run"], lambda run: bool(run["indexes"]))
    await ground.send(EAST, "DELETE", "/indexes('c-hotels')")
    await ground.faults(EAST)
    ended = await app.end_of(answer.json["run"])
    assert ended["state"] == "done"
    assert {each["index"]: each["state"] for each in ended["indexes"]} == {
        "a-hotels": "done",
        "b-hotels": "done",
        "c-hotels": "gone",
        "$service": "done",
    }
    assert "there is no such index" in ended["indexes"][2]["failure"]


@pytest.mark.slow  # starts many processes
async def test_a_killed_host_goes_on_from_its_checkpoints(app: App, ground: Ground) -> None:
    await ground.fill("hotels", hotels(12_000))
    await ground.faults(EAST, HELD | {"skip": 12})
    answer = await app.ask("POST", "/api/backups", {"service": EAST, "indexes": ["hotels"]})
    run = answer.json["run"]
    await app.until(run, lambda run: run["documents"] >= 3000)
    await app.kill()
    await ground.faults(EAST)
    await app.start()
    assert (await app.show(run))["state"] == "running"
    assert (await app.ask("POST", "/api/backups", {"service": EAST, "indexes": ["hotels"]})).status == 409
    await app.tick()
    ended = await app.end_of(run)
    assert (ended["state"], ended["documents"]) == ("done", 12_000)
    listed = (await app.ask("GET", f"/api/snapshots?service={EAST}&index=hotels")).json["snapshots"]
    assert [(each["documents"], each["run"]) for each in listed] == [(12_000, f"{run}-0")]


async def test_a_cancelled_run_commits_nothing(app: App, ground: Ground) -> None:
    await ground.fill("hotels", hotels(5_000))
    await ground.faults(EAST, HELD)
    answer = await app.ask("POST", "/api/backups", {"service": EAST, "indexes": ["hotels"]})
    path = f"/api/runs/{answer.json['run']}"
    cancelled = await app.ask("DELETE", path)
    assert (cancelled.status, cancelled.json["state"]) == (200, "cancelled")
    assert (await app.ask("DELETE", path)).status == 200
    await ground.faults(EAST)
    again = await app.back_up("hotels")
    assert again["state"] == "done"
    listed = (await app.ask("GET", "/api/snapshots")).json["snapshots"]
    assert answer.json["run"] not in {each["run"].rpartition("-")[0] for each in listed}
    done = await app.ask("DELETE", f"/api/runs/{again['run']}")
    assert (done.status, done.json["type"]) == (409, "urn:indexvault:conflict")


async def test_health_is_up_when_all_can_be_reached(app: App) -> None:
    async with asyncio.timeout(300):
        while (answer := await app.ask("GET", "/api/health", key="")).status == 503:  # noqa: ASYNC110 - a process
            await asyncio.sleep(1)  # an app that has just started on a busy machine may not make it in time
    assert (answer.status, answer.text) == (200, '{"status":"up"}')


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_probes_of_routers_need_no_key(app: App, method: str) -> None:
    answer = await app.ask(method, f"/api/health/{EAST}", key="")
    told = '{"status":"unknown","reason":"no service of this name is in a pair"}'
    assert (answer.status, answer.text) == (404, told if method == "GET" else "")
    assert answer.headers["Cache-Control"] == "no-store"
    assert (await app.ask(method, "/api/health/No_Name", key="")).status == 422
    assert (await app.ask(method, "/api/health", key="")).status in {200, 503}


@pytest.mark.slow  # the app asks again until its time for an answer is over; tests/api/test_health.py has less of it
async def test_health_is_down_when_a_service_cannot_be_reached(app: App, ground: Ground) -> None:
    await ground.faults(EAST, {"fault": "unavailable"})
    answer = await app.ask("GET", "/api/health", key="")
    assert (answer.status, answer.text) == (503, '{"status":"down"}')


async def test_settings_that_cannot_be_used_are_an_answer(app: App) -> None:
    await app.stop()
    app.environment["INDEXVAULT_CONFIG"] = '{"stores": {}, "services": {"a": {}}}'
    await app.start()
    health = await app.ask("GET", "/api/health", key="")
    assert (health.status, health.text) == (503, '{"status":"down"}')
    answer = await app.ask("GET", "/api/runs")
    assert (answer.status, answer.json["type"]) == (500, "urn:indexvault:settings")
    assert answer.json["on"] == "INDEXVAULT_CONFIG:1: services.a"


async def test_a_tick_that_is_not_set_is_every_five_minutes(app: App) -> None:
    await app.stop()
    app.environment["INDEXVAULT_TICK"] = ""
    await app.start()
    answer = await app.ask("GET", "/admin/functions", key=app.master_key)
    [bindings] = [each["bindings"] for each in answer.json if each["name"] == "start_due_policies"]
    assert [each["schedule"] for each in bindings if "schedule" in each] == ["0 */5 * * * *"]


async def test_one_of_two_moves_of_an_index_is_refused(app: App, ground: Ground) -> None:
    await ground.fill("hotels", hotels(50))
    await ground.faults(EAST, HELD)
    asked = {"service": EAST, "index": "hotels", "target_service": WEST, "target_index": "moved"}
    answers = await asyncio.gather(*(app.ask("POST", "/api/moves", asked) for _ in range(2)))
    taken, refused = sorted(answers, key=lambda answer: answer.status)
    assert (taken.status, refused.status) == (202, 409)
    run = taken.json["run"]
    assert f"run {run}-0" in refused.json["detail"]
    await app.until(run, lambda view: view["state"] == "running")
    again = await app.ask("POST", "/api/moves", asked)
    assert (again.status, f"run {run}-0" in again.json["detail"]) == (409, True)
    await ground.faults(EAST)
    assert (await app.end_of(run))["state"] == "done"
    await ground.faults(EAST, HELD)
    backup = await app.ask("POST", "/api/backups", {"service": EAST, "indexes": ["hotels"]})
    elsewhere = await app.ask("POST", "/api/moves", asked | {"target_index": "elsewhere"})
    assert (elsewhere.status, f"run {backup.json['run']}-0 (POST /backups)" in elsewhere.json["detail"]) == (409, True)


async def test_a_cancelled_move_goes_no_further(app: App, ground: Ground) -> None:
    await ground.fill("hotels", hotels(5_000))
    await ground.faults(EAST, HELD | {"skip": 7})
    asked = {"service": EAST, "index": "hotels", "target_service": WEST, "target_index": "moved", "delete_source": True}
    answer = await app.ask("POST", "/api/moves", asked)
    run = answer.json["run"]
    shown = await app.until(run, lambda view: view["documents"] > 0)
    assert (shown["indexes"][0]["stage"], shown["indexes"][0]["expected"]) == ("read", 5_000)
    for _ in range(2):
        cancelled = await app.ask("DELETE", f"/api/runs/{run}")
        assert (cancelled.status, cancelled.json["state"]) == (200, "cancelled")
    await ground.faults(EAST)
    again = await app.back_up("hotels")
    assert again["state"] == "done"
    listed = (await app.ask("GET", "/api/snapshots")).json["snapshots"]
    assert [each["run"] for each in listed] == [f"{again['run']}-0"]
    await ground.fill("moved", hotels(1), WEST)  # nobody has taken the name
