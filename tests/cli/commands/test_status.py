"""`indexvault status`: the table, the lines of JSON, and the exit code."""

from tests.cli.terminal import EAST, Terminal, delete_blobs


def with_policy(terminal: Terminal) -> None:
    """Give the settings a policy for two indexes."""
    policy = {"service": EAST, "indexes": ["notes", "letters"], "schedule": "0 0 2 * * *"}
    terminal.settings["policies"] = {"nightly": policy}


def test_table_names_each_index_with_its_level(terminal: Terminal) -> None:
    with_policy(terminal)
    terminal.east.fill("notes", 1200)
    terminal.east.fill("scratch", 10)
    terminal.back_up("notes")
    result = terminal.indexvault("status")
    assert result.code == 0, result.stdout + result.stderr
    heading, *rows = result.stdout.splitlines()
    assert heading.split() == ["status", "index", "complete", "within", "next", "run", "documents", "size"]
    assert rows[0].split()[:5] == ["green", f"{EAST}/notes", "now", "2", "d"]
    assert rows[1].split()[:3] == ["grey", f"{EAST}/scratch", "never"]
    assert rows[-1] == "2 indexes: 1 green, 1 grey"
    assert max(map(len, rows)) <= 80


def test_red_ends_with_1_and_says_why_and_what_to_do(terminal: Terminal) -> None:
    with_policy(terminal)
    terminal.east.fill("notes", 10)
    terminal.east.fill("letters", 10)
    terminal.back_up("notes")
    result = terminal.indexvault("status")
    assert result.code == 1
    assert f"{EAST}/letters: there is no complete snapshot. Look at the last run, or start a backup" in result.stdout
    assert terminal.indexvault("status", f"{EAST}/notes").code == 0
    delete_blobs(terminal.connection_string, ending=".json")
    gone = terminal.indexvault("status", f"{EAST}/notes", "--json")
    assert gone.code == 1
    by_event = {record["event"]: record for record in gone.records}
    assert by_event["index"]["health"]["level"] == "red"
    assert by_event["status"]["level"] == "red"
    assert by_event["service"]["indexes"] == 1


def test_what_does_not_answer_is_red_and_the_rest_is_shown(terminal: Terminal) -> None:
    with_policy(terminal)
    terminal.east.fill("notes", 10)
    terminal.back_up("notes")
    terminal.east.faults({"fault": "unavailable", "operation": "list_indexes"})
    result = terminal.indexvault("status")
    assert result.code == 1
    assert f"red     {EAST}/notes" in result.stdout
    assert "whether the index is still on the service is not known" in result.stdout
    assert "Traceback" not in result.stderr


def test_unknown_names_are_refused(terminal: Terminal) -> None:
    assert terminal.indexvault("status", "contoso-south").code == 4
    assert terminal.indexvault("status", f"{EAST}/nothing").code == 4
    assert terminal.indexvault("status", "a/b/c").code == 2
