"""Moves as Azure Functions: the endpoint, the workflows and the steps that are a move's own."""

import azure.durable_functions as df

from api.endpoint import register_endpoints
from engine.functions import FunctionsHome
from move.requests import ENDPOINTS
from move.run import RUN_MOVE
from move.workflow import MOVE_INDEX, OWN_STEPS


def move_blueprint(home: FunctionsHome) -> df.Blueprint:
    """Give the blueprint. The steps of backup and restore come with their own."""
    blueprint = df.Blueprint()
    home.register(blueprint, OWN_STEPS, [MOVE_INDEX, RUN_MOVE])
    register_endpoints(blueprint, home, ENDPOINTS)
    return blueprint
