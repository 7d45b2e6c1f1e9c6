"""What Prometheus scrapes at ``/metrics``."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from seq2seq_core.serving.batching.batcher import BatchReport, Load

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class ServingMetrics:
    """The counters of one server.

    Args:
        load: the state of the queue.
    """

    def __init__(self, load: Callable[[], Load]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter("s2s_requests", "Requests by path and status", ["path", "status"], registry=self.registry)
        self.seconds = Histogram(
            "s2s_request_seconds", "Time from a request to its answer", ["path"], buckets=SECONDS, registry=self.registry
        )
        self.in_flight = Gauge("s2s_requests_in_flight", "Requests that are being answered", registry=self.registry)
        self.rows = Counter("s2s_rows", "Rows of requests that were submitted", registry=self.registry)
        self.batch_rows = Histogram("s2s_batch_rows", "Rows of a batch", buckets=ROWS, registry=self.registry)
        self.batch_seconds = Histogram("s2s_batch_seconds", "Time of a batch", buckets=SECONDS, registry=self.registry)
        self.batches = Counter("s2s_batches", "Batches by whether they were answered", ["answered"], registry=self.registry)
        self.tokens = Counter("s2s_source_tokens", "Source tokens or frames that were decoded", registry=self.registry)
        self.restarts = Counter("s2s_worker_restarts", "Workers that were started again", registry=self.registry)
        self.exchanges = Counter(
            "s2s_version_exchanges", "Versions that were exchanged, by result", ["result"], registry=self.registry
        )
        self.model = Info("s2s_model", "The version that is served", registry=self.registry)
        waiting = Gauge("s2s_queue_rows", "Rows that wait to be decoded", registry=self.registry)
        waiting.set_function(lambda: load().waiting_rows)
        stalled = Gauge("s2s_stalled_seconds", "Time without anything finished although rows wait", registry=self.registry)
        stalled.set_function(lambda: load().stalled_seconds)

    def observe_batch(self, report: BatchReport) -> None:
        """Counts a batch.

        Args:
            report: what became of it.
        """
        self.batch_rows.observe(report.rows)
        self.batch_seconds.observe(report.seconds)
        self.batches.labels(str(report.is_answered).lower()).inc()
        self.tokens.inc(report.tokens)

    def observe_request(self, path: str, status: int, seconds: float, rows: int) -> None:
        """Counts a request.

        Args:
            path: its path, one of those that the server knows.
            status: of its answer; 0: its client left before.
            seconds: the time it took.
            rows: rows that it submitted.
        """
        self.requests.labels(path, str(status)).inc()
        self.seconds.labels(path).observe(seconds)
        self.rows.inc(rows)

    def show(self) -> bytes:
        """The text that Prometheus reads."""
        return bytes(generate_latest(self.registry))
