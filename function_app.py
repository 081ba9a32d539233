"""The Azure Functions app: settings in, blueprints registered, nothing else."""

import logging
import os
import random

import azure.durable_functions as df

from api.blueprint import service_blueprint
from backup.blueprint import backup_blueprint
from backup.requests import ENDPOINTS as BACKUP_ENDPOINTS
from engine.functions import FunctionsHome
from engine.logs import label_entries
from move.blueprint import move_blueprint
from move.requests import ENDPOINTS as MOVE_ENDPOINTS
from restore.blueprint import restore_blueprint
from restore.requests import ENDPOINTS as RESTORE_ENDPOINTS

# At the level that the platform keeps, the SDKs tell the address and headers of every single request.
logging.getLogger("azure.core").setLevel(logging.WARNING)
label_entries(logging.getLogger())
home = FunctionsHome(os.environ, chance=random.SystemRandom())
app = df.DFApp()
app.register_functions(backup_blueprint(home))
app.register_functions(restore_blueprint(home))
app.register_functions(move_blueprint(home))
app.register_functions(service_blueprint(home, [*BACKUP_ENDPOINTS, *RESTORE_ENDPOINTS, *MOVE_ENDPOINTS]))
