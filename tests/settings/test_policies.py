"""The policies of one index combined."""

import json
from datetime import timedelta
from typing import Any

import pytest

from indexvault.errors import NotFoundError, SettingsError
from indexvault.settings.load import read_settings
from indexvault.settings.model import ChangesSettings, Settings
from indexvault.settings.policies import (
    policies_covering,
    reading_order,
    recovery_point_of,
    replica_stores,
    retentions,
)
from indexvault.snapshots.retention import Retention


def settings(**policies: dict[str, Any]) -> Settings:
    regions = {"east": "eastus", "west": "westus2", "north": "northeurope"}
    return read_settings(
        json.dumps(
            {
                "stores": {
                    name: {"account_url": f"https://{name}.blob.core.windows.net", "region": region}
                    for name, region in regions.items()
                },
                "services": {
                    "contoso": {
                        "endpoint": "https://contoso.search.windows.net",
                        "region": "eastus",
                        "tier": "standard",
                        "store": "east",
                    }
                },
                "policies": {
                    name: {"service": "contoso", "schedule": "0 0 2 * * *"} | policy
                    for name, policy in policies.items()
                },
            }
        )
    )


def test_an_index_is_covered_by_every_policy_whose_patterns_mean_it() -> None:
    found = settings(
        nightly={"indexes": ["*", "!tmp-*"], "keep": {"daily": 7, "within": "P2D"}}, hourly={"indexes": ["hotels"]}
    )
    assert list(policies_covering(found, "contoso", "hotels")) == ["nightly", "hourly"]
    assert list(policies_covering(found, "contoso", "tmp-1")) == []
    assert list(policies_covering(found, "other", "hotels")) == []
    assert retentions(found, "contoso", "motels")[0].daily == 7
    assert retentions(found, "contoso", "hotels")[1] == Retention()


def test_the_nearest_store_is_read_first_and_each_once() -> None:
    found = settings(nightly={"replicate_to": ["west", "north"]}, hourly={"indexes": ["a*"], "replicate_to": ["west"]})
    assert reading_order(found, "contoso") == ["east", "west", "north"]
    assert reading_order(found, "contoso", near="northeurope") == ["north", "east", "west"]
    assert reading_order(found, "contoso", near="nowhere") == ["east", "west", "north"]
    assert replica_stores(found, "contoso", "hotels") == ["west", "north"]
    with pytest.raises(NotFoundError):
        reading_order(found, "other")


def test_changes_have_a_margin_and_an_interval_of_proofs() -> None:
    found = settings(nightly={"changes": {"field": "meta/changed", "prove_every": "P1D"}}).policies["nightly"].changes
    assert found == ChangesSettings(field="meta/changed", margin=timedelta(minutes=10), prove_every=timedelta(days=1))


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        ({"replicate_to": ["south"]}, "nightly.replicate_to[0]"),
        ({"replicate_to": ["west", "east"]}, "nightly.replicate_to[1]"),
        ({"full_every": "PT1H"}, "nightly.full_every"),
        ({"verify_within": "soon"}, "nightly.verify_within"),
        ({"recovery_point": "PT30S"}, "nightly.recovery_point"),
        ({"keep": {"dayly": 7}}, "nightly.keep"),
        ({"changes": {}}, "nightly.changes"),
        ({"changes": {"field": "a b"}}, "nightly.changes.field"),
        ({"changes": {"field": "changed\n"}}, "nightly.changes.field"),
        ({"changes": {"field": "changed", "margin": "-PT1S"}}, "nightly.changes.margin"),
        ({"changes": {"field": "changed", "margin": "P8D", "prove_every": "P9D"}}, "nightly.changes.margin"),
        ({"changes": {"field": "changed", "prove_every": "PT59M"}}, "nightly.changes.prove_every"),
        ({"changes": {"field": "changed", "margin": "P1D", "prove_every": "P1D"}}, "nightly.changes.prove_every"),
        ({"keep": {"daily": -1}}, "nightly.keep.daily"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(policy: dict[str, Any], path: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(nightly=policy)
    assert caught.value.on == f"settings $.policies.{path}"


def test_the_recovery_point_is_twice_the_longest_interval_unless_the_policy_says() -> None:
    found = settings(
        weekdays={"schedule": "0 0 2 * * Mon-Fri"}, hourly={"schedule": "0 0 * * * *", "recovery_point": "PT90M"}
    ).policies
    assert recovery_point_of(found["weekdays"]) == timedelta(days=6)
    assert recovery_point_of(found["hourly"]) == timedelta(minutes=90)


@pytest.mark.parametrize("schedule", ["*/30 * * * * *", "0,30 * * * * *"])
def test_no_policy_is_due_more_often_than_once_a_minute(schedule: str) -> None:
    with pytest.raises(SettingsError, match="a minute or more between two times"):
        settings(nightly={"schedule": schedule})
    assert settings(nightly={"schedule": "0 * * * * *"}).policies["nightly"].schedule == "0 * * * * *"
