"""Streams lines through a predictor, a few batches at a time; on a terminal, each line is answered at once."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from seq2seq_core.cli.line_streams import open_sources, open_targets, read_aligned_chunks, split_pair
from seq2seq_core.cli.tag_lines import check_tags, merge_tags, tag_errors
from seq2seq_core.errors import UserError

if TYPE_CHECKING:
    from seq2seq_core.config.decoding_options import DecodingOptions
    from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
    from seq2seq_core.decoding.prediction import Prediction, TextHypothesis
    from seq2seq_core.decoding.predictor import Predictor

logger = logging.getLogger(__name__)

LINE_END = re.compile("\r\n?|\n")
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


@dataclass(frozen=True)
class _Chunk:
    """A group of lines that are decoded or scored at once.

    Attributes:
        sources: the source of each line.
        others: the target prefix or the target of each line; None for none.
        tags: the tag columns of each line.
        done: number of lines before this chunk.
    """

    sources: list[str]
    others: list[str] | None
    tags: list[dict[str, str]]
    done: int


class LineFormat(NamedTuple):
    """The output format of a hypothesis: its text, its score, a TAB and its text, or a JSON object with text, score and cut.

    The object also has the confidence, and whether the text is withheld, where the model states a confidence.
    """

    has_score: bool = False
    is_json: bool = False
    has_confidence: bool = False

    def format(self, hypothesis: TextHypothesis) -> str:
        """The line of a hypothesis, its end included; a line end in its text becomes a space, except in JSON."""
        if self.is_json:
            found: dict[str, Any] = {"prediction": hypothesis.text, "score": hypothesis.score, "is_cut": hypothesis.is_cut}
            if self.has_confidence:
                found |= {"confidence": hypothesis.confidence, "abstained": hypothesis.abstained}
            return json.dumps(found, ensure_ascii=False) + "\n"
        text = LINE_END.sub(" ", hypothesis.text)
        return f"{hypothesis.score:.4f}\t{text}\n" if self.has_score else f"{text}\n"


@dataclass
class _CutHypotheses:
    """Counts the hypotheses that were cut at their length limit."""

    written: int = 0
    cut: int = 0
    first_line: int = 0

    def add(self, hypothesis: TextHypothesis, line: int) -> None:
        """Counts a hypothesis for the source in this line."""
        self.written += 1
        self.cut += hypothesis.is_cut
        if hypothesis.is_cut and not self.first_line:
            self.first_line = line

    def warn(self, options: DecodingOptions) -> None:
        """Warns of cut hypotheses, if there are any, and names the option that gives more room."""
        if self.cut:
            name = options.limiting_option
            logger.warning(
                "%d of %d hypotheses were cut at their length limit, the first of line %d; a larger --%s (now %g) gives more room",
                self.cut, self.written, self.first_line, name.replace("_", "-"), getattr(options, name),
            )  # fmt: skip


@dataclass
class _WithheldAnswers:
    """Counts the answers that were withheld for want of confidence."""

    answers: int = 0
    withheld: int = 0
    first_line: int = 0

    def add(self, prediction: Prediction, line: int) -> None:
        """Counts the answer to the source in this line."""
        self.answers += 1
        self.withheld += prediction.abstained
        if prediction.abstained and not self.first_line:
            self.first_line = line

    def warn(self, options: DecodingOptions) -> None:
        """Warns of withheld answers, if there are any."""
        if self.withheld:
            logger.warning(
                "%d of %d answers are withheld (empty), the first of line %d: their confidence is below --min-confidence %g",
                self.withheld, self.answers, self.first_line, options.min_confidence,
            )  # fmt: skip


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

    predictor.phrases.check(phrases, options)
    check_tags(files.tags.common, predictor.bundle.config.tags.all)
    check_threshold(options, predictor.bundle.calibrator)
    line_format = line_format._replace(has_confidence=predictor.bundle.calibrator is not None)
    counts, withheld = _CutHypotheses(), _WithheldAnswers()
    with ExitStack() as stack:
        chunks = _read_sources(stack, files, batch_sentences)
        write = stack.enter_context(open_targets(files.output))
        write_alignment = stack.enter_context(open_targets(files.attention)) if files.attention else None
        for chunk in chunks:
            with tag_errors(chunk.done, files.source):
                predictions = predictor.predict(
                    chunk.sources, options, batch_sentences, chunk.others, write_alignment is not None, chunk.tags, phrases=phrases
                )
            for line, (source, prediction) in enumerate(zip(chunk.sources, predictions, strict=True), start=chunk.done + 1):
                withheld.add(prediction, line)
                for hypothesis in prediction.hypotheses:
                    write(line_format.format(hypothesis))
                    counts.add(hypothesis, line)
                if write_alignment is not None:
                    _write_alignments(write_alignment, source, prediction)
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
            assert chunk.others is not None, "a pair has a target"
            with tag_errors(chunk.done, source):
                scores = predictor.score(chunk.sources, chunk.others, batch_sentences, tags=chunk.tags)
            for one in scores:
                write(f"{one.log_probability:.6f}\t{one.num_tokens}\n")


def _read_sources(stack: ExitStack, files: PredictionFiles, batch_sentences: int) -> Iterator[_Chunk]:
    """Chunks of sources, with their prefixes where there are any."""
    wanted = {"one source a line": files.source} | ({"one prefix a line": files.prefix} if files.prefix else {})
    chunk_lines = _chunk_lines(files.source, batch_sentences)
    for columns, tags, done in _read_columns(stack, wanted, files.tags, chunk_lines):
        yield _Chunk(columns[0], columns[1] if files.prefix else None, tags, done)


def _read_pairs(
    stack: ExitStack, source: Path | None, target: Path | None, tags: TagFiles, batch_sentences: int
) -> Iterator[_Chunk]:
    """Chunks of sources and their targets."""
    chunk_lines = _chunk_lines(source, batch_sentences)
    if target is not None:
        wanted: dict[str, Path | None] = {"one source a line": source, "one target a line": target}
        for columns, own, done in _read_columns(stack, wanted, tags, chunk_lines):
            yield _Chunk(columns[0], columns[1], own, done)
        return
    for columns, own, done in _read_columns(stack, {"a source, a TAB and a target a line": source}, tags, chunk_lines):
        pairs = [split_pair(line, source, done + place) for place, line in enumerate(columns[0], start=1)]
        yield _Chunk([pair[0] for pair in pairs], [pair[1] for pair in pairs], own, done)


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
    for hypothesis in prediction.hypotheses:
        found = hypothesis.alignment
        if found is None and source.strip() and not hypothesis.abstained:
            raise UserError("--attention: the model has no attention to write; expected one that has, or no --attention")
        content = {
            "source": found.source_pieces if found else [],
            "target": found.target_pieces if found else [],
            "weights": [[round(float(weight), 4) for weight in row] for row in found.weights_TS] if found else [],
        }
        write(json.dumps(content, ensure_ascii=False) + "\n")
