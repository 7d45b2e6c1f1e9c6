from __future__ import annotations

import os
import signal
import threading

import pytest

from seq2seq_core.training.stop_request import StopRequest, listen_for_stop


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_becomes_a_request_with_its_exit_code(number: signal.Signals, exit_code: int) -> None:
    with listen_for_stop() as stop:
        os.kill(os.getpid(), number)
        assert stop.signal is number
        assert stop.exit_code == exit_code


def test_without_a_signal_there_is_no_request() -> None:
    with listen_for_stop() as stop:
        assert stop.signal is None


def test_the_first_ctrl_c_says_what_happens(caplog: pytest.LogCaptureFixture) -> None:
    StopRequest().receive(signal.SIGINT, None)
    assert caplog.messages == ["SIGINT: saving the training state after this update; Ctrl-C again stops at once"]


def test_a_second_ctrl_c_stops_at_once() -> None:
    with listen_for_stop(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_a_second_sigterm_changes_nothing() -> None:
    with listen_for_stop() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.signal is signal.SIGTERM


def test_a_sigterm_after_ctrl_c_still_ends_as_ctrl_c() -> None:
    with listen_for_stop() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.exit_code == 130


def test_the_earlier_handlers_come_back() -> None:
    earlier = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with listen_for_stop():
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] != earlier
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == earlier


def test_another_thread_leaves_the_handlers_alone() -> None:
    earlier, seen = signal.getsignal(signal.SIGTERM), []

    def listen() -> None:
        with listen_for_stop() as stop:
            seen.append((stop.signal, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [(None, earlier)]
