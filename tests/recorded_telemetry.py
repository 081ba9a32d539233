"""Telemetry in memory: finished spans, metrics, and the log entries of all loggers at all levels."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, override

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from indexvault.workflow.logs import WorkLabels


class Entries(logging.Handler):
    """Keeps log entries, each as the text of all its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.texts: list[str] = []
        self.addFilter(WorkLabels())

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        extras = {name: value for name, value in vars(record).items() if name not in {"exc_info", "args", "msg"}}
        self.texts.append(f"{logging.Formatter().format(record)} {extras!r} {record.args!r}")


@dataclass
class RecordedTelemetry:
    """Telemetry since the test began; counters are compared with their values then."""

    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader
    entries: Entries
    before: dict[tuple[str, frozenset[Any]], float]

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def parent(self, span: ReadableSpan) -> str | None:
        """Return the name of a span's parent."""
        if span.parent is None:
            return None
        return next(each.name for each in self.spans if each.context.span_id == span.parent.span_id)

    def total(self, metric: str, **attributes: Any) -> float:
        """Return what a counter has gained in all series with these attributes."""
        return sum(
            value - self.before.get((name, key), 0)
            for (name, key), value in measured(self.reader).items()
            if name == metric and attributes.items() <= {_short(part): found for part, found in key}.items()
        )

    def values(self, metric: str) -> set[tuple[str, float]]:
        """Return a gauge's values, each with its index."""
        return {
            (dict(key)["indexvault.index"], value)
            for (name, key), value in measured(self.reader).items()
            if name == metric
        }

    @property
    def everything(self) -> str:
        """Return everything recorded, as text."""
        spans = "\n".join(span.to_json() for span in self.spans)
        return "\n".join([spans, repr(measured(self.reader)), *self.entries.texts])


def measured(reader: InMemoryMetricReader) -> dict[tuple[str, frozenset[Any]], float]:
    """Return every series by its metric's name and its attributes."""
    data = reader.get_metrics_data()
    return {
        (metric.name, frozenset(_attributes(point).items())): point.value
        for resource in (data.resource_metrics if data is not None else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
        if isinstance(point, NumberDataPoint)
    }


@pytest.fixture(scope="session")
def providers() -> tuple[InMemorySpanExporter, InMemoryMetricReader]:
    """Set the process's providers, which can be done once."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([reader]))
    return exporter, reader


@pytest.fixture
def telemetry(providers: tuple[InMemorySpanExporter, InMemoryMetricReader]) -> Iterator[RecordedTelemetry]:
    """RecordedTelemetry a test. Afterwards the loggers are as before."""
    exporter, reader = providers
    exporter.clear()
    root = logging.getLogger()
    loggers = [root, *(each for each in root.manager.loggerDict.values() if isinstance(each, logging.Logger))]
    levels = {logger: logger.level for logger in loggers}
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    entries = Entries()
    root.addHandler(entries)
    yield RecordedTelemetry(exporter, reader, entries, measured(reader))
    root.removeHandler(entries)
    for logger, level in levels.items():
        logger.setLevel(level)
    exporter.clear()


def _attributes(point: NumberDataPoint) -> Mapping[str, Any]:
    return point.attributes or {}


def _short(name: str) -> str:
    return name.removeprefix("indexvault.")
