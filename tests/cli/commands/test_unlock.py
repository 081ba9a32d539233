from tests.cli.terminal import EAST, Terminal, await_request


def test_lock_of_a_killed_run_is_taken(terminal: Terminal) -> None:
    terminal.east.fill("notes", 3)
    terminal.east.faults({"fault": "latency", "operation": "search", "seconds": 3600})
    process = terminal.start("backup", EAST, "notes")
    await_request(process, terminal.east, "search")
    process.kill()
    process.communicate()
    terminal.east.faults()
    (record,) = terminal.indexvault("unlock", f"{EAST}/notes", "--json").records
    assert (record["event"], record["index"], record["lock"]) == ("unlock", "notes", "unlocked")
    assert record["had"].startswith("run backup-")
    assert terminal.indexvault("unlock", f"{EAST}/notes").code == 0


def test_index_without_a_lock_is_told(terminal: Terminal) -> None:
    result = terminal.indexvault("unlock", f"{EAST}/notes")
    assert (result.code, result.stdout) == (0, f"{EAST}/notes: it was not locked\n")
    assert terminal.indexvault("unlock", EAST).code == 2
