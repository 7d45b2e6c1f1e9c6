"""Which rows of a batch fail, and which do not."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import pytest

from seq2seq_core.bulk.row_block import RowResult
from seq2seq_core.bulk.worker_pool import WorkerPool, isolate_faults
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.errors import DecodingStopped, NonFiniteOutput, TagError
from seq2seq_core.serving.batching.ticket import DecoderLost, Mode, Row
from seq2seq_core.serving.loading import FoundModel
from seq2seq_core.serving.worker.worker_process import WorkerSettings

ROWS = [Row(str(number), {}, 0) for number in range(64)]


class Decoder:
    """Raises for some rows, and counts how often it is asked."""

    def __init__(self, faults: dict[str, Exception], deaths: int = 0) -> None:
        self.faults, self.deaths, self.asked = faults, deaths, 0

    def __call__(self, rows: Sequence[Row]) -> list[RowResult]:
        self.asked += 1
        if self.deaths:
            self.deaths -= 1
            raise DecoderLost("the process ended")
        for row in rows:
            if str(row.source) in self.faults:
                raise self.faults[str(row.source)]
        return [RowResult(error=f"answer {row.source}") for row in rows]


def test_a_row_that_cannot_be_decoded_fails_alone() -> None:
    faults = {"7": NonFiniteOutput(0), "8": TagError("no such tag", 0), "40": RuntimeError("out of memory"), "41": RuntimeError()}
    decoder = Decoder(faults)
    found = [result.error for result in isolate_faults(ROWS, decoder)]
    assert found[7].startswith("the model's scores of the next symbol must be finite")
    assert (found[8], found[40], found[41]) == ("no such tag", "out of memory", "decoding failed")
    others = [place for place in range(64) if str(place) not in faults]
    assert [found[place] for place in others] == [f"answer {place}" for place in others]
    assert decoder.asked < 32


def test_a_batch_whose_worker_was_killed_by_others_is_decoded_as_it_was() -> None:
    decoder = Decoder({}, deaths=1)
    assert [result.error for result in isolate_faults(ROWS, decoder)] == [f"answer {place}" for place in range(64)]
    assert decoder.asked == 2


def test_a_row_that_kills_its_worker_fails_alone() -> None:
    found = [result.error for result in isolate_faults(ROWS, Decoder({"5": DecoderLost("the process ended")}))]
    assert (found[4:7], len(found)) == (["answer 4", "the process ended, twice", "answer 6"], 64)


def test_a_stop_is_no_fault_of_a_row() -> None:
    with pytest.raises(DecodingStopped):
        isolate_faults(ROWS, Decoder({"3": DecodingStopped("now")}))


def test_another_worker_takes_the_place_of_a_killed_one_and_answers_alike(
    bulk_model: FoundModel, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [Row("3 May 2031", {"language": "de"}, 0), Row("4 May", {"language": "it"}, 0), Row("", {"language": "en"}, 0)]
    settings = WorkerSettings("cpu", threads=1, start_seconds=300, grace_seconds=1)
    with closing(WorkerPool(bulk_model.folder, settings, 1)) as pool:
        assert [engine.partition(" ")[0] for engine in pool.engines] == ["pytorch", "pytorch"]
        before = pool.submit(rows, Mode(DecodingOptions())).result()
        assert [bool(result.error) for result in before] == [False, True, False]
        (worker,) = pool._workers
        worker.process.kill()
        worker.process.wait()
        assert pool.submit(rows, Mode(DecodingOptions())).result() == before
        assert "a worker has ended (exit code -9); starting another" in caplog.text
        replaced = pool._workers[-1]
    assert not replaced.is_alive
