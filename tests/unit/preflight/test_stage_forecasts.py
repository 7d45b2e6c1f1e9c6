"""From two samples to the whole corpus, and from a full memory to the batch that fits."""

from __future__ import annotations

import pytest

from seq2seq_core.config.settings import parse_settings
from seq2seq_core.errors import UserError
from seq2seq_core.forecasts.cost_range import NOTHING
from seq2seq_core.forecasts.forecast import Forecast, Quantity
from seq2seq_core.preflight.judging_sample import JudgingMeasure
from seq2seq_core.preflight.machine_room import Room, parse_size
from seq2seq_core.preflight.probe_result import DecodingProbe, ProbeResult, Timing
from seq2seq_core.preflight.room_check import find_refusals
from seq2seq_core.preflight.sample_process import ProcessTime
from seq2seq_core.preflight.stage_forecasts import StageMeasure, evaluation_forecast, extrapolate, mean_range, start_forecast

GIGABYTE = 10**9


def measure(rows: int, seconds: float) -> StageMeasure:
    figures: dict[Quantity, float] = {"seconds": seconds, "cpu_seconds": seconds}
    return StageMeasure(rows, figures, ProcessTime(0.0, 0.0))


def test_a_stage_grows_with_the_rows_and_the_interval_with_the_distance() -> None:
    small, large = measure(1_000, 3.0), measure(11_000, 5.0)
    near, far = (extrapolate(small, large, "seconds", rows) for rows in (21_000, 1_011_000))
    assert [near.mid, far.mid] == pytest.approx([7.0, 205.0])
    assert (far.high - far.mid) / far.mid > (near.high - near.mid) / near.mid
    # A corpus that is all in the sample was measured; one that costs less in the larger sample does not become cheaper.
    assert extrapolate(large, large, "seconds", 11_000).mid == 5.0
    assert extrapolate(measure(1_000, 6.0), large, "seconds", 10**6).mid == 5.0


def test_metrics_and_baselines_grow_with_the_rows_of_test_and_outputs_may_be_shorter() -> None:
    few, every = measure(100, 5.0), measure(600, 15.0)
    answers = Timing(seconds=0.64, cpu_seconds=0.64)  # of 64 rows, with outputs half as long as the limit
    to_the_limit, at_once = Timing(seconds=1.28, cpu_seconds=1.28), Timing(seconds=0.0, cpu_seconds=0.0)
    found = evaluation_forecast(
        few, every, DecodingProbe(answers=answers, greedy=None, own=to_the_limit, rows=64, most_share=2.0), 4_600
    )
    seconds = found["seconds"]
    assert seconds.mid == pytest.approx(95.0 - 4_600 * 0.01)  # each row costs 0.02 s at the limit, a half of it for decoding
    assert seconds.low < seconds.mid < 95.0 < seconds.high
    early = DecodingProbe(answers=answers, greedy=None, own=at_once, rows=64, most_share=2.0)
    assert evaluation_forecast(few, every, early, 4_600)["seconds"].mid == pytest.approx(95.0 + 4_600 * 0.01)
    assert evaluation_forecast(few, every, None, 4_600)["seconds"].mid == pytest.approx(95.0)
    alike = JudgingMeasure({"evaluate": every}, {"evaluate": few}, all_bytes=16_000, few_bytes=6_000)
    assert alike.grown_bytes(4_600) == pytest.approx(80_000.0)
    assert alike.grown_bytes(600) == 0.0


def test_starts_may_take_no_longer_than_their_processor_time() -> None:
    on_a_busy_machine = [ProcessTime(9.0, 3.0), ProcessTime(11.0, 4.0)]
    found = start_forecast(on_a_busy_machine, ProcessTime(5.0, 1.0))
    assert found.low < 8.0 < 20.0 < found.mid < found.high
    assert start_forecast([ProcessTime(2.0, 2.5)], ProcessTime(0.0, 0.0)).low < 2.0  # two processors


def test_scattered_updates_have_a_wider_interval() -> None:
    even, scattered = mean_range([1.0] * 20), mean_range([0.1, 1.9] * 10)
    assert even.mid == pytest.approx(scattered.mid)
    assert even.high - even.low < scattered.high - scattered.low
    assert scattered.contains(1.0)


def probe(peak: int, device: int = 0, device_limit: int = 0) -> ProbeResult:
    return ProbeResult(
        base_bytes=GIGABYTE, peak_bytes=peak, fits=True, device="cpu", device_bytes=device, device_base_bytes=device // 10,
        device_limit=device_limit, batch_tokens=4096, parameters=1, phases=[], decoding=None, train_rows=1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "memory", "disk", "expected"),
    [
        (probe(5 * GIGABYTE), 6, 9, []),
        (probe(5 * GIGABYTE), 3, 9, ["memory: train needs 5.0 GB, there is 3.0 GB: train.batch_tokens must be at most 2000 "]),
        (probe(5 * GIGABYTE), 1, 9, ["memory: train needs 5.0 GB, there is 1.0 GB: even an update of one pair does not fit"]),
        (probe(2 * GIGABYTE, 80 * GIGABYTE, 44 * GIGABYTE), 9, 9, ["memory of the GPU: train needs 80.0 GB, there is 44.0 GB: "]),
        (probe(5 * GIGABYTE), 6, 1, ["disk: the run needs 1.5 GB, there is 1.0 GB: 500 MB more must be free;"]),
    ],
)
def test_a_run_that_cannot_fit_is_refused_with_the_setting_that_would(
    found: ProbeResult, memory: int, disk: int, expected: list[str]
) -> None:
    settings = parse_settings({"corpus": {"path": "raw", "files": {"train": ["a.tsv"]}}, "register": {"model_name": "m"}}, "test")
    forecast = Forecast(made=0, machine="", corpus_rows=1, stages=(), start_seconds=NOTHING, disk_bytes=NOTHING)
    refusals = find_refusals(settings, forecast, found, Room(memory * GIGABYTE, disk * GIGABYTE), 3 * GIGABYTE // 2)
    assert len(refusals) == len(expected)
    for line, beginning in zip(refusals, expected, strict=True):
        assert line.startswith(beginning), line


def test_a_size_is_a_number_with_a_unit() -> None:
    assert parse_size("1.5 GB", "--memory") == 1_500_000_000
    with pytest.raises(UserError, match=r"^--memory: must be a number with MB, GB or TB, such as '8 GB', got '8'$"):
        parse_size("8", "--memory")
