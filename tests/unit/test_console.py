from __future__ import annotations

import logging

import pytest

from seq2seq_core import console


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (12, "12 s"), (200, "3 min 20 s"), (3600 + 5 * 60, "1 h 05 min"), (float("nan"), "?"), (float("inf"), "?")],
)
def test_a_duration_reads_like_speech(seconds: float, text: str) -> None:
    assert console.format_seconds(seconds) == text


def test_plain_progress_says_how_much_is_left_and_is_not_chatty(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with caplog.at_level(logging.INFO, logger="seq2seq_core.progress"), console.progress("train", 100, "steps", "plain") as bar:
        for step in range(1, 101):
            now[0] = step * 0.5
            bar.update(step, f"loss {1 / step:.2f}")
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "train: 20/100 steps, 40 s left, loss 0.05"
    assert lines[-1] == "train: 100/100 steps, 0 s left, loss 0.01"
    assert len(lines) == 5


def test_a_bar_is_drawn_where_asked(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress("train", 10, "steps", "bar") as bar:
        bar.update(10, "loss 0.10")
    assert "10/10" in capsys.readouterr().err


def test_warnings_say_so_and_messages_do_not(capsys: pytest.CaptureFixture[str]) -> None:
    console.configure_logging()
    logging.getLogger("seq2seq_core.stages.train").info("step 1")
    logging.getLogger("flows.retrain").warning("no limit")
    logging.getLogger("seq2seq_core.stages.train").debug("hidden")
    assert capsys.readouterr().err == "step 1\nwarning: no limit\n"


def test_a_message_that_comes_again_and_again_is_told_sparingly(capsys: pytest.CaptureFixture[str]) -> None:
    console.configure_logging()
    console.tell_sparingly(seconds=60.0)
    logger = logging.getLogger("seq2seq_core.decoding")
    for count in range(3):
        logger.warning("%d sources are cut", count)
        logger.warning("another message")
    later = logging.makeLogRecord({"name": logger.name, "msg": "%d sources are cut", "args": (7,), "levelno": logging.WARNING})
    later.created += 61.0
    logger.handle(later)
    lines = capsys.readouterr().err.splitlines()
    assert [line.removeprefix("warning: ") for line in lines[:2]] == ["0 sources are cut", "another message"]
    assert lines[2].endswith("7 sources are cut")
    assert len(lines) == 3


def test_plain_progress_goes_to_the_log_that_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), console.progress("score", 2, "rows", "plain", log=logging.getLogger("a run")) as shown:
        shown.update(2, "5 rows/s")
    assert caplog.record_tuples == [("a run", logging.INFO, "score: 2/2 rows, 0 s left, 5 rows/s")]


@pytest.mark.parametrize(("total", "shown"), [(0.152886, "0.153"), (15.25, "15.2"), (1234567.0, "1234567"), (1523.7, "1524")])
def test_an_amount_is_shown_in_full_or_with_three_digits(caplog: pytest.LogCaptureFixture, total: float, shown: str) -> None:
    with caplog.at_level(logging.INFO), console.progress("validate", total, "MB", "plain") as bar:
        bar.update(total)
    assert caplog.messages == [f"validate: {shown}/{shown} MB, 0 s left"]
