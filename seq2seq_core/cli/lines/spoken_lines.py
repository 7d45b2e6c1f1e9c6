"""Streams lines through a model of speech: a WAV file for each source, and its path as the line's prediction."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_core.cli.line_streams import open_targets
from seq2seq_core.cli.lines.answered_chunk import Chunk, answer_chunk, locate_fault
from seq2seq_core.cli.predicted_lines import PredictionFiles, read_sources
from seq2seq_core.cli.tag_lines import check_tags
from seq2seq_core.errors import UserError

if TYPE_CHECKING:
    from seq2seq_core.decoding.predictor import Predictor
    from seq2seq_core.decoding.speech.speech_predictor import Speech

logger = logging.getLogger(__name__)


def speak_lines(predictor: Predictor, files: PredictionFiles, folder: Path, batch_sentences: int, asked: Sequence[str]) -> None:
    """Writes ``00001.wav`` and so on, and a line with the path of each.

    Args:
        predictor: of speech.
        files: the input and output files.
        folder: the output folder; made where it is missing.
        batch_sentences: number of sources decoded together.
        asked: fields of options that say something about a text.

    Raises:
        UserError: an option has no meaning for speech, or a file cannot be used.
    """
    from seq2seq_core.decoding.speech.speech_predictor import SpeechPredictor

    assert isinstance(predictor, SpeechPredictor)
    if asked:
        raise UserError(f"--{asked[0].replace('_', '-')}: must be left out with a model of speech, which writes no text")
    check_tags(files.tags.common, predictor.bundle.config.tags.all)
    num_cut = 0

    def speak(part: Chunk) -> list[Speech]:
        return predictor.speak(part.sources, part.tags, batch_sentences)

    with ExitStack() as stack:
        chunks = read_sources(stack, files, batch_sentences)
        write = stack.enter_context(open_targets(files.output))
        folder.mkdir(parents=True, exist_ok=True)
        for chunk in chunks:
            spoken, fault = answer_chunk(chunk, speak)
            for number, one in enumerate(spoken, start=chunk.done + 1):
                path = folder / f"{number:05}.wav"
                path.write_bytes(one.wav())
                num_cut += one.utterance is not None and one.utterance.is_cut
                write(f"{path}\n")
            if fault is not None:
                raise locate_fault(fault, chunk, len(spoken), files.source, predictor, None)
    if num_cut:
        logger.warning(
            "%d recordings were cut: the model did not say that they end within %d frames", num_cut, predictor.max_frames
        )
