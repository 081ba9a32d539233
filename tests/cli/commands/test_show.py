from tests.cli.terminal import EAST, Terminal


def test_facts_of_a_manifest_are_readable(terminal: Terminal) -> None:
    terminal.east.put("synonymmaps/words", {"name": "words", "format": "solr", "synonyms": "inn, hotel"})
    terminal.east.fill("notes", 10, retrievable=True, searchable=True, synonymMaps=["words"])
    reference = terminal.back_up("notes")
    result = terminal.indexvault("show", reference)
    facts = dict(line.split(maxsplit=1) for line in result.stdout.splitlines() if not line.startswith("synonym"))
    assert facts["snapshot"] == reference
    assert facts["state"] == "complete"
    assert facts["documents"] == "10, each key once (the service counted 10 before and 10 after)"
    assert facts["fields"] == "2 fields: 2 String"
    assert facts["read"] == "in the order of the key field id"
    assert facts["etag"].endswith("the same before and after")
    assert "synonym maps  words" in result.stdout


def test_json_holds_the_definition_as_the_service_gave_it(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    reference = terminal.back_up("notes")
    (record,) = terminal.indexvault("show", "contoso-east/notes@latest", "--json").records
    assert (record["event"], record["reference"]) == ("manifest", reference)
    assert record["counts"] == {"before": 10, "after": 10, "documents": 10}
    assert [field["name"] for field in record["definition"]["2026-04-01"]["fields"]] == ["id", "text"]


def test_losses_are_named(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10, retrievable=False)
    terminal.back_up("notes")
    result = terminal.indexvault("show", "contoso-east/notes@latest")
    assert result.code == 0
    assert "not in it     text: retrievable is false" in result.stdout


def test_snapshot_by_time_is_the_newest_at_or_before(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    reference = terminal.back_up("notes")
    (record,) = terminal.indexvault("show", f"{EAST}/notes@2099-01-01", "--json").records
    assert record["reference"] == reference
    early = terminal.indexvault("show", f"{EAST}/notes@2020-01-01")
    assert early.code == 4
    assert "there is no such snapshot" in early.error_line


def test_a_service_s_objects_are_shown_by_kind_and_name(terminal: Terminal) -> None:
    terminal.east.fill("notes", 3)
    terminal.east.put("synonymmaps/words", {"name": "words", "format": "solr", "synonyms": "a, b"})
    assert terminal.indexvault("backup", EAST).code == 0
    shown = terminal.indexvault("show", f"{EAST}/$service@latest")
    assert shown.code == 0, shown.stderr
    assert ["synonymmaps", "words"] in [line.split() for line in shown.stdout.splitlines()]
    assert f"{EAST}/$service@" in terminal.indexvault("snapshots", EAST).stdout
    assert terminal.indexvault("pin", f"{EAST}/$service@latest", "--reason", "the audit").code == 0
    pinned = terminal.indexvault("show", f"{EAST}/$service@latest")
    assert ["kept", "pinned:", "the", "audit"] in [line.split() for line in pinned.stdout.splitlines()]
    [record] = terminal.indexvault("show", f"{EAST}/$service@latest", "--json").records
    assert record["pinned"]["reason"] == "the audit"
    refused = terminal.indexvault("restore", f"{EAST}/$service@latest", "--to", EAST)
    assert refused.code == 2, refused.stderr
    assert "not of an index" in refused.error_line


def test_show_tells_what_was_added_and_what_is_shared(terminal: Terminal) -> None:
    terminal.east.fill("notes", 2000)
    terminal.back_up("notes")
    terminal.east.change("notes", {"id": "000007", "text": "other"})
    result = terminal.indexvault("show", terminal.back_up("notes"), "--json")
    (record,) = result.records
    assert record["added"]["chunks"] == record["sharing"]["own"] == 1
    assert record["sharing"]["shared"] == record["chunks"] - 1
    assert record["sharing"]["with_snapshots"] == 1
