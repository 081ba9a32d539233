from tests.cli.terminal import EAST, WEST, Terminal


def test_a_drill_is_told_and_leaves_nothing(terminal: Terminal) -> None:
    terminal.east.fill("notes", 60)
    made = terminal.back_up("notes")
    assert terminal.indexvault("drill", f"{EAST}/notes").code == 2  # no drill of the settings covers it
    told = terminal.indexvault("drill", f"{EAST}/notes", "--to", WEST, "--allow-cross-region")
    assert told.code == 0, told.stderr
    first, second, last = told.stdout.splitlines()
    assert first == f"drill good  {made} on {WEST}"
    assert second.startswith("  60 documents restored and proved in ")
    assert last == "  the temporary index is removed"
    assert terminal.west.indexes == []
    assert terminal.indexvault("drill", f"{EAST}/none", "--to", WEST).code == 4
