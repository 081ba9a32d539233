"""The templates of routers ask for what `/health/{service}` answers, and send traffic where it says."""

from typing import Any

import pytest

from indexvault.api.health import KEPT_SECONDS
from indexvault.api.service_health import ROLE_SECONDS, ServiceChecks, service_health_endpoint
from indexvault.recovery.index_health import TURN_SECONDS
from tests.infra.deployments import CLIENTS, ROUTERS, deployed_router
from tests.layout.project import text_of

LONGEST_ANSWER = 2 * ROLE_SECONDS + TURN_SECONDS
HOSTS = [each["host"] for each in CLIENTS]
EAST_DISABLED = [each | {"enabled": each["name"] != "east"} for each in CLIENTS]


def without_region(clients: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in each.items() if key != "region"} for each in clients]


def profile(**changes: Any) -> dict[str, Any]:
    (found,) = deployed_router("traffic-manager", **changes).of("Microsoft.Network/trafficmanagerprofiles")
    return found.properties


def gateway(**changes: Any) -> dict[str, Any]:
    (found,) = deployed_router("application-gateway", **changes).of("Microsoft.Network/applicationGateways")
    return found.properties


def test_traffic_manager_asks_each_client_and_prefers_the_first() -> None:
    found = profile()
    assert found["trafficRoutingMethod"] == "Priority"
    assert [(each["properties"]["target"], each["properties"]["priority"]) for each in found["endpoints"]] == [
        (HOSTS[0], 1),
        (HOSTS[1], 2),
    ]
    monitor = found["monitorConfig"]
    assert (monitor["protocol"], monitor["port"], monitor["path"]) == ("HTTPS", 443, "/health")
    # 10 or 30 seconds, with a timeout of 5 to 9 or 5 to 10. Source: Traffic Manager endpoint monitoring, 2018-12.
    assert (monitor["intervalInSeconds"], monitor["timeoutInSeconds"]) == (10, 9)
    assert monitor["intervalInSeconds"] >= KEPT_SECONDS
    assert monitor["timeoutInSeconds"] > LONGEST_ANSWER
    assert monitor["toleratedNumberOfFailures"] == 3


def test_front_door_probes_by_head_which_health_answers() -> None:
    made = deployed_router("front-door")
    (group,) = made.of("Microsoft.Cdn/profiles/originGroups")
    probe = group.properties["healthProbeSettings"]
    assert (probe["probePath"], probe["probeProtocol"], probe["probeRequestType"]) == ("/health", "Https", "HEAD")
    assert service_health_endpoint(ServiceChecks()).also_head
    assert probe["probeIntervalInSeconds"] >= KEPT_SECONDS
    origins = [each.properties for each in made.of("Microsoft.Cdn/profiles/originGroups/origins")]
    assert [(each["hostName"], each["originHostHeader"], each["priority"]) for each in origins] == [
        (HOSTS[0], HOSTS[0], 1),
        (HOSTS[1], HOSTS[1], 2),
    ]
    assert all(each["enforceCertificateNameCheck"] for each in origins)
    (route,) = made.of("Microsoft.Cdn/profiles/afdEndpoints/routes")
    assert route.properties["originGroup"]["id"] == group.id
    assert "cacheConfiguration" not in route.properties  # what queries answer is not kept


def test_an_application_gateway_takes_only_200_for_healthy_and_listens_in_the_network_alone() -> None:
    found = gateway()
    (probe,) = (each["properties"] for each in found["probes"])
    assert (probe["protocol"], probe["path"], probe["match"]["statusCodes"]) == ("Https", "/health", ["200"])
    assert probe["interval"] >= KEPT_SECONDS
    assert LONGEST_ANSWER < probe["timeout"] <= probe["interval"]
    (settings,) = (each["properties"] for each in found["backendHttpSettingsCollection"])
    assert settings["pickHostNameFromBackendAddress"]
    (pool,) = (each["properties"] for each in found["backendAddressPools"])
    assert [each["fqdn"] for each in pool["backendAddresses"]] == HOSTS
    for listener in found["httpListeners"]:
        assert listener["properties"]["frontendIPConfiguration"]["id"].endswith("/frontendIPConfigurations/private")


def test_what_the_parts_of_a_gateway_refer_to_is_there() -> None:
    (made,) = deployed_router("application-gateway").of("Microsoft.Network/applicationGateways")
    referred = [each for each in texts(made.properties) if each.startswith(f"{made.id}/")]
    assert len(referred) >= 6
    for reference in referred:
        kind, name = reference.removeprefix(f"{made.id}/").split("/")
        assert name in [each["name"] for each in made.properties[kind]], reference


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


def test_a_side_can_be_taken_out_of_each_router() -> None:
    endpoints = profile(clients=EAST_DISABLED)["endpoints"]
    assert [each["properties"]["endpointStatus"] for each in endpoints] == ["Disabled", "Enabled"]
    clients = without_region(EAST_DISABLED)
    origins = deployed_router("front-door", clients=clients).of("Microsoft.Cdn/profiles/originGroups/origins")
    assert [each.properties["enabledState"] for each in origins] == ["Disabled", "Enabled"]
    (pool,) = gateway(clients=clients)["backendAddressPools"]
    assert pool["properties"]["backendAddresses"] == [{"fqdn": HOSTS[1]}]


@pytest.mark.parametrize("which", ROUTERS)
def test_the_page_names_each_template_and_its_parameters(which: str) -> None:
    assert f"infra/routing/{which}.bicep" in text_of("docs/routing.md")
