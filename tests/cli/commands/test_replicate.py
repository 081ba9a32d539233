import pytest

from tests.cli.terminal import EAST, Terminal, delete_blob


@pytest.mark.usefixtures("second_store")
def test_replicate_copies_and_says_how_far_behind(terminal: Terminal) -> None:
    terminal.east.fill("notes", 40)
    reference = terminal.back_up("notes")
    result = terminal.indexvault("replicate", EAST)
    assert result.code == 0
    assert "1 snapshot copied" in result.stdout
    assert "nothing behind" in result.stdout
    assert terminal.indexvault("verify", reference, "--store", "second").code == 0
    assert terminal.indexvault("replicate", EAST, "--to", "local").code == 2
    assert terminal.indexvault("replicate", EAST, "--to", "nowhere").code == 4
    del terminal.settings["policies"]
    assert terminal.indexvault("replicate", EAST).code == 2


@pytest.mark.usefixtures("second_store")
def test_what_was_lost_here_is_read_from_the_replica(terminal: Terminal) -> None:
    terminal.east.fill("notes", 40)
    reference = terminal.back_up("notes")
    terminal.indexvault("replicate", EAST)
    delete_blob(terminal.connection_string, ".jsonl.gz")
    delete_blob(terminal.connection_string, ".json")
    assert terminal.indexvault("show", reference).code == 0
    restored = terminal.indexvault("restore", reference, "--to", "contoso-west/notes")
    assert restored.code == 0, restored.stderr
    assert terminal.west.indexes == ["notes"]
