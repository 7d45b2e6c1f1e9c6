"""Decoding of batches in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
from seq2seq_core.decoding.prediction import Prediction
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.serving.batching.ticket import Mode, Row


class PredictorDecoder:
    """Decodes batches with a predictor.

    Args:
        predictor: of a loaded bundle.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def prepare(self) -> None:
        """A loaded model is always ready."""

    def decode(self, rows: Sequence[Row], mode: Mode, stop: Callable[[], bool]) -> list[Prediction]:
        """See :class:`~seq2seq_core.serving.batching.ticket.Decoder`."""
        return self.predictor.predict(
            [row.source for row in rows],
            mode.options,
            batch_sentences=len(rows),
            keep_alignments=mode.keep_alignments,
            tags=[row.tags for row in rows],
            stop=stop,
            phrases=[row.phrases or Phrases() for row in rows],
        )

    def close(self) -> None:
        """Nothing is held but memory."""
