"""The Azure Functions app: settings in, blueprints registered, nothing else."""

import os
import random

import azure.durable_functions as df

from api.blueprint import service_blueprint
from backup.blueprint import backup_blueprint
from backup.requests import ENDPOINTS as BACKUP_ENDPOINTS
from engine.functions import FunctionsHome
from restore.blueprint import restore_blueprint
from restore.requests import ENDPOINTS as RESTORE_ENDPOINTS

home = FunctionsHome(os.environ, chance=random.SystemRandom())
app = df.DFApp()
app.register_functions(backup_blueprint(home))
app.register_functions(restore_blueprint(home))
app.register_functions(service_blueprint(home, [*BACKUP_ENDPOINTS, *RESTORE_ENDPOINTS]))
