"""What happens on a page between two commands: accidents, deployments, nights. `<!-- world: NAME -->` names one."""

import json
import re
from collections.abc import Callable
from typing import Any

from azure.storage.blob import BlobServiceClient

from demo.hotels import SYNONYM_MAP, definition, documents, synonym_map
from indexvault.snapshots.names import SNAPSHOT_CONTAINER
from tests.cli.terminal import STORAGE_VERSION, VERSION
from tests.docs.desk import EAST, WEST, Desk, key_of
from tests.layout.project import text_of

DOCUMENTS = 400
_ID_ON_THE_PAGE = "20261120T023000Z-6e2d30"
type Happening = Callable[[Desk], None]


def _definition(name: str = "hotels", **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = json.loads(definition())
    return given | {"name": name} | changes


def _upload(desk: Desk, index: str, actions: list[dict[str, Any]], service: str = EAST) -> None:
    path = f"/indexes/{index}/docs/index?api-version={VERSION}"
    desk.services[service].call("POST", path, {"value": actions})


def hotels(desk: Desk) -> None:
    """Make an index with documents, a synonym map and an alias that applications read through."""
    east = desk.services[EAST]
    east.put(f"synonymmaps/{SYNONYM_MAP}", json.loads(synonym_map()))
    east.put("indexes/hotels", _definition())
    _upload(desk, "hotels", [json.loads(line) for _key, line in documents(DOCUMENTS)])


def rooms(desk: Desk) -> None:
    """Make a second index."""
    fields = [
        {"name": "id", "type": "Edm.String", "key": True, "filterable": True, "sortable": True},
        {"name": "text", "type": "Edm.String"},
    ]
    desk.services[EAST].put("indexes/rooms", {"name": "rooms", "fields": fields})
    _upload(desk, "rooms", [{"id": f"room-{number:03}", "text": "a desk and a lamp"} for number in range(50)])


def alias(desk: Desk) -> None:
    """Let an alias lead to the index."""
    desk.services[EAST].put("aliases/hotels-live", {"name": "hotels-live", "indexes": ["hotels"]})


def alias_gone(desk: Desk) -> None:
    desk.services[EAST].call("DELETE", f"/aliases/hotels-live?api-version={VERSION}")


def index_deleted(desk: Desk) -> None:
    desk.services[EAST].call("DELETE", f"/indexes/hotels?api-version={VERSION}")


def documents_deleted(desk: Desk) -> None:
    """Delete a tenth of the documents."""
    keys = [key for key, _line in documents(DOCUMENTS)][:40]
    _upload(desk, "hotels", [{"@search.action": "delete", "HotelId": key} for key in keys])


def document_overwritten(desk: Desk) -> None:
    action = {"@search.action": "merge", "HotelId": "hotel-000042", "Name": "TEST TEST", "Description": None}
    _upload(desk, "hotels", [action])


def schema_deployed(desk: Desk) -> None:
    """Deploy a definition that lacks a field, by deleting the index and filling a new one."""
    east = desk.services[EAST]
    east.call("DELETE", f"/aliases/hotels-live?api-version={VERSION}")
    index_deleted(desk)
    given = _definition()
    given["fields"] = [field for field in given["fields"] if field["name"] != "Category"]
    east.put("indexes/hotels", given)
    kept = [json.loads(line) for _key, line in documents(DOCUMENTS)]
    _upload(desk, "hotels", [{name: value for name, value in each.items() if name != "Category"} for each in kept])
    alias(desk)


def key_regenerated(desk: Desk) -> None:
    """Let the key that the environment holds be an old one."""
    desk.variables[key_of(EAST)] = "an-old-key"


def new_key(desk: Desk) -> None:
    desk.variables[key_of(EAST)] = desk.variables[key_of(WEST)]


def no_settings(desk: Desk) -> None:
    """Start with an empty folder."""
    (desk.folder / "indexvault.json").unlink()


def data_may_leave_its_region(desk: Desk) -> None:
    desk.settings["allow_cross_region"] = True
    desk.write_settings()


def a_first_backup(desk: Desk) -> None:
    desk.run("indexvault backup contoso-east hotels")


def a_copy_in_the_west_that_has_drifted(desk: Desk) -> None:
    """Restore the index to the west, then change, delete and add some documents of the copy."""
    data_may_leave_its_region(desk)
    a_first_backup(desk)
    desk.run("indexvault restore contoso-east/hotels@latest --to contoso-west")
    keys = [key for key, _line in documents(DOCUMENTS)]
    actions = [{"@search.action": "merge", "HotelId": key, "Stars": 9} for key in keys[10:13]]
    actions += [{"@search.action": "delete", "HotelId": key} for key in keys[200:202]]
    _upload(desk, "hotels", [*actions, {"HotelId": "hotel-900000", "Name": "Nobody's Inn"}], WEST)


def a_pair(desk: Desk) -> None:
    """Pair the two services; an hourly policy feeds the standby."""
    policy = {"service": EAST, "schedule": "0 0 * * * *", "replicate_to": ["west"]}
    desk.settings["policies"] = {"hourly": policy}
    pair = {"primary": EAST, "standby": WEST, "recovery_point": "PT2H", "recovery_time": "PT30M"}
    desk.settings["pairs"] = {"contoso": pair | {"allow_cross_region": True}}
    desk.write_settings()


def a_pair_backed_up_both_ways(desk: Desk) -> None:
    """Configure both services as a pair: whichever is active is backed up, and copied to the other region."""
    hourly = {"schedule": "0 0 * * * *", "keep": {"hourly": 24, "daily": 7}}
    desk.settings["policies"] = {
        "east-hourly": {"service": EAST, **hourly, "replicate_to": ["west"]},
        "west-hourly": {"service": WEST, **hourly, "replicate_to": ["east"]},
    }
    desk.settings["pairs"] = {
        "contoso": {
            "primary": EAST,
            "standby": WEST,
            "mode": "hot-warm",
            "recovery_point": "PT1H",
            "recovery_time": "PT30M",
            "allow_cross_region": True,
        }
    }
    for service in (EAST, WEST):
        desk.settings["services"][service]["replicas"] = 2
    desk.write_settings()


def a_pair_of_the_rooms(desk: Desk) -> None:
    a_pair_backed_up_both_ways(desk)
    desk.settings["pairs"]["contoso"] |= {"indexes": ["rooms"], "kinds": {"aliases": "hot-hot"}}
    desk.write_settings()


def documents_stay_in_the_east(desk: Desk) -> None:
    policy = {"service": EAST, "schedule": "0 0 2 * * *", "regions": ["eastus"]}
    desk.settings |= {"policies": {"nightly": policy}, "allow_cross_region": True}
    desk.write_settings()


def backed_up_and_copied(desk: Desk) -> None:
    """Let an hour of the app's timer pass: a backup of everything, and its copy in the west."""
    desk.run("indexvault backup contoso-east")
    desk.run("indexvault replicate contoso-east --to west")


def two_hot_services_one_of_which_missed_updates(desk: Desk) -> None:
    """Make the pair hot-hot; let an update, an addition and a deletion fail in the west."""
    desk.settings["pairs"]["contoso"] |= {"mode": "hot-hot", "drift_schedule": "0 0 * * * *"}
    desk.write_settings()
    keys = [key for key, _line in documents(DOCUMENTS)]
    merged = [{"@search.action": "merge", "HotelId": keys[10], "Stars": 9}]
    _upload(desk, "hotels", [*merged, {"HotelId": "hotel-900000", "Name": "Nobody's Inn"}])
    _upload(desk, "hotels", [{"@search.action": "delete", "HotelId": keys[200]}])


def the_standby_is_as_the_last_backup(desk: Desk) -> None:
    desk.run("indexvault follow contoso")


def the_last_writes(desk: Desk) -> None:
    """Write to the active service after its last backup."""
    known = [key for key, _line in documents(DOCUMENTS)]
    merged = [{"@search.action": "merge", "HotelId": each, "Stars": 9} for each in known[10:12]]
    _upload(desk, "hotels", [*merged, {"HotelId": "hotel-900000", "Name": "Nobody's Inn"}])


def the_east_is_gone(desk: Desk) -> None:
    """Let neither the service nor the store of the first region answer."""
    store = desk.variables["AWAY_STORE"] = desk.variables["CONTOSO_EAST_STORE"]
    desk.variables["CONTOSO_EAST_STORE"] = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9", store)
    desk.settings["services"][EAST]["endpoint"] = "http://127.0.0.1:9"
    desk.write_settings()


def the_east_is_back(desk: Desk) -> None:
    """Let the first region answer again, with what it had."""
    desk.variables["CONTOSO_EAST_STORE"] = desk.variables.pop("AWAY_STORE")
    desk.settings["services"][EAST]["endpoint"] = desk.services[EAST].endpoint
    desk.write_settings()


def a_deployment(desk: Desk) -> None:
    desk.start_app()


def a_deployment_whose_address_is_exported(desk: Desk) -> None:
    a_deployment(desk)
    desk.variables["INDEXVAULT_URL"] = desk.stand_ins["https://contoso-vault.azurewebsites.net"]


def the_blobs_of_a_snapshot_in_a_folder(desk: Desk) -> None:
    """Copy the container to the folder, and the reader of the page; the id of the page is the snapshot's."""
    desk.run("indexvault backup contoso-east hotels")
    account = BlobServiceClient.from_connection_string(
        desk.variables["CONTOSO_EAST_STORE"], api_version=STORAGE_VERSION
    )
    with account:
        container = account.get_container_client(SNAPSHOT_CONTAINER)
        for blob in container.list_blobs():
            file = desk.folder / blob.name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(container.download_blob(blob.name).readall())
    [manifest] = (desk.folder / EAST / "hotels/manifests").iterdir()
    desk.stand_ins[_ID_ON_THE_PAGE] = manifest.stem
    [reader] = re.findall(r"^```python\n(.*?)^```$", text_of("docs/format.md"), re.DOTALL | re.MULTILINE)
    (desk.folder / "reader.py").write_text(reader)


HAPPENINGS: dict[str, Happening] = {
    happening.__name__.replace("_", " "): happening
    for happening in (
        hotels,
        rooms,
        alias,
        alias_gone,
        index_deleted,
        documents_deleted,
        document_overwritten,
        schema_deployed,
        key_regenerated,
        new_key,
        no_settings,
        data_may_leave_its_region,
        a_first_backup,
        a_copy_in_the_west_that_has_drifted,
        a_pair,
        a_pair_backed_up_both_ways,
        a_pair_of_the_rooms,
        documents_stay_in_the_east,
        backed_up_and_copied,
        two_hot_services_one_of_which_missed_updates,
        the_standby_is_as_the_last_backup,
        the_last_writes,
        the_east_is_gone,
        the_east_is_back,
        a_deployment,
        a_deployment_whose_address_is_exported,
        the_blobs_of_a_snapshot_in_a_folder,
    )
}
