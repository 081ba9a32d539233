"""Restores as Azure Functions: the endpoints, the workflows and their steps."""

import azure.durable_functions as df

from api.endpoint import register_endpoints
from engine.functions import FunctionsHome
from restore.requests import ENDPOINTS
from restore.run import RUN_RESTORE
from restore.run import STEPS as RUN_STEPS
from restore.workflow import RESTORE_INDEX, STEPS


def restore_blueprint(home: FunctionsHome) -> df.Blueprint:
    """Give the blueprint."""
    blueprint = df.Blueprint()
    home.register(blueprint, [*STEPS, *RUN_STEPS], [RESTORE_INDEX, RUN_RESTORE])
    register_endpoints(blueprint, home, ENDPOINTS)
    return blueprint
