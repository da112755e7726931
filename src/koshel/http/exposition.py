"""`GET /metrics`: what all workers have counted, in Prometheus' text or OpenMetrics, as the caller's `Accept` wants."""

import asyncio
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from koshel import __version__
from koshel.db.starting import schema
from koshel.db.store import Store
from koshel.errors import KoshelError
from koshel.telemetry import metrics
from koshel.telemetry.tally import Asked, Histogram, Number, Series

PATIENCE_S = 2.0  # with the database; a scrape is given up after ten seconds


async def text(store: Store, accept: str) -> tuple[bytes, str]:
    """All metrics, and the media type that they are in."""
    series = metrics.SHARED.read() | await _asked(store)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(series))
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


class _Collector(Collector):
    def __init__(self, series: Mapping[str, Series]) -> None:
        self._series = series

    def collect(self) -> Iterator[Metric]:
        """Every metric of the table, in order."""
        for number in metrics.TABLE:
            yield _family(number, self._series.get(number.name, {}))


def _family(number: Number, series: Series) -> Metric:
    told = sorted(series.items())
    match number.kind:
        case "counter":
            return _with(CounterMetricFamily(number.name, number.text, labels=number.labels), told)
        case "gauge":
            return _with(GaugeMetricFamily(number.name, number.text, labels=number.labels), told)
        case "histogram":
            assert isinstance(number, Histogram)
            family = HistogramMetricFamily(number.name, number.text, labels=number.labels)
            limits = [*map(floatToGoString, number.bounds), "+Inf"]
            for values, cells in told:
                *counts, total = cells
                family.add_metric(values, list(zip(limits, accumulate(counts), strict=True)), total)
            return family


def _with(
    family: CounterMetricFamily | GaugeMetricFamily, told: Iterable[tuple[Sequence[str], Sequence[float]]]
) -> Metric:
    for values, (value,) in told:
        family.add_metric(values, value)
    return family


async def _asked(store: Store) -> dict[str, Series]:
    """What only the database knows; of it, while that is away, no more than that."""
    found: dict[Asked, tuple[float, tuple[str, ...]]] = {
        metrics.BUILD: (1.0, (__version__, platform.python_version())),
        metrics.DATABASE_UP: (1.0, ()),
    }
    try:
        async with asyncio.timeout(PATIENCE_S):
            applied = await store.applied_migrations()
            work = await store.measure_background()
            found |= {
                metrics.DATABASE_DURABLE: (float(not await store.unsafe_settings()), ()),
                metrics.SCHEMA_CURRENT: (float(applied >= set(schema.known())), ()),
                metrics.SCHEMA: (1.0, (max(applied, default="none"),)),
                metrics.QUEUED: (work.depth, ()),
                metrics.QUEUED_RETRYING: (work.retrying, ()),
                metrics.QUEUED_AGE: (work.oldest_age_s, ()),
                metrics.SCHEDULED: (work.scheduled, ()),
                metrics.HOLDS_DUE: (work.holds_due, ()),
                metrics.IDS_AHEAD: (await store.measure_partitions(), ()),
            }
    except (KoshelError, TimeoutError):
        found[metrics.DATABASE_UP] = (0.0, ())
    return {number.name: {values: [float(value)]} for number, (value, values) in found.items()}
