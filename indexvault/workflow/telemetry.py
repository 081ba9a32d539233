"""Spans and metrics.

Only OpenTelemetry's API is used; without an SDK, which the host configures, it costs next to nothing. Labels are
services, indexes, runs, positions, counts and kinds of errors; nothing comes from a document, a key or the value of a
setting.

Workflows are replayed, so a span begins in an activity or in the caller that waits for a workflow, never in a workflow.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec
from opentelemetry import context, metrics, trace
from opentelemetry.context import Context

from indexvault.model import Clock
from indexvault.snapshots.summary import is_in_future
from indexvault.version import VERSION
from indexvault.workflow.activity import Activity, ProgressUpdate, Work
from indexvault.workflow.logs import labelled
from indexvault.workflow.runs import RunRecord

RUN, SERVICE, INDEX = "indexvault.run", "indexvault.service", "indexvault.index"
POSITION = "indexvault.position"
STAGE = "indexvault.stage"
KIND = "indexvault.kind"

_LABELS = {"run": RUN, "service": SERVICE, "index": INDEX}
_TRACER = trace.get_tracer("indexvault", VERSION)
_METER = metrics.get_meter("indexvault", VERSION)
_DOCUMENTS = _METER.create_counter(
    "indexvault.documents",
    unit="{document}",
    description="Documents handled in a stage; handled again, they count again",
)
_BYTES = _METER.create_counter("indexvault.bytes", unit="By", description="The bytes of those documents")


_MISSED = _METER.create_counter(
    "indexvault.missed",
    unit="{document}",
    description="Documents that presumed snapshots had missed, as full readings found",
)


class _Known(msgspec.Struct, frozen=True):
    created: datetime
    clock: Clock


_DRIFT: dict[tuple[str, str, str], int] = {}


def _drifts(_options: metrics.CallbackOptions) -> Iterator[metrics.Observation]:
    for (service, index, kind), documents in list(_DRIFT.items()):
        yield metrics.Observation(documents, {SERVICE: service, INDEX: index, KIND: kind})


_METER.create_observable_gauge(
    "indexvault.drift",
    callbacks=[_drifts],
    unit="{document}",
    description="Documents of an index that are changed, missing or extra beside the other service of its pair, as last"
    " measured and as far as this process knows",
)

_NEWEST: dict[tuple[str, str], _Known] = {}
_PROVED: dict[tuple[str, str], _Known] = {}


def _ages(_options: metrics.CallbackOptions) -> Iterator[metrics.Observation]:
    return _observed(_NEWEST)


def _proved_ages(_options: metrics.CallbackOptions) -> Iterator[metrics.Observation]:
    return _observed(_PROVED)


def _observed(times: Mapping[tuple[str, str], _Known]) -> Iterator[metrics.Observation]:
    for (service, index), known in list(times.items()):
        seconds = (known.clock() - known.created).total_seconds()
        yield metrics.Observation(max(0.0, seconds), {SERVICE: service, INDEX: index})


_METER.create_observable_gauge(
    "indexvault.snapshot.age",
    callbacks=[_ages],
    unit="s",
    description="Seconds since an index's newest complete or presumed snapshot, or since it was found as it is in that,"
    " as far as this process knows",
)
_METER.create_observable_gauge(
    "indexvault.snapshot.proved_age",
    callbacks=[_proved_ages],
    unit="s",
    description="Seconds since an index's newest complete snapshot, as far as this process knows",
)


def note_snapshot(service: str, index: str, at: datetime, clock: Clock, *, proved: bool = True) -> None:
    """Record up to when an index is kept, for the metrics of its age. An older time than is known is ignored.

    Nothing is missing up to `at`: `proved` by a full reading, or presumed by the field that says what changed. A time
    that turns out to lie in the future is replaced.
    """
    for times in (_NEWEST, _PROVED) if proved else (_NEWEST,):
        known = times.get((service, index))
        if known is None or known.created < at or is_in_future(known.created, clock()):
            times[service, index] = _Known(at, clock)


def note_drift(service: str, index: str, *, changed: int, missing: int, extra: int) -> None:
    """Record how many documents of an index differ from those of the other service of its pair, as last measured."""
    for kind, documents in (("changed", changed), ("missing", missing), ("extra", extra)):
        _DRIFT[service, index, kind] = documents


def note_missed(service: str, index: str, documents: int) -> None:
    """Count documents that presumed snapshots of an index had missed."""
    _MISSED.add(documents, {SERVICE: service, INDEX: index})


@contextlib.contextmanager
def run_span(workflow: str, given: Any) -> Iterator[Context]:
    """Measure a run from its caller's side. Yield the tracing context of its activities' spans."""
    with _span(workflow, _attributes(_labels(given))):
        yield context.get_current()


@contextlib.contextmanager
def within(parent: Context | None) -> Iterator[None]:
    """Begin spans below a run's when an engine calls its activity from another task; None changes nothing."""
    token = context.attach(parent) if parent is not None else None
    try:
        yield
    finally:
        if token is not None:
            context.detach(token)


def run_ended(record: RunRecord, now: datetime) -> None:
    """Emit one span for a run of the app, from its start to its end, whichever processes did the work.

    `now` is the time at which the caller ended the run. A run that had ended before has its span already.
    """
    if record.finished is None or record.finished != now:
        return
    span = _TRACER.start_span(
        f"run_{record.kind}",
        attributes={RUN: record.run, SERVICE: record.service, "indexvault.state": record.state},
        start_time=_nanoseconds(record.started or record.created),
    )
    if record.state == "failed":
        span.set_status(trace.StatusCode.ERROR)
    span.end(_nanoseconds(record.finished))


@contextlib.contextmanager
def activity_span(activity: Activity[Any, Any], given: Any) -> Iterator[None]:
    """Measure an activity, and label what is logged while it works."""
    labels = _labels(given, activity)
    attributes = _attributes(labels)
    # Ranges and parts have a position, a range of chunks starts at one.
    position = getattr(given, "position", getattr(given, "start", None))
    if isinstance(position, int):
        attributes[POSITION] = position
    with labelled(labels), _span(activity.name, attributes):
        yield


@contextlib.contextmanager
def batch_span(service: str, index: str, documents: int, bytes: int) -> Iterator[trace.Span]:  # noqa: A002 - the word for it
    """Measure the upload of one batch of documents. The caller sets the outcome on the span."""
    attributes: dict[str, str | int] = {
        SERVICE: service,
        INDEX: index,
        "indexvault.documents": documents,
        "indexvault.bytes": bytes,
    }
    with _span("index_documents", attributes) as span:
        yield span


def counted(
    report: Callable[[ProgressUpdate], None], activity: Activity[Any, Any], given: Any
) -> Callable[[ProgressUpdate], None]:
    """Return a report function that counts each update before it passes it on."""
    attributes = _attributes(_labels(given, activity))
    # With the run as a label, each run would be a time series of its own.
    attributes.pop(RUN, None)

    def counting(progress: ProgressUpdate) -> None:
        named = {**attributes, STAGE: progress.stage}
        if progress.documents:
            _DOCUMENTS.add(progress.documents, named)
        if progress.bytes:
            _BYTES.add(progress.bytes, named)
        report(progress)

    return counting


@contextlib.contextmanager
def _span(name: str, attributes: Mapping[str, str | int]) -> Iterator[trace.Span]:
    """Begin a span. It records only the kind of an error: the text may name a document's key."""
    with _TRACER.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(trace.StatusCode.ERROR)
            raise


def _attributes(labels: Mapping[str, str]) -> dict[str, str | int]:
    return {_LABELS[name]: value for name, value in labels.items()}


def _labels(given: Any, activity: Activity[Any, Any] | None = None) -> dict[str, str]:
    """Return the run, service and index that a payload is about, as far as it tells."""
    work = activity.work(given) if activity is not None and activity.work is not None else getattr(given, "work", None)
    if isinstance(work, Work):
        return {"run": work.run, "service": work.index.service, "index": work.index.index}
    about = getattr(given, "order", given)
    found = {name: getattr(about, name, None) for name in _LABELS}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _nanoseconds(time: datetime) -> int:
    return int(time.timestamp() * 1_000_000) * 1000
