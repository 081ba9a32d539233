"""`indexvault status`: the table, the lines of JSON, and the exit code."""

from tests.cli.terminal import EAST, WEST, Terminal, delete_blobs


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


def test_pairs_are_told_with_the_age_of_the_standby(terminal: Terminal, second_store: str) -> None:
    assert second_store
    terminal.settings["stores"]["second"]["region"] = terminal.settings["services"][WEST]["region"]
    terminal.settings["services"][WEST]["store"] = "second"
    terminal.settings["policies"]["nightly"]["schedule"] = "0 0 * * * *"
    times = {"recovery_point": "PT2H", "recovery_time": "PT30M"}
    terminal.settings["pairs"] = {"contoso": {"primary": EAST, "standby": WEST, "allow_cross_region": True} | times}
    terminal.east.fill("notes", 10)
    terminal.back_up("notes")
    result = terminal.indexvault("status")
    lines = result.stdout.splitlines()
    heading = next(at for at, line in enumerate(lines) if line.startswith("status  pair"))
    assert lines[heading].split() == ["status", "pair", "mode", "active", "standby", "within", "drift", "drill"]
    assert lines[heading + 1].split()[:6] == ["red", "contoso", "hot-warm", EAST, "not", "proved"]
    assert any(line.startswith(f"{WEST}/notes: {WEST} has no copy of it that was proved. ") for line in lines)
    assert terminal.indexvault("follow", "contoso").code == 0
    after = terminal.indexvault("status").stdout.splitlines()
    row = next(line for line in after if "hot-warm" in line)
    assert row.split() == ["green", "contoso", "hot-warm", EAST, "now", "2", "h", "never"]
    assert max(map(len, after[heading : heading + 2])) <= 80
    told = [each for each in terminal.indexvault("status", "--json").records if each["event"] == "pair"]
    assert [(each["active"], each["generation"], each["following"]) for each in told] == [(EAST, 0, True)]
