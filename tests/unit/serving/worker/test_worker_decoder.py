"""Real workers with a small model."""

from __future__ import annotations

import logging
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import BundleError, DecodingStopped, UserError
from seq2seq_core.serving.batching.ticket import DecoderLost, Mode, Row
from seq2seq_core.serving.worker.worker_decoder import WorkerDecoder
from seq2seq_core.serving.worker.worker_process import WorkerProcess, WorkerSettings
from seq2seq_core.tokenization.tags import TagColumns
from tests.flows.waiting import wait_until

SETTINGS = WorkerSettings("cpu", threads=1, start_seconds=120, grace_seconds=0.2)
LONG = Mode(DecodingOptions(beam_size=64, min_length=4096))
ROWS = [Row("3 May 2031", {"language": "de"}, 0), Row("", {"language": "en"}, 0)]


def never() -> bool:
    return False


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, make_bundle: Callable[..., None]) -> Path:
    paths = Paths(tmp_path_factory.mktemp("worker"))
    make_bundle(paths, tags=TagColumns(source=("language",)))
    return paths.served


@pytest.fixture(scope="module")
def decoder(bundle: Path) -> Iterator[WorkerDecoder]:
    opened = WorkerDecoder(bundle, SETTINGS)
    yield opened
    opened.close()
    assert not opened.is_alive


def test_a_worker_predicts_what_the_predictor_does(decoder: WorkerDecoder, bundle: Path) -> None:
    mode = Mode(DecodingOptions(beam_size=3, num_hypotheses=2), keep_alignments=True)
    found = decoder.decode(ROWS, mode, never)
    tags = [row.tags for row in ROWS]
    expected = Predictor.from_folder(bundle).predict(
        [str(row.source) for row in ROWS], mode.options, keep_alignments=True, tags=tags
    )
    assert found == expected
    asked = [row._replace(phrases=Phrases(force=("20",), forbid=("1",))) for row in ROWS]
    wanted = [row.phrases or Phrases() for row in asked]
    sources = [str(row.source) for row in ROWS]
    assert decoder.decode(asked, mode, never) == Predictor.from_folder(bundle).predict(
        sources, mode.options, tags=tags, phrases=wanted
    )
    alignments = [predictions[0].hypotheses[0].alignment for predictions in (found, expected)]
    assert alignments[0] is not None
    assert alignments[1] is not None
    assert np.allclose(alignments[0].weights_TS, alignments[1].weights_TS)


def test_an_error_of_the_search_comes_back(decoder: WorkerDecoder) -> None:
    with pytest.raises(UserError, match=r"^source 1: tag 'language': must be given, one of 'de', 'en'; got nothing$"):
        decoder.decode([Row("a", {}, 0)], Mode(DecodingOptions()), never)
    assert decoder.decode(ROWS, Mode(DecodingOptions()), never)


def test_a_batch_that_nobody_waits_for_is_stopped_and_its_worker_goes_on(decoder: WorkerDecoder) -> None:
    worker, started = decoder.worker, time.monotonic()
    with pytest.raises(DecodingStopped):
        decoder.decode(ROWS, LONG, lambda: time.monotonic() > started + 0.1)
    assert decoder.decode(ROWS, Mode(DecodingOptions()), never)
    assert decoder.worker is worker


def test_a_worker_that_does_not_stop_is_killed(decoder: WorkerDecoder) -> None:
    os.kill(decoder.worker.process.pid, signal.SIGSTOP)  # as if it hung in native code
    with pytest.raises(DecoderLost):
        decoder.decode(ROWS, LONG, lambda: True)
    assert not decoder.is_alive
    decoder.prepare()


def test_a_killed_worker_takes_its_batch_along_and_is_replaced(decoder: WorkerDecoder, caplog: pytest.LogCaptureFixture) -> None:
    restarts: list[int] = []
    decoder.on_restart = lambda: restarts.append(1)
    killer = threading.Timer(0.2, decoder.worker.process.kill)
    killer.start()
    with pytest.raises(DecoderLost, match=r"^the process that decoded this request ended$"):
        decoder.decode(ROWS, LONG, never)
    with caplog.at_level(logging.WARNING):
        decoder.prepare()
    assert decoder.decode(ROWS, Mode(DecodingOptions()), never)
    assert (restarts, "a worker has ended (exit code -9); starting another" in caplog.text) == ([1], True)


def test_a_worker_ends_with_the_server_even_while_it_decodes(decoder: WorkerDecoder) -> None:
    """The last of this file: the worker is gone after it."""
    worker = decoder.worker

    def ask() -> None:
        with pytest.raises(DecoderLost):
            worker.decode(ROWS, LONG, never)

    asked = threading.Thread(target=ask)
    asked.start()
    time.sleep(0.2)
    worker.connection.shutdown(2)  # as the system does when the server's process is killed
    wait_until(lambda: not worker.is_alive, "the end of the worker")
    asked.join()


def test_a_bundle_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=re.escape(str(tmp_path))):
        WorkerProcess(tmp_path, SETTINGS)
