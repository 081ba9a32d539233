"""`indexvault stats` and `policies explain`."""

import pytest

from tests.cli.terminal import EAST, Terminal


@pytest.mark.usefixtures("second_store")
def test_policies_and_statistics_are_told(terminal: Terminal) -> None:
    assert "There are no snapshots" in terminal.indexvault("stats").stdout
    terminal.east.fill("notes", 100)
    for _ in range(3):
        terminal.back_up("notes")
    told = terminal.indexvault("policies", "explain", "nightly").stdout
    assert "last success  none that is remembered" in told
    assert "notes: 2 of 3 snapshots would stay" in told
    assert told.count("  remove  @") == 1
    assert terminal.indexvault("policies", "explain", "weekly").code == 4
    records = terminal.indexvault("--json", "policies", "explain").records
    assert [each["policy"] for each in records] == ["nightly"]
    told = terminal.indexvault("stats", f"{EAST}/notes").stdout
    assert "a month for storage" in told
    assert "an example" in told
    *indexes, estimate = terminal.indexvault("--json", "stats").records
    assert [(each["index"], each["snapshots"]) for each in indexes] == [("notes", 3)]
    assert estimate["currency"] == "USD"
    assert terminal.indexvault("stats", f"{EAST}/letters").code == 4
