from tests.cli.desk import EAST, Operator


def test_facts_of_a_manifest_are_readable(desk: Operator) -> None:
    desk.east.put("synonymmaps/words", {"name": "words", "format": "solr", "synonyms": "inn, hotel"})
    desk.east.fill("notes", 10, retrievable=True, searchable=True, synonymMaps=["words"])
    reference = desk.back_up("notes")
    ended = desk.indexvault("show", reference)
    facts = dict(line.split(maxsplit=1) for line in ended.stdout.splitlines() if not line.startswith("synonym"))
    assert facts["snapshot"] == reference
    assert facts["state"] == "complete"
    assert facts["documents"] == "10, each key once (the service counted 10 before and 10 after)"
    assert facts["fields"] == "2 fields: 2 String"
    assert facts["read"] == "in the order of the key field id"
    assert facts["etag"].endswith("the same before and after")
    assert "synonym maps  words" in ended.stdout


def test_json_holds_the_definition_as_the_service_gave_it(desk: Operator) -> None:
    desk.east.fill("notes", 10)
    reference = desk.back_up("notes")
    (record,) = desk.indexvault("show", "contoso-east/notes@latest", "--json").records
    assert (record["event"], record["reference"]) == ("manifest", reference)
    assert record["counts"] == {"before": 10, "after": 10, "documents": 10}
    assert [field["name"] for field in record["definition"]["2026-04-01"]["fields"]] == ["id", "text"]


def test_losses_are_named(desk: Operator) -> None:
    desk.east.fill("notes", 10, retrievable=False)
    desk.back_up("notes")
    ended = desk.indexvault("show", "contoso-east/notes@latest")
    assert ended.code == 0
    assert "not in it     text: retrievable is false" in ended.stdout


def test_snapshot_by_time_is_the_newest_at_or_before(desk: Operator) -> None:
    desk.east.fill("notes", 10)
    reference = desk.back_up("notes")
    (record,) = desk.indexvault("show", f"{EAST}/notes@2099-01-01", "--json").records
    assert record["reference"] == reference
    early = desk.indexvault("show", f"{EAST}/notes@2020-01-01")
    assert early.code == 4
    assert "there is no such snapshot" in early.complaint


def test_a_service_s_objects_are_shown_by_kind_and_name(desk: Operator) -> None:
    desk.east.fill("notes", 3)
    desk.east.put("synonymmaps/words", {"name": "words", "format": "solr", "synonyms": "a, b"})
    assert desk.indexvault("backup", EAST).code == 0
    shown = desk.indexvault("show", f"{EAST}/$service@latest")
    assert shown.code == 0, shown.stderr
    assert ["synonymmaps", "words"] in [line.split() for line in shown.stdout.splitlines()]
    assert f"{EAST}/$service@" in desk.indexvault("snapshots", EAST).stdout
    refused = desk.indexvault("restore", f"{EAST}/$service@latest", "--to", EAST)
    assert refused.code == 2, refused.stderr
    assert "not of an index" in refused.complaint
