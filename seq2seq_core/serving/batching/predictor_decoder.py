"""Decoding of batches in this process."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

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
        self._can_stop = "stop" in inspect.signature(predictor.predict).parameters

    def prepare(self) -> None:
        """A loaded model is always ready."""

    def decode(self, rows: Sequence[Row], mode: Mode, stop: Callable[[], bool]) -> list[Prediction]:
        """See :class:`~seq2seq_core.serving.batching.ticket.Decoder`."""
        further: dict[str, Any] = {"stop": stop} if self._can_stop else {}
        return self.predictor.predict(
            [row.source for row in rows],
            mode.options,
            batch_sentences=len(rows),
            keep_alignments=mode.keep_alignments,
            tags=[row.tags for row in rows],
            **further,
        )

    def close(self) -> None:
        """Nothing is held but memory."""
