"""What is counted of the requests to search services. Only OpenTelemetry's API is used; see `engine.telemetry`."""

from opentelemetry import metrics

_SERVICE = "indexvault.service"
_THROTTLING = frozenset({429, 503})
"""Source: Azure AI Search's documentation of throttling, 2026-09."""
_METER = metrics.get_meter("indexvault")
_RETRIES = _METER.create_counter(
    "indexvault.retries", unit="{request}", description="Requests, or documents of a batch, that are sent again"
)
_THROTTLES = _METER.create_counter(
    "indexvault.throttles", unit="{request}", description="Requests that a service answered with 429 or 503"
)


def note_retry(service: str) -> None:
    """Count a request, or what is left of a batch, that is sent again."""
    _RETRIES.add(1, {_SERVICE: service})


def note_busy(service: str, status: int) -> None:
    """Count an answer by which a service says that it is asked too much; others are passed over."""
    if status in _THROTTLING:
        _THROTTLES.add(1, {_SERVICE: service, "http.response.status_code": status})
