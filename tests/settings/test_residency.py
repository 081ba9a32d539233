"""Policies that keep documents in regions: settings that would take them elsewhere are refused where they say so."""

from typing import Any

import msgspec
import pytest

from indexvault.errors import SettingsError
from indexvault.settings.load import read_settings
from indexvault.settings.residency import residencies, residencies_of

EUROPE = ["West Europe", "northeurope"]
PAIR = {"recovery_point": "P2D", "recovery_time": "PT30M", "allow_cross_region": True}


def settings(**changes: Any) -> dict[str, Any]:
    """Return settings with a service and a store in each of three regions, and a policy for Europe."""
    regions = {"west": "westeurope", "north": "northeurope", "us": "eastus"}
    policy = {"service": "search-west", "schedule": "0 0 2 * * *", "regions": EUROPE, "replicate_to": ["north"]}
    return {
        "stores": {
            name: {"account_url": f"https://{name}.blob.core.windows.net", "region": region}
            for name, region in regions.items()
        },
        "services": {
            f"search-{name}": {
                "endpoint": f"https://search-{name}.search.windows.net",
                "region": region,
                "tier": "basic",
                "store": name,
            }
            for name, region in regions.items()
        },
        "policies": {"europe": policy},
        "allow_cross_region": True,
    } | changes


def policy(**changes: Any) -> dict[str, Any]:
    return {**settings()["policies"]["europe"], **changes}


def service(name: str, **changes: Any) -> dict[str, Any]:
    return {**settings()["services"][name], **changes}


def read(given: dict[str, Any]) -> Any:
    return read_settings(msgspec.json.encode(given))


def test_regions_in_any_form_of_their_names_are_taken() -> None:
    found = read(settings(pairs={"p": {"primary": "search-west", "standby": "search-north", **PAIR}}))
    assert found.policies["europe"].regions == ("West Europe", "northeurope")


WAYS: dict[str, tuple[dict[str, Any], str]] = {
    "a copy of the policy itself": (
        {"policies": {"europe": policy(replicate_to=["north", "us"])}},
        "settings $.policies.europe.replicate_to[1]",
    ),
    "a copy of another policy of the same indexes": (
        {"policies": {"europe": policy(), "copies": policy(regions=None, replicate_to=["us"])}},
        "settings $.policies.copies.replicate_to[0]",
    ),
    "a copy of another policy of some of the indexes": (
        {
            "policies": {
                "europe": policy(indexes=["orders-*", "!orders-test"]),
                "copies": policy(regions=None, indexes=["*-2026"], replicate_to=["us"]),
            }
        },
        "settings $.policies.copies.replicate_to[0]",
    ),
    "a copy of the other objects, which go with any index": (
        {
            "policies": {
                "europe": policy(indexes=["*", "!tmp-*"]),
                "copies": policy(regions=None, indexes=["tmp-*"], replicate_to=["us"]),
            }
        },
        "settings $.policies.copies.replicate_to[0]",
    ),
    "the service's own store": (
        {
            "services": settings()["services"] | {"search-west": service("search-west", store="us")},
            "policies": {"europe": policy(replicate_to=[])},
        },
        "settings $.policies.europe.regions",
    ),
    "the service itself": (
        {"policies": {"europe": policy(regions=["northeurope"])}},
        "settings $.policies.europe.regions",
    ),
    "no region at all": ({"policies": {"europe": policy(regions=[])}}, "settings $.policies.europe.regions"),
    "a standby": (
        {
            "policies": {"europe": policy(), "fed": policy(regions=None, indexes=["a"], replicate_to=["north"])},
            "pairs": {"p": {"primary": "search-west", "standby": "search-us", "mode": "hot-hot",
                            "drift_schedule": "0 0 * * * *", **PAIR}},
        },
        "settings $.pairs.p.standby",
    ),
    "a primary, after a failover": (
        {
            "policies": {"europe": policy(replicate_to=[])},
            "pairs": {"p": {"primary": "search-us", "standby": "search-west", "mode": "hot-hot",
                            "drift_schedule": "0 0 * * * *", **PAIR}},
        },
        "settings $.pairs.p.primary",
    ),
    "a drill": (
        {"drills": {"weekly": {"service": "search-west", "target": "search-us", "schedule": "0 0 5 * * 0"}}},
        "settings $.drills.weekly.target",
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_what_would_take_documents_elsewhere_is_refused_where_it_stands(way: str) -> None:
    changes, on = WAYS[way]
    with pytest.raises(SettingsError) as raised:
        read(settings(**changes))
    assert raised.value.on == on


def test_a_policy_of_other_indexes_or_services_is_free() -> None:
    copies = policy(regions=None, indexes=["public-*"], replicate_to=["us"])
    europe = policy(indexes=["orders", "customers-*"])
    american = policy(service="search-us", regions=None, replicate_to=["west"])
    found = read(settings(policies={"europe": europe, "copies": copies, "american": american}))
    assert [each.policy for each in residencies(found, "search-west", "orders")] == ["europe"]
    assert residencies(found, "search-west", "public-pages") == []
    assert residencies(found, "search-us", "orders") == []
    assert residencies(found, "search-west", "$service") == []


def test_every_policy_that_covers_an_index_counts() -> None:
    both = {"europe": policy(), "west": policy(regions=["westeurope"], replicate_to=[], indexes=["orders"])}
    with pytest.raises(SettingsError, match="policy west keeps its documents in westeurope, and not in northeurope"):
        read(settings(policies=both))
    both["europe"] = policy(replicate_to=[])
    found = read(settings(policies=both))
    assert {each.policy for each in residencies(found, "search-west", "orders")} == {"europe", "west"}
    assert {each.policy for each in residencies_of(found, "search-west", ["o*", "!orders"])} == {"europe", "west"}
    assert {each.policy for each in residencies_of(found, "search-west", ["rooms"])} == {"europe"}
