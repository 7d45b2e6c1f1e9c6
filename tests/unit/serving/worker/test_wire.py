from __future__ import annotations

import math
import socket
import threading

import numpy as np
import pytest

from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
from seq2seq_core.decoding.prediction import Alignment, Prediction, TextHypothesis
from seq2seq_core.serving.batching.ticket import Mode, Row
from seq2seq_core.serving.worker import wire


def through_a_socket(message: dict[str, object]) -> dict[str, object]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = threading.Thread(target=wire.send_message, args=(ours, message))
        sender.start()
        received = wire.receive_message(theirs)
        sender.join()
    return received


def test_rows_arrive_as_they_were_sent() -> None:
    samples_N = np.linspace(-1, 1, 100_000, dtype=np.float32)
    rows = [Row("𝒂 \u2028", {"language": "de"}, 3, Phrases(("é", "b"), ("c",))), Row(samples_N, {}, 9)]
    mode = Mode(DecodingOptions(beam_size=3, max_length=7), keep_alignments=True)
    found, found_mode = wire.unpack_batch(through_a_socket(wire.pack_batch(5, rows, mode)))
    assert found_mode == mode
    assert (found[0].source, found[0].tags) == ("𝒂 \u2028", {"language": "de"})
    assert [row.phrases for row in found] == [row.phrases for row in rows]
    assert isinstance(found[1].source, np.ndarray)
    assert np.array_equal(found[1].source, samples_N)


def test_predictions_arrive_as_they_were_sent() -> None:
    weights_TS = np.array([[0.25, 0.75], [0.1, 0.9]], dtype=np.float32)
    alignment = Alignment(["x", "</s>"], ["a", "</s>"], weights_TS)
    best = TextHypothesis("a", -1.5, -3.1415926535897931, alignment, True, num_tokens=2, num_source_tokens=2, confidence=0.1)
    predictions = [Prediction((best, TextHypothesis("", -math.inf, -math.inf)))]
    found = wire.unpack_predictions(through_a_socket(wire.pack_predictions(1, predictions)))
    assert found == predictions
    received = found[0].hypotheses[0].alignment
    assert received is not None
    assert np.array_equal(received.weights_TS, weights_TS)


def test_a_side_that_is_gone_is_noticed() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        with pytest.raises(wire.ConnectionLostError):
            wire.receive_message(ours)
        with pytest.raises(wire.ConnectionLostError):
            wire.send_message(ours, {"kind": "x"})
