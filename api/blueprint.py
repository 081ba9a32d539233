"""The endpoints that belong to no workflow: snapshots, runs, health and the document of all endpoints."""

from collections.abc import Sequence

import azure.durable_functions as df

from api import runs, snapshots
from api.endpoint import Endpoint, register_endpoints
from api.health import HealthCheck, health_endpoint
from api.openapi import openapi_endpoint
from engine.functions import FunctionsHome


def service_blueprint(home: FunctionsHome, others: Sequence[Endpoint]) -> df.Blueprint:
    """Give the blueprint; `others` are the endpoints of the other blueprints, which the document covers too."""
    own = [*snapshots.ENDPOINTS, *runs.ENDPOINTS, health_endpoint(HealthCheck())]
    blueprint = df.Blueprint()
    register_endpoints(blueprint, home, [*own, openapi_endpoint([*others, *own])])
    return blueprint
