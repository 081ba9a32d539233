"""How often the app looks for due policies."""

import json
import logging

import pytest

from backup.blueprint import tick_schedule


def environment(schedule: str, **more: str) -> dict[str, str]:
    settings = {
        "stores": {"east": {"connection_string": "UseDevelopmentStorage=true", "region": "local"}},
        "services": {
            "contoso": {
                "endpoint": "https://contoso.search.windows.net",
                "region": "eastus",
                "tier": "basic",
                "store": "east",
            }
        },
        "policies": {"often": {"service": "contoso", "schedule": schedule}},
    }
    return {"INDEXVAULT_CONFIG": json.dumps(settings)} | more


def test_the_app_looks_as_often_as_policies_are_due(caplog: pytest.LogCaptureFixture) -> None:
    assert tick_schedule(environment("0 0 2 * * *")) == "0 */5 * * * *"
    assert tick_schedule(environment("0 */5 * * * *")) == "0 */5 * * * *"
    assert tick_schedule(environment("0 */2 * * * *")) == "0 * * * * *"
    assert tick_schedule({"INDEXVAULT_CONFIG": "{"}) == "0 */5 * * * *"
    assert not caplog.records


def test_a_setting_decides_and_is_told_to_be_too_rare(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert tick_schedule(environment("0 * * * * *", INDEXVAULT_TICK="0 */5 * * * *")) == "%INDEXVAULT_TICK%"
    assert [record.getMessage() for record in caplog.records] == [
        "INDEXVAULT_TICK looks for due policies more rarely than often are due"
    ]
