"""Requests in, data frames out: what the model behind MLflow's server and the server of our own have in common."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, TEMPORARILY_UNAVAILABLE

from seq2seq_core.decoding.confidence.abstention import withhold
from seq2seq_core.decoding.prediction import Prediction
from seq2seq_core.decoding.stopping import Stop
from seq2seq_core.errors import DecodingStopped, UserError
from seq2seq_core.serving.batching.batcher import Batcher
from seq2seq_core.serving.batching.ticket import TOO_LATE, NotAnswered, Ticket
from seq2seq_core.serving.request_columns import read_columns, refusal
from seq2seq_core.serving.request_reader import RequestReader


class RowService:
    """Answers requests by a batcher that all of them share.

    Args:
        reader: validates requests.
        batcher: decodes their rows.
    """

    def __init__(self, reader: RequestReader, batcher: Batcher) -> None:
        self.reader, self.batcher = reader, batcher

    def answer(
        self,
        given: object,
        params: Mapping[str, Any] | None,
        bounds_cost: bool = True,
        seconds: float | None = None,
        on_submit: Callable[[Ticket], None] = lambda ticket: None,
        is_over: Stop = lambda: False,
    ) -> pd.DataFrame:
        """The answer to a request: the columns of :func:`to_frame`, a row each.

        Args:
            given: the request, in any form of :func:`~seq2seq_core.serving.request_columns.read_columns`.
            params: its parameters.
            bounds_cost: whether a request that costs too much is refused.
            seconds: the time that it may take; None: any.
            on_submit: gets the request's ticket, with which it can be abandoned.
            is_over: whether nobody waits for the answer any more, asked while the request is read.

        Raises:
            MlflowException: the request is invalid (status 400), was not answered in time (503), or decoding failed (500).
        """
        found = self.predict(given, params, bounds_cost, seconds, on_submit, is_over=is_over)
        return to_frame(found, self.reader.calibrator is not None, self.reader.has_lexicon)

    def predict(
        self,
        given: object,
        params: Mapping[str, Any] | None,
        bounds_cost: bool = True,
        seconds: float | None = None,
        on_submit: Callable[[Ticket], None] = lambda ticket: None,
        keep_alignments: bool = False,
        num_hypotheses: int | None = None,
        is_over: Stop = lambda: False,
    ) -> list[Prediction]:
        """The predictions for a request; the arguments are those of :meth:`answer`.

        Args:
            given: the request.
            params: its parameters.
            bounds_cost: whether a request that costs too much is refused.
            seconds: the time that it may take; None: any.
            on_submit: gets the request's ticket.
            keep_alignments: whether hypotheses carry their alignment.
            num_hypotheses: hypotheses of each source; None: as many as in the evaluation.
            is_over: as in :meth:`answer`.

        Raises:
            MlflowException: as in :meth:`answer`.
        """
        deadline = None if seconds is None else time.monotonic() + seconds

        def stop() -> bool:
            return is_over() or (deadline is not None and time.monotonic() >= deadline)

        try:
            rows, mode = self.reader.read(read_columns(given), params, bounds_cost, num_hypotheses, stop)
        except DecodingStopped as error:
            raise MlflowException(TOO_LATE, error_code=TEMPORARILY_UNAVAILABLE) from error
        try:
            # Without the threshold, requests that ask for another one still share batches.
            shared = mode.options.model_copy(update={"min_confidence": 0.0})
            ticket = self.batcher.submit(rows, replace(mode, options=shared, keep_alignments=keep_alignments), deadline)
            on_submit(ticket)
            return withhold(ticket.result(), mode.options.min_confidence)
        except NotAnswered as error:
            raise MlflowException(str(error), error_code=TEMPORARILY_UNAVAILABLE) from error
        except UserError as error:
            raise refusal(str(error)) from error
        except Exception as error:
            # PyTorch's errors, such as exhausted memory, are not the request's fault, but MLflow would answer with status 400.
            raise MlflowException(f"decoding failed: {error}", error_code=INTERNAL_ERROR) from error


def to_frame(predictions: list[Prediction], has_confidence: bool = False, has_lexicon: bool = False) -> pd.DataFrame:
    """The answer to a request as MLflow's server sends it.

    Args:
        predictions: one for each row.
        has_confidence: whether the model has a calibrator, and the answer the columns ``confidence`` and ``abstained``.
        has_lexicon: whether the model has a lexicon, and the answer the column ``from_lexicon``.
    """
    columns: dict[str, list[Any]] = {
        "prediction": [one.text for one in predictions],
        "score": [float(one.score) for one in predictions],
        "is_cut": [one.is_cut for one in predictions],
        "source_is_cut": [one.source_is_cut for one in predictions],
    }
    if has_confidence:
        columns |= {"confidence": [one.confidence for one in predictions], "abstained": [one.abstained for one in predictions]}
    if has_lexicon:
        columns["from_lexicon"] = [one.from_lexicon for one in predictions]
    frame = pd.DataFrame(columns)
    # Among floats, pandas would turn None into NaN, which is no JSON.
    return frame.astype({"confidence": object}).where(frame.notna(), None) if has_confidence else frame
