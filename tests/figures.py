"""What `/metrics` tells, read as Prometheus reads it."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

Figures = dict[str, float]


def figures(metrics: Iterable[Metric]) -> Figures:
    """Write metrics out and read them in: a value by name and labels, as in `name{state=held}`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(metrics))
    return figures_read(generate_latest(registry).decode())


def figures_read(text: str) -> Figures:
    """Read a scrape."""
    return {
        _named(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _named(name: str, labels: dict[str, str]) -> str:
    told = ",".join(f"{label}={value}" for label, value in sorted(labels.items()))
    return f"{name}{{{told}}}" if told else name


class _Given(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics
