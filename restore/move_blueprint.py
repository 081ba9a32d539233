"""Moves as Azure Functions: the endpoint, the orchestrations, and the activities that only moves have."""

import azure.durable_functions as df

from indexvault.api.endpoint import register_endpoints
from indexvault.move.run import RUN_MOVE
from indexvault.move.workflow import MOVE_INDEX, OWN_ACTIVITIES
from indexvault.workflow.functions_host import FunctionsHost
from restore.moves import ENDPOINTS


def move_blueprint(host: FunctionsHost) -> df.Blueprint:
    """Return the blueprint. The activities of backup and restore come with theirs."""
    blueprint = df.Blueprint()
    host.register(blueprint, OWN_ACTIVITIES, [MOVE_INDEX, RUN_MOVE])
    register_endpoints(blueprint, host, ENDPOINTS)
    return blueprint
