"""Pairs in the settings: what is refused, at which member, in which words."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from indexvault.errors import NotFoundError, SettingsError
from indexvault.settings.load import read_settings
from indexvault.settings.pairs import feeding_policies, pair_of, pair_settings, pair_stores
from indexvault.settings.positions import line_of

HOURLY, NIGHTLY = "0 0 * * * *", "0 0 2 * * *"
PAIR = {
    "primary": "east-search",
    "standby": "west-search",
    "recovery_point": "PT1H",
    "recovery_time": "PT30M",
    "allow_cross_region": True,
}
POLICY = {"service": "east-search", "schedule": HOURLY, "replicate_to": ["west"]}
COLD = {"mode": "hot-cold", "standby": None, "store": "west"}
HOT = {"mode": "hot-hot", "drift_schedule": HOURLY}


def text(pair: dict[str, Any] | None = None, *, policies: dict[str, Any] | None = None, **changes: Any) -> str:
    stores = {
        name: {
            "region": f"{name}us",
            "connection_string": "UseDevelopmentStorage=true",
            "snapshots_container": f"{name}-snapshots",
            "runs_container": f"{name}-runs",
        }
        for name in ("east", "west")
    }
    services = {
        f"{name}-{kind}": {
            "endpoint": f"https://{name}-{kind}.search.windows.net",
            "region": f"{name}us",
            "tier": "basic",
            "store": name,
        }
        for name in ("east", "west")
        for kind in ("search", "other")
    }
    whole: dict[str, Any] = {
        "stores": stores,
        "services": services,
        "policies": {"hourly": POLICY} if policies is None else policies,
        "pairs": {"contoso": PAIR | (pair or {})},
        "overlays": {"west": {}},
    }
    return msgspec.json.format(msgspec.json.encode(whole | changes)).decode()


def test_a_pair_is_read_with_all_its_members() -> None:
    settings = read_settings(
        text(
            {
                "indexes": ["hotels", "!tmp-*"],
                "kinds": {"indexers": "hot-cold", "aliases": "hot-hot"},
                "overlay": "west",
                "geo_redundant": ["blobs"],
            }
        )
    )
    pair = pair_settings(settings, "contoso")
    assert (pair.mode, pair.recovery_point, pair.recovery_time) == ("hot-warm", timedelta(hours=1), timedelta(0, 1800))
    assert [pair.mode_of(kind) for kind in ("indexes", "indexers", "aliases", "skillsets")] == [
        "hot-warm",
        "hot-cold",
        "hot-hot",
        "hot-warm",
    ]
    assert pair_stores(settings, pair) == ("east", "west")
    assert pair_of(settings, "west-search") == ("contoso", pair)
    assert pair_of(settings, "west-other") is None
    assert list(feeding_policies(settings, pair)) == ["hourly"]
    with pytest.raises(NotFoundError, match="did you mean 'contoso'"):
        pair_settings(settings, "contosso")


def test_a_cold_pair_needs_no_standby_but_a_store() -> None:
    settings = read_settings(text(COLD))
    assert pair_stores(settings, settings.pairs["contoso"]) == ("east", "west")
    assert pair_of(settings, "east-search") is not None


def test_services_written_to_by_the_application_need_no_policy() -> None:
    assert read_settings(text(HOT, policies={})).pairs["contoso"].drift_schedule == HOURLY


@pytest.mark.parametrize(
    "policies",
    [
        {"all": POLICY | {"indexes": ["*", "!tmp-*"]}},
        {"all": POLICY, "nightly": POLICY | {"schedule": NIGHTLY, "indexes": ["*"]}},
        {"a": POLICY | {"indexes": ["a*"]}, "others": POLICY | {"indexes": ["*", "!a*"]}},
        {"all": POLICY, "elsewhere": {"service": "west-search", "schedule": NIGHTLY}},
    ],
    ids=["leaves out the same", "a slower one beside it", "two that share", "one of another service"],
)
def test_policies_that_feed_often_enough_are_accepted(policies: dict[str, Any]) -> None:
    assert read_settings(text({"indexes": ["*", "!tmp-*"]}, policies=policies)).pairs


PATH = "settings $.pairs.contoso"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            text({"primary": "east-serach"}),
            (
                f"{PATH}.primary: no service is named 'east-serach' (services: east-other, east-search, west-other,"
                " west-search). Correct the settings; did you mean 'east-search' or 'west-search'?"
            ),
        ),
        (
            text({"standby": "north"}),
            (
                f"{PATH}.standby: no service is named 'north' (services: east-other, east-search, west-other,"
                " west-search)."
                " Correct the settings"
            ),
        ),
        (
            text({"standby": "east-search"}),
            f"{PATH}.standby: expected another service than the primary. Correct the settings",
        ),
        (
            text({"standby": "east-other"}),
            (
                f"{PATH}.standby: expected another region than the primary's, eastus: what fails there fails for"
                " both. Name"
                " a service and a store of another region"
            ),
        ),
        (
            text(COLD | {"store": "east"}),
            (
                f"{PATH}.store: expected another region than the primary's, eastus: what fails there fails for"
                " both. Name a"
                " store of another region"
            ),
        ),
        (
            text({"standby": None}),
            (
                f"{PATH}.standby: expected a service: hot-warm needs a standby. Name the standby, or set every mode to"
                ' "hot-cold"'
            ),
        ),
        (
            text(COLD | {"kinds": {"indexers": "hot-warm"}}),
            (
                f"{PATH}.standby: expected a service: hot-warm needs a standby. Name the standby, or set every mode to"
                ' "hot-cold"'
            ),
        ),
        (
            text(COLD | {"store": None}),
            (
                f"{PATH}.store: expected a store: without a standby, nothing says where its snapshots are. Name the"
                " store"
                " in the region that a failover will restore to"
            ),
        ),
        (
            text(COLD | {"store": "wset"}),
            f"{PATH}.store: no store is named 'wset' (stores: east, west). Correct the settings; did you mean 'west'?",
        ),
        (
            text({"store": "east"}),
            f"{PATH}.store: expected the standby's own store, west. Leave store out, or give the service that store",
        ),
        (
            text({"overlay": "wets"}),
            f"{PATH}.overlay: no overlay is named 'wets' (overlays: west). Correct the settings; did you mean 'west'?",
        ),
        (
            text({"geo_redundant": ["blobs", ""]}),
            f"{PATH}.geo_redundant[1]: expected the name of a data source. Correct the settings",
        ),
        (
            text({"indexes": ["hotels", "HOTELS"]}),
            (
                f"{PATH}.indexes[1]: expected the name of an index, or a pattern with *, with ! in front to leave out."
                ' Write it as "hotels", "hotels-*" or "!tmp-*"'
            ),
        ),
        (
            text({"recovery_point": "PT10S"}),
            f"{PATH}.recovery_point: expected a minute or more, such as PT1H. Correct the settings",
        ),
        (
            text({"recovery_time": "PT0S"}),
            f"{PATH}.recovery_time: expected a minute or more, such as PT30M. Correct the settings",
        ),
        (
            text({"allow_cross_region": False}),
            (
                f"{PATH}: its documents would go from eastus to westus, which is not allowed. Set"
                ' "allow_cross_region": true in the pair if they may leave their region'
            ),
        ),
        (
            text(policies={}),
            (
                f"{PATH}.indexes[0]: no policy backs '*' of east-search up. Add a policy of east-search that does, with"
                " west in its replicate_to"
            ),
        ),
        (
            text({"indexes": ["a*", "b"]}, policies={"hourly": POLICY | {"indexes": ["a*", "b*", "!b"]}}),
            (
                f"{PATH}.indexes[1]: no policy backs 'b' of east-search up. Add a policy of east-search that does, with"
                " west in its replicate_to"
            ),
        ),
        (
            text(policies={"hourly": POLICY | {"replicate_to": []}}),
            (
                f"{PATH}.indexes[0]: no snapshot of '*' reaches store west: policy hourly has no such copy made."
                " Add west"
                " to replicate_to of policy hourly"
            ),
        ),
        (
            text(policies={"nightly": POLICY | {"schedule": NIGHTLY}}),
            (
                f"{PATH}.recovery_point: it is shorter than 1 day, the longest time between two backups of policy"
                " nightly,"
                " which feeds the standby. Back up more often with policy nightly, or allow more to be lost"
            ),
        ),
        (
            text(
                policies={
                    "hourly": POLICY | {"replicate_to": []},
                    "nightly": POLICY | {"schedule": NIGHTLY},
                }
            ),
            (
                f"{PATH}.recovery_point: it is shorter than 1 day, the longest time between two backups of policy"
                " nightly,"
                " which feeds the standby. Back up more often with policy nightly, or allow more to be lost"
            ),
        ),
        (
            text(
                policies={
                    "a": POLICY | {"indexes": ["a*"]},
                    "others": POLICY | {"schedule": "0 0 */2 * * *", "indexes": ["*", "!a*"]},
                }
            ),
            (
                f"{PATH}.recovery_point: it is shorter than 2 hours, the longest time between two backups of policy"
                " others,"
                " which feeds the standby. Back up more often with policy others, or allow more to be lost"
            ),
        ),
        (
            text({"drift_schedule": HOURLY}),
            (
                f'{PATH}.drift_schedule: expected it in pairs of mode "hot-hot" only, and this one is "hot-warm". Leave'
                " drift_schedule out"
            ),
        ),
        (
            text({"authority": "west-search"}),
            (
                f'{PATH}.authority: expected it in pairs of mode "hot-hot" only, and this one is "hot-warm". Leave'
                " authority out"
            ),
        ),
        (
            text(HOT | {"authority": "west-other"}),
            f"{PATH}.authority: expected one of the two services, east-search or west-search. Correct the settings",
        ),
        (
            text(HOT | {"drift_schedule": None}),
            (
                f"{PATH}.drift_schedule: expected a schedule: nothing else tells what differs between the two. Set"
                " it to"
                ' "0 0 * * * *" to compare them every hour'
            ),
        ),
        (
            text(HOT | {"drift_schedule": "0 * * * *"}),
            (
                f"{PATH}.drift_schedule: expected six fields (second minute hour day month day-of-week) that can"
                " match, in"
                ' UTC. Write it as "0 0 2 * * *" for two o\'clock every night'
            ),
        ),
        (
            text(HOT | {"drift_schedule": "* * * * * *"}),
            f'{PATH}.drift_schedule: expected a minute or more between two times. Write "0 * * * * *"',
        ),
        (
            text(HOT | {"drift_schedule": NIGHTLY}),
            (
                f"{PATH}.recovery_point: it is shorter than 1 day, the longest time between two measurements of drift."
                " Measure drift more often, or allow more to be lost"
            ),
        ),
        (
            text(HOT | {"kinds": {"skillsets": "hot-warm"}}, policies={}),
            (
                f"{PATH}.indexes[0]: no policy backs '*' of east-search up. Add a policy of east-search that does, with"
                " west in its replicate_to"
            ),
        ),
        (
            text({"mode": "warm"}),
            f"{PATH}.mode: invalid enum value 'warm'. Correct the settings",
        ),
        (
            text(pairs={"contoso": PAIR, "other": PAIR | {"primary": "east-other"}}),
            (
                "settings $.pairs.other.standby: west-search is in pair contoso already, and a service is in one"
                " pair at"
                " most. Name another service, or add its indexes to pair contoso"
            ),
        ),
        (
            text(pairs={"Contoso": PAIR}),
            (
                "settings $.pairs.Contoso: expected a name of lower-case letters, digits and inner dashes, at most"
                " 60 long."
                " Correct the settings"
            ),
        ),
    ],
)
def test_what_a_pair_could_not_keep_is_refused_at_its_member(given: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(given)
    assert str(caught.value) == said
    member = caught.value.on.removeprefix("settings ")
    named, _, position = member.rpartition(".")[2].partition("[")
    line = given.splitlines()[line_of(given, member) - 1].strip()
    pair = msgspec.json.decode(given)["pairs"].get(member.split(".")[2], {})
    if position and named in pair:
        assert line.rstrip(",") == msgspec.json.encode(pair[named][int(position.removesuffix("]"))]).decode()
    else:
        # A member that is not there has the line of its pair.
        assert line.startswith(f'"{named}":' if named in pair else f'"{member.split(".")[2]}":')
