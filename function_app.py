"""The Azure Functions app: settings in, blueprints registered, nothing else."""

import logging
import os
import random
import secrets

import azure.durable_functions as df

from backup.backups import ENDPOINTS as BACKUP_ENDPOINTS
from backup.blueprint import backup_blueprint
from indexvault.api.blueprint import service_blueprint
from indexvault.pages.functions import page_blueprint
from indexvault.workflow.functions_host import FunctionsHost
from indexvault.workflow.logs import label_entries
from restore.blueprint import restore_blueprint
from restore.move_blueprint import move_blueprint
from restore.moves import ENDPOINTS as MOVE_ENDPOINTS
from restore.restores import ENDPOINTS as RESTORE_ENDPOINTS

# At the platform's level (INFO) the SDKs log address and headers of every request.
logging.getLogger("azure.core").setLevel(logging.WARNING)
label_entries(logging.getLogger())
host = FunctionsHost(os.environ, rng=random.SystemRandom())
app = df.DFApp()
app.register_functions(backup_blueprint(host))
app.register_functions(restore_blueprint(host))
app.register_functions(move_blueprint(host))
app.register_functions(page_blueprint(host, process_secret=secrets.token_hex(32)))
app.register_functions(service_blueprint(host, [*BACKUP_ENDPOINTS, *RESTORE_ENDPOINTS, *MOVE_ENDPOINTS]))
