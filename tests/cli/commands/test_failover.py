"""Failover and failback from the command line: shown, asked, done, told as JSON, and done once."""

from tests.cli.commands.test_follow import pair
from tests.cli.terminal import EAST, WEST, Terminal

__all__ = ["pair"]


def test_a_pair_fails_over_and_back(pair: Terminal) -> None:
    pair.east.fill("notes", 30)
    made = pair.back_up("notes").partition("@")[2]
    assert pair.indexvault("replicate", EAST, "--to", "second").code == 0
    refused = pair.indexvault("failover", "contoso")
    assert (refused.code, "Add --yes" in refused.error_line) == (2, True)
    shown = pair.indexvault("failover", "contoso", "--dry-run")
    assert (shown.code, pair.west.indexes) == (0, [])
    assert f"{EAST} answers: with --planned, nothing would be lost" in shown.stdout
    done = pair.indexvault("failover", "contoso", "--yes", "--json")
    assert done.code == 0, done.stderr
    report = done.records[-1]
    assert (report["event"], report["to"], report["generation"], report["faults"]) == ("failover", WEST, 1, [])
    assert [(each["index"], each["snapshot"], each["documents"]) for each in report["indexes"]] == [("notes", made, 30)]
    again = pair.indexvault("failover", "contoso", "--yes", "--json")
    assert (again.code, again.records[-1]["repeated"], again.records[-1]["run"]) == (0, True, report["run"])
    pair.west.fill("notes", 33)
    back = pair.indexvault("failback", "contoso", "--yes", "--json")
    assert back.code == 0, back.stderr
    assert (back.records[-1]["to"], back.records[-1]["generation"], back.records[-1]["rounds"]) == (EAST, 2, 1)
    assert pair.indexvault("compare", f"{EAST}/notes", f"{WEST}/notes").code == 0
    wrong = pair.indexvault("failover", "contoso", "--at=-2h", "--yes")
    assert (wrong.code, "Write the time itself" in wrong.error_line) == (2, True)
