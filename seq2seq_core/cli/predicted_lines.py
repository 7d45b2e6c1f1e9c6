"""Streams lines through a predictor, some batches at a time; a terminal gets each answer at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_core.cli.line_streams import open_sources, open_targets, read_aligned_chunks, read_chunks, split_pair
from seq2seq_core.errors import UserError

if TYPE_CHECKING:
    from seq2seq_core.decoding.options import DecodingOptions
    from seq2seq_core.decoding.prediction import Prediction
    from seq2seq_core.decoding.predictor import Predictor

BATCHES_A_CHUNK = 16
"""Batches read at once: enough to sort by length in."""


@dataclass(frozen=True)
class PredictionFiles:
    """Where ``s2s predict`` reads and writes.

    Attributes:
        source: a source a line; None for standard input.
        prefix: a target's prefix a line; None for none.
        output: of the targets; None for standard output.
        attention: of the alignments, JSON lines; None for none.
    """

    source: Path | None = None
    prefix: Path | None = None
    output: Path | None = None
    attention: Path | None = None


def predict_lines(
    predictor: Predictor, files: PredictionFiles, options: DecodingOptions, batch_sentences: int, scores: bool
) -> None:
    """Writes each source's hypotheses, a line each.

    Args:
        predictor: the model.
        files: what to read and write.
        options: of decoding.
        batch_sentences: sources decoded together.
        scores: whether the score and a TAB come before each hypothesis.

    Raises:
        UserError: a file cannot be used, or the model has no attention and it was asked for.
    """
    with ExitStack() as stack:
        chunks = _read_sources(stack, files, batch_sentences)
        write = stack.enter_context(open_targets(files.output))
        write_alignment = stack.enter_context(open_targets(files.attention)) if files.attention else None
        for sources, prefixes in chunks:
            predictions = predictor.predict(
                sources, options, batch_sentences, prefixes=prefixes, keep_alignments=write_alignment is not None
            )
            for source, prediction in zip(sources, predictions, strict=True):
                for hypothesis in prediction.hypotheses:
                    write(f"{hypothesis.score:.4f}\t{hypothesis.text}\n" if scores else f"{hypothesis.text}\n")
                if write_alignment is not None:
                    _write_alignments(write_alignment, source, prediction)


def score_lines(predictor: Predictor, source: Path | None, target: Path | None, output: Path | None, batch_sentences: int) -> None:
    """Writes the log-probability and the tokens of each pair, a line each.

    Args:
        predictor: the model.
        source: a source a line, or a pair a line; None for pairs on standard input.
        target: a target a line; None where ``source`` holds pairs.
        output: where to write; None for standard output.
        batch_sentences: pairs scored together.

    Raises:
        UserError: a file cannot be used.
    """
    with ExitStack() as stack:
        chunks = _read_pairs(stack, source, target, batch_sentences)
        write = stack.enter_context(open_targets(output))
        for sources, targets in chunks:
            for one in predictor.score(sources, targets, batch_sentences):
                write(f"{one.log_probability:.6f}\t{one.num_tokens}\n")


def _read_sources(stack: ExitStack, files: PredictionFiles, batch_sentences: int) -> Iterator[tuple[list[str], list[str] | None]]:
    """Chunks of sources, with their prefixes where there are any."""
    lines = stack.enter_context(open_sources(files.source))
    chunk_lines = _chunk_lines(files.source, batch_sentences)
    if files.prefix is None:
        return ((chunk, None) for chunk in read_chunks(lines, files.source, chunk_lines))
    prefix_lines = stack.enter_context(open_sources(files.prefix, "one prefix a line"))
    pairs = read_aligned_chunks([lines, prefix_lines], [files.source, files.prefix], chunk_lines)
    return ((sources, prefixes) for sources, prefixes in pairs)


def _read_pairs(
    stack: ExitStack, source: Path | None, target: Path | None, batch_sentences: int
) -> Iterator[tuple[list[str], list[str]]]:
    """Chunks of sources and their targets."""
    chunk_lines = _chunk_lines(source, batch_sentences)
    if target is None:
        lines = stack.enter_context(open_sources(source, "a source, a TAB and a target a line"))
        return _split_pairs(read_chunks(lines, source, chunk_lines), source)
    both = [stack.enter_context(open_sources(source)), stack.enter_context(open_sources(target, "one target a line"))]
    return ((sources, targets) for sources, targets in read_aligned_chunks(both, [source, target], chunk_lines))


def _split_pairs(chunks: Iterator[list[str]], path: Path | None) -> Iterator[tuple[list[str], list[str]]]:
    number = 0
    for chunk in chunks:
        pairs = [split_pair(line, path, number + place) for place, line in enumerate(chunk, start=1)]
        number += len(chunk)
        yield [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _chunk_lines(source: Path | None, batch_sentences: int) -> int:
    return 1 if source is None and sys.stdin.isatty() else batch_sentences * BATCHES_A_CHUNK


def _write_alignments(write: Callable[[str], object], source: str, prediction: Prediction) -> None:
    """A JSON object for each hypothesis: the pieces, and a row of weights over the source for each target piece."""
    for hypothesis in prediction.hypotheses:
        found = hypothesis.alignment
        if found is None and source.strip():
            raise UserError("--attention: the model has no attention to write; expected one that has, or no --attention")
        content = {
            "source": found.source_pieces if found else [],
            "target": found.target_pieces if found else [],
            "weights": [[round(float(weight), 4) for weight in row] for row in found.weights_TS] if found else [],
        }
        write(json.dumps(content, ensure_ascii=False) + "\n")
