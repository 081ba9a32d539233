import pytest

from tests.cli.desk import EAST, Operator, await_request


def test_named_index_gives_a_snapshot_with_every_document(desk: Operator) -> None:
    desk.east.fill("notes", 120)
    ended = desk.indexvault("backup", EAST, "notes")
    assert ended.code == 0, ended.stderr
    state, figures = ended.stdout.splitlines()
    assert state.startswith("complete  contoso-east/notes@")
    assert "120 documents" in figures
    assert "notes reading: 120 documents" in ended.stderr, "progress belongs to stderr"


def test_without_a_name_every_index_is_backed_up_and_the_second_time_adds_nothing(desk: Operator) -> None:
    for index in ("notes", "letters"):
        desk.east.fill(index, 30)
    first = desk.indexvault("backup", EAST, "--json")
    assert first.code == 0, first.stderr
    assert [(record["event"], record["index"], record["documents"]) for record in first.records[:-1]] == [
        ("backup", "letters", 30),
        ("backup", "notes", 30),
    ]
    assert (first.records[-1]["event"], first.records[-1]["state"]) == ("service_objects", "complete")
    again = desk.indexvault("backup", EAST, "--json")
    assert [record["added_bytes"] for record in again.records[:-1]] == [0, 0]


def test_one_that_fails_does_not_keep_the_others_from_being_backed_up(desk: Operator) -> None:
    desk.east.fill("notes", 10)
    ended = desk.indexvault("backup", EAST, "nothing", "notes")
    assert ended.code == 4
    assert ended.complaint == "contoso-east index nothing: there is no such index. Indexes of this service: notes"
    assert "complete  contoso-east/notes@" in ended.stdout
    assert ended.stdout.endswith("contoso-east: 2 indexes: 1 complete, 1 failed\n")


def test_lossy_backup_names_each_field_and_reason_and_has_its_own_code(desk: Operator) -> None:
    desk.east.fill("notes", 10, retrievable=False)
    ended = desk.indexvault("backup", EAST, "notes")
    assert ended.code == 3, ended.stderr
    assert ended.stdout.startswith("lossy  contoso-east/notes@")
    assert "not in it: text: retrievable is false: the service returns documents without this field" in ended.stdout
    record = desk.indexvault("backup", EAST, "notes", "--json").records[0]
    assert (record["state"], len(record["losses"])) == ("lossy", 1)


def test_alias_is_refused_with_the_index_behind_it(desk: Operator) -> None:
    desk.east.fill("notes-1", 10)
    desk.east.put("aliases/notes", {"name": "notes", "indexes": ["notes-1"]})
    ended = desk.indexvault("backup", EAST, "notes")
    assert ended.code == 4
    assert ended.complaint == "contoso-east index notes: this is an alias, not an index. Name the index: notes-1"


def test_service_without_an_index_is_nothing_to_back_up(desk: Operator) -> None:
    ended = desk.indexvault("backup", EAST)
    assert ended.code == 0, ended.stderr
    assert ended.stdout.startswith("contoso-east has no index\ncomplete  contoso-east/$service@")


def test_busy_service_is_waited_for(desk: Operator) -> None:
    desk.east.fill("notes", 10)
    desk.east.faults({"fault": "unavailable", "operation": "search", "times": 2, "retry_after": 0.1})
    ended = desk.indexvault("backup", EAST, "notes", "--log-level", "info")
    assert ended.code == 0, ended.stderr
    assert "info contoso-east POST index notes: the service is busy (HTTP 503); attempt 1 of 8" in ended.stderr


@pytest.mark.parametrize("json", [[], ["--json"]])
def test_control_c_stops_it_with_one_line_and_no_snapshot(desk: Operator, json: list[str]) -> None:
    desk.east.fill("notes", 10)
    desk.east.faults({"fault": "latency", "operation": "search", "seconds": 60})
    process = desk.start("backup", EAST, "notes", *json)
    await_request(process, desk.east, "search")
    ended = desk.interrupt(process)
    assert ended.code == 130
    assert ended.complaint.startswith("contoso-east index notes: the backup was stopped before it was finished. ")
    if json:
        assert [record["kind"] for record in ended.records] == ["CancelledError"]
    assert desk.indexvault("snapshots").stdout == "There are no snapshots\n"
