"""Streams lines through a predictor, a few batches at a time; on a terminal, each line is answered at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_core.cli.decoding_flags import flag_errors
from seq2seq_core.cli.line_streams import open_sources, open_targets, read_aligned_chunks, split_pair
from seq2seq_core.cli.lines.answered_chunk import Chunk, answer_chunk, locate_fault
from seq2seq_core.cli.lines.hypothesis_lines import CutHypotheses, LineFormat, WithheldAnswers
from seq2seq_core.cli.tag_lines import check_tags, merge_tags
from seq2seq_core.errors import UserError

if TYPE_CHECKING:
    from seq2seq_core.config.decoding_options import DecodingOptions
    from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
    from seq2seq_core.decoding.prediction import Prediction
    from seq2seq_core.decoding.predictor import Predictor

BATCHES_A_CHUNK = 16
"""Number of batches that are read at once, so that sources can be sorted by length."""


@dataclass(frozen=True)
class TagFiles:
    """The tags of the sources.

    Attributes:
        common: the tag columns of all sources, by name.
        lines: a file with one JSON object per line, the tag columns of each source; None for none.
    """

    common: Mapping[str, str] = field(default_factory=dict)
    lines: Path | None = None


@dataclass(frozen=True)
class PredictionFiles:
    """The input and output files of ``s2s predict``.

    Attributes:
        source: one source per line; None for standard input.
        prefix: one target prefix per line; None for none.
        output: the file of the predictions; None for standard output.
        attention: the file of the alignments, in JSON lines; None for none.
        tags: the tags of the sources.
    """

    source: Path | None = None
    prefix: Path | None = None
    output: Path | None = None
    attention: Path | None = None
    tags: TagFiles = TagFiles()


def predict_lines(
    predictor: Predictor,
    files: PredictionFiles,
    options: DecodingOptions,
    batch_sentences: int,
    line_format: LineFormat,
    phrases: Phrases | None = None,
) -> None:
    """Writes the hypotheses of each source, one per line.

    Args:
        predictor: the model.
        files: the input and output files.
        options: the decoding options.
        batch_sentences: number of sources decoded together.
        line_format: the format of a hypothesis.
        phrases: what the targets must and must not contain.

    Raises:
        UserError: a file cannot be used, attention or a confidence is requested but the model has none, or a phrase cannot be
            forced or forbidden.
    """
    from seq2seq_core.decoding.confidence.abstention import check_threshold
    from seq2seq_core.decoding.lexicon.known_answers import check_lexicon

    with flag_errors():
        predictor.phrases.check(phrases, options)
        check_threshold(options, predictor.bundle.calibrator)
        if options.lexicon:
            check_lexicon(predictor.bundle.lexicon is not None)
    check_tags(files.tags.common, predictor.bundle.config.tags.all)
    line_format = line_format._replace(has_confidence=predictor.bundle.calibrator is not None, has_lexicon=options.lexicon)
    counts, withheld = CutHypotheses(), WithheldAnswers()

    def decode(part: Chunk) -> list[Prediction]:
        aligned = files.attention is not None
        return predictor.predict(part.sources, options, batch_sentences, part.others, aligned, part.tags, phrases=phrases)

    with ExitStack() as stack:
        chunks = read_sources(stack, files, batch_sentences)
        write = stack.enter_context(open_targets(files.output))
        write_alignment = stack.enter_context(open_targets(files.attention)) if files.attention else None
        for chunk in chunks:
            predictions, fault = answer_chunk(chunk, decode)
            for line, (source, prediction) in enumerate(zip(chunk.sources, predictions, strict=False), start=chunk.done + 1):
                withheld.add(prediction, line)
                for hypothesis in prediction.hypotheses:
                    write(line_format.format(hypothesis, line))
                    counts.add(hypothesis, line)
                if write_alignment is not None:
                    _write_alignments(write_alignment, source, prediction)
            if fault is not None:
                raise locate_fault(fault, chunk, len(predictions), files.source, predictor, phrases)
    counts.warn(options)
    withheld.warn(options)


def score_lines(
    predictor: Predictor,
    source: Path | None,
    target: Path | None,
    output: Path | None,
    batch_sentences: int,
    tags: TagFiles = TagFiles(),
) -> None:
    """Writes the natural log-probability and the number of tokens of each pair, one pair per line.

    Args:
        predictor: the model.
        source: one source or one pair per line; None for standard input.
        target: one target per line; None where ``source`` holds pairs.
        output: the output file; None for standard output.
        batch_sentences: number of pairs scored together.
        tags: the tags of the sources.

    Raises:
        UserError: a file cannot be used.
    """
    check_tags(tags.common, predictor.bundle.config.tags.all)
    with ExitStack() as stack:
        chunks = _read_pairs(stack, source, target, tags, batch_sentences)
        write = stack.enter_context(open_targets(output))
        for chunk in chunks:
            scores, fault = answer_chunk(
                chunk, lambda part: predictor.score(part.sources, part.others or [], batch_sentences, tags=part.tags)
            )
            for one in scores:
                write(f"{one.log_probability:.6f}\t{one.num_tokens}\n")
            if fault is not None:
                raise locate_fault(fault, chunk, len(scores), source, predictor, None)


def read_sources(stack: ExitStack, files: PredictionFiles, batch_sentences: int) -> Iterator[Chunk]:
    """Chunks of sources, with their prefixes where there are any."""
    wanted = {"one source a line": files.source} | ({"one prefix a line": files.prefix} if files.prefix else {})
    chunk_lines = _chunk_lines(files.source, batch_sentences)
    for columns, tags, done in _read_columns(stack, wanted, files.tags, chunk_lines):
        yield Chunk(columns[0], columns[1] if files.prefix else None, tags, done)


def _read_pairs(
    stack: ExitStack, source: Path | None, target: Path | None, tags: TagFiles, batch_sentences: int
) -> Iterator[Chunk]:
    """Chunks of sources and their targets."""
    chunk_lines = _chunk_lines(source, batch_sentences)
    if target is not None:
        wanted: dict[str, Path | None] = {"one source a line": source, "one target a line": target}
        for columns, own, done in _read_columns(stack, wanted, tags, chunk_lines):
            yield Chunk(columns[0], columns[1], own, done)
        return
    for columns, own, done in _read_columns(stack, {"a source, a TAB and a target a line": source}, tags, chunk_lines):
        pairs = [split_pair(line, source, done + place) for place, line in enumerate(columns[0], start=1)]
        yield Chunk([pair[0] for pair in pairs], [pair[1] for pair in pairs], own, done)


def _read_columns(
    stack: ExitStack, wanted: Mapping[str, Path | None], tags: TagFiles, chunk_lines: int
) -> Iterator[tuple[Sequence[list[str]], list[dict[str, str]], int]]:
    """Reads parallel files in chunks: the lines of each file, their tags, and the number of lines before the chunk.

    Args:
        stack: closes the files.
        wanted: the files, by their expected content; None for standard input.
        tags: the tags of the lines.
        chunk_lines: maximum number of lines of a chunk.
    """
    paths = [*wanted.values(), *([tags.lines] if tags.lines else [])]
    names = [*wanted, *(["a JSON object a line"] if tags.lines else [])]
    streams = [stack.enter_context(open_sources(path, name)) for path, name in zip(paths, names, strict=True)]
    done = 0
    for columns in read_aligned_chunks(streams, paths, chunk_lines):
        own = columns[-1] if tags.lines else None
        yield columns[: len(wanted)], merge_tags(tags.common, own, tags.lines, done, len(columns[0])), done
        done += len(columns[0])


def _chunk_lines(source: Path | None, batch_sentences: int) -> int:
    return 1 if source is None and sys.stdin.isatty() else batch_sentences * BATCHES_A_CHUNK


def _write_alignments(write: Callable[[str], object], source: str, prediction: Prediction) -> None:
    """Writes a JSON object for each hypothesis: its pieces and, for each target piece, the weights over the source pieces."""
    from seq2seq_core.normal_form import is_blank

    for hypothesis in prediction.hypotheses:
        found = hypothesis.alignment
        if found is None and not (is_blank(source) or hypothesis.abstained or hypothesis.from_lexicon):
            raise UserError("--attention: the model has no attention to write; expected one that has, or no --attention")
        content = {
            "source": found.source_pieces if found else [],
            "target": found.target_pieces if found else [],
            "weights": [[round(float(weight), 4) for weight in row] for row in found.weights_TS] if found else [],
        }
        write(json.dumps(content, ensure_ascii=False) + "\n")
