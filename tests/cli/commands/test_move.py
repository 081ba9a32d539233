"""`indexvault move` as a process."""

from tests.cli.desk import EAST, WEST, Operator


def test_a_dry_run_says_what_would_be_done_and_does_nothing(desk: Operator) -> None:
    desk.east.fill("notes", 30)
    before = desk.east.writes, desk.west.writes
    command = ("move", f"{EAST}/notes", "--to", WEST, "--alias", "guests", "--delete-source", "--dry-run")
    ended = desk.indexvault(*command)
    assert ended.code == 0, ended.stderr
    assert f"{EAST}/notes would be moved to {WEST}/notes" in ended.stdout
    assert f"make the alias {WEST}/guests" in ended.stdout
    (record,) = desk.indexvault(*command, "--json").records
    assert (record["event"], record["ready"], record["documents"]) == ("move_preflight", True, 30)
    assert (desk.east.writes, desk.west.writes) == before
    assert desk.indexvault("snapshots", "--json").records == []


def test_a_dry_run_ends_with_the_code_of_the_move(desk: Operator) -> None:
    desk.east.fill("notes", 3)
    desk.west.fill("notes", 1)
    for command, code in ((("move", f"{EAST}/notes", "--to", WEST), 5), (("move", f"{EAST}/x", "--to", WEST), 4)):
        checked = desk.indexvault(*command, "--dry-run", "--json")
        assert (checked.code, checked.records[0]["ready"]) == (code, False)
        assert desk.indexvault(*command).code == code
