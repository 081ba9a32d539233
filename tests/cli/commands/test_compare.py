import pytest

from tests.azurite import Azurite
from tests.cli.terminal import EAST, WEST, Terminal

NOTES, THERE = f"{EAST}/notes", f"{WEST}/notes"


@pytest.fixture
def alike(terminal: Terminal) -> Terminal:
    for service in (terminal.east, terminal.west):
        service.fill("notes", 60)
    return terminal


def test_drift_is_told_and_repaired(alike: Terminal) -> None:
    same = alike.indexvault("compare", NOTES, THERE)
    assert same.code == 0, same.stderr
    assert same.stdout.splitlines()[0].split() == ["alike", NOTES, "and", THERE]
    alike.west.change(
        "notes", {"id": "000007", "text": "other"}, {"@search.action": "delete", "id": "000009"}, {"id": "x"}
    )
    told = alike.indexvault("compare", NOTES, THERE)
    assert told.code == 1
    assert told.stdout.splitlines()[2:] == ["  ~ 000007", "  - 000009", "  + x"]
    repaired = alike.indexvault("compare", NOTES, THERE, "--repair-from", NOTES, "--json")
    assert repaired.code == 0, repaired.stderr
    first, done, left = repaired.records
    assert (first["different"], first["missing"], first["extra"], first["alike"]) == (1, 1, 1, False)
    assert (done["target"], done["written"], done["deleted"]) == (THERE, 2, 1)
    assert (left["alike"], left["identical"]) == (True, 60)


def test_what_only_the_wrong_side_has_is_deleted_from_either_point_of_view(alike: Terminal) -> None:
    """A hidden field keeps documents from being added, not from being deleted."""
    for service, number in ((alike.east, 5), (alike.west, 4)):
        service.fill("hidden", number, retrievable=False)
    names = f"{EAST}/hidden", f"{WEST}/hidden"
    refused = alike.indexvault("compare", names[1], names[0], "--repair-from", names[0])
    assert (refused.code, "documents are to be added" in refused.stderr) == (3, True)
    assert alike.indexvault("compare", names[1], names[0], "--repair-from", names[1]).code == 0


def test_services_are_compared_whole(alike: Terminal) -> None:
    alike.east.fill("rooms", 3)
    alike.east.put("/synonymmaps/words", {"name": "words", "format": "solr", "synonyms": "inn, hotel"})
    alike.west.put("/synonymmaps/words", {"name": "words", "format": "solr", "synonyms": "inn, lodge"})
    told = alike.indexvault("compare", EAST, WEST)
    assert told.code == 1, told.stderr
    lines = told.stdout.splitlines()
    assert "1 of the 1 indexes that both have are alike" in lines
    assert f"  only in {EAST}: indexes rooms" in lines
    assert '  synonymmaps/words/synonyms: "inn, hotel" -> "inn, lodge"' in lines


def test_a_snapshot_is_never_repaired(alike: Terminal) -> None:
    made = alike.back_up("notes")
    alike.east.change("notes", {"id": "000007", "text": "other"})
    assert alike.indexvault("compare", made, NOTES, "--repair-from", NOTES).code == 5
    assert alike.indexvault("compare", made, NOTES, "--repair-from", made).code == 0
    assert alike.indexvault("compare", made, NOTES).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((NOTES, WEST), 2, "one is a service, the other is not"),
        ((NOTES, THERE, "--repair-from", EAST), 2, "--repair-from names"),
        ((NOTES, THERE, "--counts", "--repair-from", NOTES), 2, "--counts reads no documents"),
        ((NOTES, f"{WEST}/none"), 4, "none"),
        ((NOTES, "contoso-eats/notes"), 4, "contoso-east"),
    ],
)
def test_what_cannot_be_compared_is_said(terminal: Terminal, arguments: tuple[str, ...], code: int, said: str) -> None:
    terminal.east.fill("notes", 3)
    told = terminal.indexvault("compare", *arguments)
    assert (told.code, said in told.stderr) == (code, True), told.stderr


@pytest.fixture
def pair(alike: Terminal, azurite: Azurite) -> Terminal:
    """Make a hot-hot pair of the two services, each with a store."""
    alike.environment["SECOND"] = azurite.new_account()
    region = alike.settings["services"][WEST]["region"]
    alike.settings["stores"]["second"] = {"connection_string": {"env": "SECOND"}, "region": region}
    alike.settings["services"][WEST]["store"] = "second"
    times = {"recovery_point": "PT2H", "recovery_time": "PT30M", "drift_schedule": "0 0 * * * *"}
    hot = {"primary": EAST, "standby": WEST, "mode": "hot-hot", "allow_cross_region": True}
    alike.settings["pairs"] = {"contoso": times | hot}
    return alike


@pytest.mark.parametrize("named", [["contoso"], [EAST, WEST], [WEST, EAST]])
def test_a_pair_is_mended_by_one_command(pair: Terminal, named: list[str]) -> None:
    for service in (pair.east, pair.west):
        service.fill("rooms", 30)
    pair.west.change("notes", {"id": "000007", "text": "other"}, {"id": "x"})
    pair.west.change("rooms", {"@search.action": "delete", "id": "000009"})
    told = pair.indexvault("compare", *named)
    assert told.code == 1, told.stderr
    assert "0 of the 2 indexes that both have are alike" in told.stdout
    done = pair.indexvault("compare", *named, "--repair-from", EAST)
    assert done.code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert f"{WEST}/notes: 1 document written, 1 deleted" in lines
    assert f"{WEST}/rooms: 1 document written, 0 deleted" in lines
    assert lines[-1] == "2 of the 2 indexes that both have are alike"
    assert pair.indexvault("compare", *named, "--repair-from", "contoso-none").code == 2


def test_what_is_no_pair_is_refused(pair: Terminal) -> None:
    assert pair.indexvault("compare", NOTES).code == 2
    assert pair.indexvault("compare", "none").code == 4
