"""The shards of a bulk job: those that are missing are decoded, some ahead of the one that is written next."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from seq2seq_core.bulk.answer_columns import AnswerColumns
from seq2seq_core.bulk.bulk_request import BulkRequest
from seq2seq_core.bulk.input_files import InputFile, shard_names
from seq2seq_core.bulk.input_survey import read_blocks
from seq2seq_core.bulk.job_manifest import InputRecord, Manifest, ShardRecord
from seq2seq_core.bulk.output_folder import check_no_link
from seq2seq_core.bulk.row_block import RowBlock, RowResult, source_of
from seq2seq_core.bulk.shard_files import ShardWriter
from seq2seq_core.bulk.worker_pool import WorkerPool
from seq2seq_core.console import Progress
from seq2seq_core.decoding.phrases.asked_phrases import PhraseReader
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
from seq2seq_core.errors import Interrupted, UserError
from seq2seq_core.serving.batching.ticket import Mode, Row
from seq2seq_core.tokenization.manifest import file_digest

LOOK_SECONDS = 0.5
FEWEST_FAILED = 100
"""A job of which nothing but errors comes ends when so many rows have failed."""


@dataclass(frozen=True)
class _Batch:
    """Rows of a shard that are decoded together.

    Attributes:
        places: their positions in the shard.
        found: their results.
    """

    places: list[int]
    found: Future[list[RowResult]]


@dataclass(frozen=True)
class _Shard:
    """A shard that is being decoded.

    Attributes:
        name: its file name.
        writer: writes it.
        block: its rows.
        batches: its rows that can be decoded.
    """

    name: str
    writer: ShardWriter
    block: RowBlock
    batches: list[_Batch]

    @property
    def num_decoded(self) -> int:
        """The rows whose results are there."""
        return sum(len(batch.places) for batch in self.batches if batch.found.done())


class DecodedShards:
    """Decodes the missing shards of a job.

    Args:
        request: the job.
        manifest: its state; written after each shard.
        inputs: the input files.
        mode: how rows are decoded.
        tag_columns: the columns that the model reads as tags.
        phrases: knows which phrases are asked of which source.
        answers: the columns that are added.

    Attributes:
        manifest: the present state.
    """

    def __init__(
        self,
        request: BulkRequest,
        manifest: Manifest,
        inputs: list[InputFile],
        mode: Mode,
        tag_columns: tuple[str, ...],
        phrases: PhraseReader,
        answers: AnswerColumns,
    ) -> None:
        self.phrases = phrases
        self.request, self.manifest, self.inputs, self.mode, self.tag_columns = request, manifest, inputs, mode, tag_columns
        self.answers = answers
        self._pending: deque[_Shard] = deque()
        self._started, self._before = time.monotonic(), self._num_finished

    @property
    def _num_finished(self) -> int:
        return sum(shard.num_rows for shard in self.manifest.shards.values())

    def decode(self, pool: WorkerPool, display: Progress, stop: Callable[[], bool]) -> None:
        """Decodes and writes what is missing.

        Args:
            pool: decodes.
            display: shows the progress.
            stop: whether to end now.

        Raises:
            Interrupted: ``stop`` said so.
            UserError: an input was changed, or every row fails.
            OSError: a shard cannot be written.
        """
        most_rows = 2 * self.request.shard_rows
        for name, writer, block in self._missing():
            while self._pending and sum(len(shard.block.rows) for shard in self._pending) + len(block.rows) > most_rows:
                self._finish(self._pending.popleft(), display, stop)
            self._pending.append(_Shard(name, writer, block, self._submit(block, pool)))
        while self._pending:
            self._finish(self._pending.popleft(), display, stop)
        in_order = {name: self.manifest.shards[name] for name in self.manifest.job.shard_names()}
        self.manifest = self.manifest.model_copy(update={"shards": in_order, "is_complete": True})
        self.manifest.write(self.request.output)

    def _names(self, record: InputRecord) -> list[str]:
        return shard_names(record.name, record.output_format, record.num_rows, self.request.shard_rows)

    def _missing(self) -> Iterator[tuple[str, ShardWriter, RowBlock]]:
        """The shards to decode, in order, with their rows."""
        origin = {
            "model": self.manifest.model,
            "bundle_digest": self.manifest.job.bundle_digest,
            "engine": self.manifest.engine,
            "options": self.manifest.job.options,
        }
        for source, record in zip(self.inputs, self.manifest.job.inputs, strict=True):
            names = self._names(record)
            if self.manifest.shards.keys() >= set(names):
                continue
            writer = ShardWriter(source, record, self.answers, origin)
            blocks = read_blocks(source, self.request.source_column, self.tag_columns, self.request.shard_rows)
            num_rows = 0
            for name, block in zip_longest(names, blocks):
                num_rows += len(block.rows) if block else 0
                if not name or not block:
                    break
                if name not in self.manifest.shards:
                    yield name, writer, block
            source.check_unchanged()
            if num_rows != record.num_rows:
                raise source.file.fault(f"had {record.num_rows} rows when it was read first, and has {num_rows} or more now")

    def _submit(self, block: RowBlock, pool: WorkerPool) -> list[_Batch]:
        """Asks for the rows without a fault, those of similar length together."""
        sound = {place: row.cells for place, row in enumerate(block.rows) if not row.fault}
        sources = [source_of(cells, self.request.source_column) for cells in sound.values()]
        asked = self._phrases(sources)
        rows = {
            place: Row(source, self._tags(cells), 0, phrases)
            for (place, cells), source, phrases in zip(sound.items(), sources, asked, strict=True)
        }
        places = sorted(rows, key=lambda place: -len(str(rows[place].source)))
        size = self.request.batch_sentences
        parts = [places[start : start + size] for start in range(0, len(places), size)]
        return [_Batch(part, pool.submit([rows[place] for place in part], self.mode)) for part in parts]

    def _phrases(self, sources: Sequence[object]) -> list[Phrases | None]:
        """What is asked of each source's target."""
        if self.request.phrases.is_empty:
            return [None] * len(sources)
        return [None if one.is_empty else one for one in self.phrases.resolve(self.request.phrases, sources)]

    def _tags(self, cells: Mapping[str, Any]) -> dict[str, str]:
        """The tag columns of a row; values that are no texts are left out."""
        own = {name: value for name in self.tag_columns if isinstance(value := cells.get(name), str)}
        return {**self.request.tags, **own}

    def _finish(self, shard: _Shard, display: Progress, stop: Callable[[], bool]) -> None:
        """Waits for the results of a shard, and writes it."""
        waiting = [batch.found for batch in shard.batches]
        while waiting:
            if stop():
                raise Interrupted("stopped")
            waiting = list(wait(waiting, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED).not_done)
            if waiting:
                self._show(display, shard)
        results = [RowResult(error=row.fault) for row in shard.block.rows]
        for batch in shard.batches:
            for place, result in zip(batch.places, batch.found.result(), strict=True):
                results[place] = result
        self._check_some_succeed(results)
        shard.writer.source.check_unchanged()
        path = self.request.output / shard.name
        check_no_link(self.request.output, path.parent)
        shard.writer.write(path, shard.block, results)
        self.manifest = self.manifest.with_shard(shard.name, _record(path, results))
        self.manifest.write(self.request.output)
        self._show(display)

    def _show(self, display: Progress, *open_shards: _Shard) -> None:
        num_errors = sum(shard.num_errors for shard in self.manifest.shards.values())
        num_rows = self._num_finished + sum(shard.num_decoded for shard in (*open_shards, *self._pending))
        speed = (num_rows - self._before) / max(1e-6, time.monotonic() - self._started)
        display.update(num_rows, f"{speed:.0f} rows/s" + (f", {num_errors:,} errors" if num_errors else ""))

    def _check_some_succeed(self, results: list[RowResult]) -> None:
        """Ends a job that a wrong column, encoding or model makes nothing but errors of."""
        has_success = any(one.num_errors < one.num_rows for one in self.manifest.shards.values())
        if len(results) >= FEWEST_FAILED and all(one.error for one in results) and not has_success:
            raise UserError(f"each of the {len(results):,} rows that were read first has an error, such as: {results[0].error}")


def _record(path: Path, results: list[RowResult]) -> ShardRecord:
    """The record of a shard that was written."""
    errors = [f"row {place} of {path.name}: {result.error}" for place, result in enumerate(results, start=1) if result.error]
    return ShardRecord(
        sha256=file_digest(path),
        num_rows=len(results),
        num_errors=len(errors),
        num_cut=sum(bool(result.hypotheses) and result.hypotheses[0].is_cut for result in results),
        num_withheld=sum(bool(result.hypotheses) and result.hypotheses[0].abstained for result in results),
        first_error=errors[0] if errors else "",
    )
