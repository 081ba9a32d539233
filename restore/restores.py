"""`POST /restores`."""

from indexvault.api.endpoint import DocumentedAnswer, Endpoint
from indexvault.api.restore_requests import RestoreRequest
from indexvault.api.restores import PreflightView, restore
from indexvault.api.start_run import STARTED

ENDPOINTS = (
    Endpoint(
        name="restore",
        method="POST",
        route="restores",
        summary="Restore a snapshot, or check whether it could be",
        handle=restore,
        body=RestoreRequest,
        answers={202: STARTED, 200: DocumentedAnswer("The findings of a dry run.", PreflightView)},
    ),
)
