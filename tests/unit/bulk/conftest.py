"""Bulk jobs: a tiny bundle, and workers that answer at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.bulk import bulk_run
from seq2seq_core.bulk.bulk_request import BulkRequest, BulkSummary
from seq2seq_core.bulk.row_block import RowResult
from seq2seq_core.bulk.worker_pool import isolate_faults
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.console import Progress
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
from seq2seq_core.decoding.prediction import TextHypothesis
from seq2seq_core.errors import UserError
from seq2seq_core.serving.batching.ticket import Mode, Row
from seq2seq_core.serving.loading import FoundModel, find_model
from seq2seq_core.tokenization.tags import TagColumns


@pytest.fixture(scope="session")
def bulk_model(tmp_path_factory: pytest.TempPathFactory, make_bundle: Callable[..., None]) -> FoundModel:
    """A model of random weights, with a tag."""
    paths = Paths(tmp_path_factory.mktemp("bulk_model"))
    make_bundle(paths, tags=TagColumns(source=("language",)))
    return find_model(str(paths.served), paths)


def select(query: str) -> duckdb.DuckDBPyRelation:
    """The answer of DuckDB to a query."""
    found = duckdb.sql(query)
    assert found is not None
    return found


class Shown:
    """Keeps what a progress display was told."""

    def __init__(self) -> None:
        self.told: list[tuple[float, str]] = []

    def update(self, completed: float, message: str = "") -> None:
        self.told.append((completed, message))

    @contextmanager
    def __call__(self, total: int, finished: int) -> Iterator[Progress]:
        self.told.append((finished, f"of {total}"))
        yield self


class MirrorPool:
    """Answers each source with its mirror image and its tag; ``wrong`` fails."""

    engines = ("mirror", "reference")

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.phrases: dict[str, Phrases | None] = {}

    def submit(self, rows: Sequence[Row], mode: Mode) -> Future[list[RowResult]]:
        self.batches.append([str(row.source) for row in rows])
        self.phrases |= {str(row.source): row.phrases for row in rows}
        done: Future[list[RowResult]] = Future()
        done.set_result(isolate_faults(rows, _mirror))
        return done

    def close(self) -> None:
        pass


def _mirror(rows: Sequence[Row]) -> list[RowResult]:
    for place, row in enumerate(rows, start=1):
        if row.source == "wrong":
            raise UserError(f"source {place}: cannot be mirrored")
    texts = [f"{str(row.source)[::-1]}{row.tags.get('language', '')}" for row in rows]
    return [RowResult((TextHypothesis(text, -0.5, -1.0, is_cut=text.startswith("!")),)) for text in texts]


Run = Callable[..., BulkSummary]


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> MirrorPool:
    """What answers in place of worker processes."""
    pool = MirrorPool()
    monkeypatch.setattr(bulk_run, "_start_workers", lambda *_: pool)
    return pool


@pytest.fixture
def run_mirrored(mirror: MirrorPool, bulk_model: FoundModel, tmp_path: Path) -> Run:
    """Runs a job of some inputs with mirror images as predictions, into the folder ``out``."""

    def run(*inputs: Path, shows: Any = None, stop: Callable[[], bool] = lambda: False, **fields: Any) -> BulkSummary:
        options = DecodingOptions.model_validate(fields.pop("options", {}))
        request = BulkRequest(inputs, tmp_path / "out", **{"device": "cpu", **fields})
        return bulk_run.run_bulk(request, bulk_model, options, shows or Shown(), stop)

    return run
