"""What a bulk job is asked for, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seq2seq_core.console import format_seconds
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases

SHARD_ROWS = 10_000
BATCH_SENTENCES = 64
MOST_WORKERS = 8
"""Most workers that are started by default: each needs the model's memory, and that of PyTorch."""


@dataclass(frozen=True)
class BulkRequest:
    """A bulk job.

    Attributes:
        inputs: files and folders.
        output: the folder of the shards.
        source_column: the source's column.
        output_column: the column of the predictions; the names of the other added columns begin with it.
        output_format: of the shards; empty: that of each input.
        tags: tag columns of the rows that have none of their own.
        shard_rows: rows of a shard.
        batch_sentences: rows that are decoded together.
        workers: processes that decode; 0: one for each core, :data:`MOST_WORKERS` at most, or one on a GPU.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``auto``.
        restarts: whether what the output folder holds of an earlier job is deleted.
        renews: whether it is deleted where that was another job, which is refused otherwise.
        phrases: what the predictions must and must not contain.
    """

    inputs: tuple[Path, ...]
    output: Path
    source_column: str = "source"
    output_column: str = "prediction"
    output_format: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    shard_rows: int = SHARD_ROWS
    batch_sentences: int = BATCH_SENTENCES
    workers: int = 0
    device: str = "auto"
    restarts: bool = False
    renews: bool = False
    phrases: Phrases = field(default_factory=Phrases)


@dataclass(frozen=True)
class BulkSummary:
    """The end of a bulk job.

    Attributes:
        output: the folder of the shards.
        model: the registered version, or the bundle's folder.
        bundle_digest: the model's digest.
        engine: what decoded.
        num_files: input files.
        num_shards: files of the output.
        num_rows: rows of the output, as many as of the input.
        num_errors: rows without a prediction.
        num_cut: rows whose prediction was cut at its length limit.
        num_withheld: rows whose answer was withheld for its low confidence.
        first_error: the error of the first row that has one, with its shard.
        num_decoded: rows that this run decoded; the others were finished before.
        seconds: duration of this run.
    """

    output: Path
    model: str
    bundle_digest: str
    engine: str
    num_files: int
    num_shards: int
    num_rows: int
    num_errors: int
    num_cut: int
    num_withheld: int
    first_error: str
    num_decoded: int
    seconds: float

    def headline(self) -> str:
        """The outcome in one sentence."""
        shards = f"{self.num_shards} {'shard' if self.num_shards == 1 else 'shards'}"
        rows = f"{self.num_rows:,} rows in {shards} in {self.output}"
        if not self.num_rows:
            return f"nothing to do: no input has a row; {self.output} has no shard"
        part = "" if self.num_decoded == self.num_rows else f"{self.num_decoded:,} of them in "
        speed = f"{part}{format_seconds(self.seconds)}, {self.num_decoded / self.seconds:.0f} rows/s"
        withheld = f"; {self.num_withheld:,} answers are withheld, of low confidence" if self.num_withheld else ""
        errors = f"; {self.num_errors:,} rows have an error, the first in {self.first_error}" if self.num_errors else ""
        if not self.num_decoded:
            return f"nothing to do: {rows}, all finished before{withheld}{errors}"
        return f"{rows} ({speed}){withheld}{errors}"
