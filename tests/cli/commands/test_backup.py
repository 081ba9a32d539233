import pytest

from tests.cli.terminal import EAST, Terminal, await_request


def test_named_index_gives_a_snapshot_with_every_document(terminal: Terminal) -> None:
    terminal.east.fill("notes", 120)
    result = terminal.indexvault("backup", EAST, "notes")
    assert result.code == 0, result.stderr
    state, figures = result.stdout.splitlines()
    assert state.startswith("complete  contoso-east/notes@")
    assert "120 documents" in figures
    assert "notes reading: 120 documents" in result.stderr, "progress belongs to stderr"


@pytest.mark.slow  # starts many processes
def test_without_a_name_every_index_is_backed_up_and_the_second_time_adds_nothing(terminal: Terminal) -> None:
    for index in ("notes", "letters"):
        terminal.east.fill(index, 30)
    first = terminal.indexvault("backup", EAST, "--json")
    assert first.code == 0, first.stderr
    assert [(record["event"], record["index"], record["documents"]) for record in first.records[:-1]] == [
        ("backup", "letters", 30),
        ("backup", "notes", 30),
    ]
    assert (first.records[-1]["event"], first.records[-1]["state"]) == ("service_objects", "complete")
    again = terminal.indexvault("backup", EAST, "--json")
    assert [record["added_bytes"] for record in again.records[:-1]] == [0, 0]


def test_one_that_fails_does_not_keep_the_others_from_being_backed_up(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    result = terminal.indexvault("backup", EAST, "nothing", "notes")
    assert result.code == 4
    assert result.error_line == "contoso-east index nothing: there is no such index. Indexes of this service: notes"
    assert "complete  contoso-east/notes@" in result.stdout
    assert result.stdout.endswith("contoso-east: 2 indexes: 1 complete, 1 failed\n")


@pytest.mark.slow  # starts many processes
def test_lossy_backup_names_each_field_and_reason_and_has_its_own_code(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10, retrievable=False)
    result = terminal.indexvault("backup", EAST, "notes")
    assert result.code == 3, result.stderr
    assert result.stdout.startswith("lossy  contoso-east/notes@")
    assert "not in it: text: retrievable is false: the service returns documents without this field" in result.stdout
    record = terminal.indexvault("backup", EAST, "notes", "--json").records[0]
    assert (record["state"], len(record["losses"])) == ("lossy", 1)


def test_alias_is_refused_with_the_index_behind_it(terminal: Terminal) -> None:
    terminal.east.fill("notes-1", 10)
    terminal.east.put("aliases/notes", {"name": "notes", "indexes": ["notes-1"]})
    result = terminal.indexvault("backup", EAST, "notes")
    assert result.code == 4
    assert result.error_line == "contoso-east index notes: this is an alias, not an index. Name the index: notes-1"


def test_service_without_an_index_is_nothing_to_back_up(terminal: Terminal) -> None:
    result = terminal.indexvault("backup", EAST)
    assert result.code == 0, result.stderr
    assert result.stdout.startswith("contoso-east has no index\ncomplete  contoso-east/$service@")


def test_busy_service_is_waited_for(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    terminal.east.faults({"fault": "unavailable", "operation": "search", "times": 2, "retry_after": 0.1})
    result = terminal.indexvault("backup", EAST, "notes", "--log-level", "info")
    assert result.code == 0, result.stderr
    assert "info contoso-east POST index notes: the service is busy (HTTP 503); attempt 1 of 8" in result.stderr


@pytest.mark.parametrize("json", [[], ["--json"]])
def test_control_c_stops_it_with_one_line_and_no_snapshot(terminal: Terminal, json: list[str]) -> None:
    terminal.east.fill("notes", 10)
    terminal.east.faults({"fault": "latency", "operation": "search", "seconds": 60})
    process = terminal.start("backup", EAST, "notes", *json)
    await_request(process, terminal.east, "search")
    result = terminal.interrupt(process)
    assert result.code == 130
    assert result.error_line.startswith("contoso-east index notes: the backup was interrupted. ")
    if json:
        assert [record["kind"] for record in result.records] == ["CancelledError"]
    assert terminal.indexvault("snapshots").stdout == "There are no snapshots\n"


@pytest.mark.slow  # starts many processes
def test_a_dry_run_says_how_and_why_and_reads_nothing(terminal: Terminal) -> None:
    terminal.east.fill("notes", 50)
    result = terminal.indexvault("backup", EAST, "notes", "--dry-run")
    assert result.code == 0, result.stderr
    assert "key order" in result.stdout
    assert "the key field id is filterable and sortable" in result.stdout
    assert terminal.indexvault("snapshots", "--json").records == []
    [record] = terminal.indexvault("backup", EAST, "notes", "--dry-run", "--json").records
    assert (record["event"], record["documents"], record["method"]) == ("plan", 50, "key order")


@pytest.mark.slow  # starts many processes
def test_an_index_is_named_as_in_every_other_verb_and_patterns_as_in_policies(terminal: Terminal) -> None:
    for index in ("notes-1", "notes-2", "letters"):
        terminal.east.fill(index, 10)

    def backed_up(*arguments: str) -> list[str]:
        result = terminal.indexvault("backup", *arguments, "--dry-run", "--json")
        assert result.code == 0, result.stderr
        return [record["index"] for record in result.records]

    assert backed_up(f"{EAST}/letters") == ["letters"]
    assert backed_up(f"{EAST}/letters", "notes-2", f"{EAST}/notes-1") == ["letters", "notes-2", "notes-1"]
    assert backed_up(EAST, "*", "!notes-*", "notes-2") == ["letters", "notes-2"]
    assert backed_up(f"{EAST}/n*-1") == ["notes-1"]
    made = terminal.indexvault("backup", f"{EAST}/notes-*", "memos", "--json")
    assert made.code == 4
    assert "contoso-east index memos: there is no such index" in made.error_line
    assert [record.get("index") for record in made.records if record["event"] == "backup"] == ["notes-1", "notes-2"]
    for wrong in ([f"{EAST}/notes-1", "contoso-west/notes-2"], [EAST, "!notes-*"], [f"{EAST}/notes-1@latest"]):
        assert terminal.indexvault("backup", *wrong).code == 2
    assert "has no index that memos-* fits" in terminal.indexvault("backup", f"{EAST}/memos-*").stdout


def test_a_backup_past_its_time_limit_fails_with_the_reason_and_resumes(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    terminal.east.faults({"fault": "latency", "path": "docs", "seconds": 3600})
    ended = terminal.indexvault("backup", f"{EAST}/notes", "--time-limit", "PT1S")
    assert ended.code == 1
    assert ended.error_line.startswith(f"{EAST}/notes: it was ended after its time limit of 1 s.")
    terminal.east.faults()
    again = terminal.indexvault("backup", f"{EAST}/notes")
    assert again.code == 0
    assert "resuming the interrupted run" in again.stderr
