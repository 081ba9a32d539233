"""The blueprint of the endpoints for snapshots, runs, health and the OpenAPI document."""

from collections.abc import Sequence

import azure.durable_functions as df

from indexvault.api import (
    alerts,
    checks,
    comparisons,
    deletions,
    drifts,
    drills,
    failovers,
    followings,
    histories,
    locks,
    pins,
    policies,
    protections,
    prunes,
    readiness,
    runs,
    snapshots,
    verifications,
)
from indexvault.api.endpoint import Endpoint, register_endpoints
from indexvault.api.health import HealthCheck, health_endpoint
from indexvault.api.openapi import openapi_endpoint
from indexvault.api.service_health import ServiceChecks, service_health_endpoint
from indexvault.api.status import status_endpoint
from indexvault.status.watch import Watch
from indexvault.workflow.functions_host import FunctionsHost


def service_blueprint(host: FunctionsHost, others: Sequence[Endpoint]) -> df.Blueprint:
    """Return the blueprint. `others` are the endpoints of the other blueprints, for the OpenAPI document."""
    own = [
        *snapshots.ENDPOINTS,
        *pins.ENDPOINTS,
        *protections.ENDPOINTS,
        *locks.ENDPOINTS,
        *checks.ENDPOINTS,
        *verifications.ENDPOINTS,
        *prunes.ENDPOINTS,
        *readiness.ENDPOINTS,
        *deletions.ENDPOINTS,
        *comparisons.ENDPOINTS,
        *drifts.ENDPOINTS,
        *drills.ENDPOINTS,
        *followings.ENDPOINTS,
        *failovers.ENDPOINTS,
        *histories.ENDPOINTS,
        *runs.ENDPOINTS,
        *alerts.ENDPOINTS,
        *policies.ENDPOINTS,
        health_endpoint(HealthCheck()),
        service_health_endpoint(ServiceChecks()),
        status_endpoint(Watch()),
    ]
    blueprint = df.Blueprint()
    register_endpoints(blueprint, host, [*own, openapi_endpoint([*others, *own])])
    return blueprint
