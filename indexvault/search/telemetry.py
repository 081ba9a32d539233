"""Metrics of the requests to search services. Only OpenTelemetry's API is used; see `workflow.telemetry`."""

from opentelemetry import metrics

_SERVICE = "indexvault.service"
_THROTTLING = frozenset({429, 503})
"""Source: HTTP status codes (Azure AI Search), 2026-09."""
_METER = metrics.get_meter("indexvault")
_RETRIES = _METER.create_counter(
    "indexvault.retries", unit="{request}", description="Requests, or documents of a batch, that are sent again"
)
_THROTTLES = _METER.create_counter(
    "indexvault.throttles", unit="{request}", description="Requests that a service answered with 429 or 503"
)


def note_retry(service: str) -> None:
    """Count a request, or the rest of a batch, that is sent again."""
    _RETRIES.add(1, {_SERVICE: service})


def note_busy(service: str, status: int) -> None:
    """Count an answer with a status of throttling; ignore any other."""
    if status in _THROTTLING:
        _THROTTLES.add(1, {_SERVICE: service, "http.response.status_code": status})
