"""Restores as Azure Functions: the endpoints, the orchestrations and their activities."""

import azure.durable_functions as df

from indexvault.api.endpoint import register_endpoints
from indexvault.restore.run import ACTIVITIES as RUN_ACTIVITIES
from indexvault.restore.run import RUN_RESTORE
from indexvault.restore.service import run as service
from indexvault.restore.workflow import ACTIVITIES, RESTORE_INDEX
from indexvault.workflow.functions_host import FunctionsHost
from restore.restores import ENDPOINTS


def restore_blueprint(host: FunctionsHost) -> df.Blueprint:
    """Return the blueprint."""
    blueprint = df.Blueprint()
    host.register(
        blueprint,
        [*ACTIVITIES, *RUN_ACTIVITIES, *service.ACTIVITIES],
        [RESTORE_INDEX, RUN_RESTORE, *service.WORKFLOWS],
    )
    register_endpoints(blueprint, host, ENDPOINTS)
    return blueprint
