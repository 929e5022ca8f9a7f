"""Figures for operators, in the Prometheus text format at ``/metrics``."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from endpoint.history.releases import Lag
from endpoint.http.budget import FairShare
from endpoint.http.cache import ResponseCache
from endpoint.sparql.engine import Engine

if TYPE_CHECKING:
    from endpoint.federation.gateway import Gateway

__all__ = ["Metrics", "routes"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class _Latency:
    """How long queries of one outcome took: a look-up should not pay for the locks and loops of a Histogram."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_SECONDS) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(_SECONDS, seconds)] += 1
        self.sum_s += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bounds and how many were not longer."""
        return list(zip([*map(str, map(float, _SECONDS)), "+Inf"], accumulate(self._counts), strict=True))


class Metrics:
    """What is counted, read when somebody asks."""

    def __init__(self, *, pool: Engine, share: FairShare, gateway: Gateway | None) -> None:
        self._registry = CollectorRegistry()
        self.latency: defaultdict[str, _Latency] = defaultdict(_Latency)
        self.sent_bytes = 0
        self._state = _State(self, pool, share, gateway)
        self._registry.register(self._state)

    def observe(self, outcome: str, seconds: float, sent_bytes: int) -> None:
        """Take note of one query."""
        self.latency[outcome].add(seconds)
        self.sent_bytes += sent_bytes

    def watch_cache(self, cache: ResponseCache) -> None:
        """Report on the cache, which is made around the application that holds these metrics."""
        self._state.cache = cache

    def watch_writes(self, *, outcomes: Mapping[str, int], refused: Mapping[str, int]) -> None:
        """Report on writes: what became of them, and why others were not let in."""
        self._state.writes = {"chap_writes": ("outcome", outcomes), "chap_writes_refused": ("reason", refused)}

    def watch_derived(self, *, find_lag: Callable[[], Lag], find_failures: Callable[[], int]) -> None:
        """Report on what is made after a publication: how far it is behind, and how often making it failed."""
        self._state.find_lag, self._state.find_failures = find_lag, find_failures

    def write(self) -> bytes:
        """All figures as text."""
        return generate_latest(self._registry)


class _State(Collector):
    """Figures that others hold already."""

    def __init__(self, metrics: Metrics, pool: Engine, share: FairShare, gateway: Gateway | None) -> None:
        self._metrics = metrics
        self._pool = pool
        self._share = share
        self._gateway = gateway
        self.cache: ResponseCache | None = None
        self.writes: Mapping[str, tuple[str, Mapping[str, int]]] = {}
        self.find_lag: Callable[[], Lag] = Lag
        self.find_failures: Callable[[], int] = int

    def collect(self) -> Iterator[Metric]:
        """The figures of now (prometheus_client.registry.Collector)."""
        latency = HistogramMetricFamily(
            "chap_query_seconds", "Time from request to last byte, by outcome", labels=["outcome"]
        )
        for outcome, times in sorted(self._metrics.latency.items()):
            latency.add_metric([outcome], buckets=times.buckets(), sum_value=times.sum_s)
        yield latency
        for name, value in self._pool.counts().items():
            yield GaugeMetricFamily(f"chap_pool_{name}", "Workers and queries of the pool", value=value)
        stopped = CounterMetricFamily(
            "chap_workers_stopped", "Workers that ended before their query", labels=["reason"]
        )
        for reason, count in sorted(self._pool.stopped.items()):
            stopped.add_metric([reason], count)
        yield stopped
        yield CounterMetricFamily("chap_clients_refused", "Queries beyond a client's share", value=self._share.refused)
        yield CounterMetricFamily("chap_sent_bytes", "Bytes of results sent", value=self._metrics.sent_bytes)
        for title, (label, counts) in self.writes.items():
            writes = CounterMetricFamily(title, f"Writes over HTTP, by {label}", labels=[label])
            for outcome, number in sorted(counts.items()):
                writes.add_metric([outcome], number)
            yield writes
        yield from self._collect_derived()
        if self.cache is not None:
            yield CounterMetricFamily("chap_cache_hits", "Answers from the cache", value=self.cache.hits)
            yield CounterMetricFamily("chap_cache_misses", "Answers that were made", value=self.cache.misses)
            yield GaugeMetricFamily("chap_cache_bytes", "Bytes that the cache holds", value=self.cache.held_bytes)
        if self._gateway is not None:
            yield from _collect_federation(self._gateway)

    def _collect_derived(self) -> Iterator[Metric]:
        lag = self.find_lag()
        for name, what, value in (
            ("releases_behind", "Publications since the last with dumps, descriptions and catalogue", lag.releases),
            (
                "seconds_behind",
                "Seconds since the first publication that lacks them, or the feed lacks",
                lag.seconds(),
            ),
        ):
            yield GaugeMetricFamily(f"chap_derived_{name}", what, value=value)
        yield GaugeMetricFamily("chap_feed_steps_behind", "Publications that the feed has not", value=lag.feed_steps)
        yield CounterMetricFamily(
            "chap_derived_failures", "Attempts to make these that failed", value=self.find_failures()
        )


def _collect_federation(gateway: Gateway) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "chap_federation_requests", "Requests of queries to outside endpoints", labels=["endpoint", "outcome"]
    )
    received = CounterMetricFamily("chap_federation_received_bytes", "Bytes that came", labels=["endpoint"])
    breaker = GaugeMetricFamily("chap_federation_breaker_open", "Whether it is left alone", labels=["endpoint"])
    for name, outside in sorted(gateway.outside.items()):
        for outcome, count in sorted(outside.outcomes.items()):
            requests.add_metric([name, outcome], count)
        received.add_metric([name], outside.received_bytes)
        breaker.add_metric([name], outside.breaker.is_open)
    yield from (requests, received, breaker)
    yield GaugeMetricFamily(
        "chap_federation_cache_bytes", "Bytes of outside answers kept", value=gateway.cache.held_bytes
    )


async def _show_metrics(request: Request) -> Response:
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.write(), headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})


routes = [Route("/metrics", _show_metrics)]
