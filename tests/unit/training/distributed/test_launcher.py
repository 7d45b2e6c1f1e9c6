"""The launcher with ranks that are small scripts: no PyTorch in them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2seq_core.errors import Interrupted
from seq2seq_core.outcome import Outcome
from seq2seq_core.training.distributed import launcher as launch
from seq2seq_core.training.distributed.launcher import RankEnd, RankFault, explain_ends, run_ranks

RANK = """
import os, signal, sys, time
from pathlib import Path
from seq2seq_core.outcome import Outcome, write_outcome
from seq2seq_core.training.distributed.rank_environment import end_with_launcher, find_rank_place, outcome_name

end_with_launcher()
place = find_rank_place()
folder = Path(sys.argv[1])
(folder / f"{place.restarts}.{place.rank}").write_text(str(os.getpid()))

def end(kind, message="", code=1):
    write_outcome(place.outcomes, Outcome(outcome_name(place.rank), kind, message, code, False, os.getpid()))
    sys.exit(code)

def wait_for_all():
    while len(list(folder.glob(f"{place.restarts}.*"))) < place.number:
        time.sleep(0.01)

"""


@pytest.fixture
def command(tmp_path: Path) -> Callable[[str], list[str]]:
    """The command of ranks that do something; each leaves its process's number in a file of its attempt and rank."""
    return lambda script: [sys.executable, "-c", RANK + script, str(tmp_path)]


def started(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.*"))


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_ranks_that_all_succeed_are_run_once(command: Callable[[str], list[str]], tmp_path: Path) -> None:
    run_ranks(command("assert place.number == 3 and place.local_rank == place.rank"), 3, max_restarts=2)
    assert started(tmp_path) == ["0.0", "0.1", "0.2"]


def test_the_fault_of_one_rank_is_the_one_message_and_is_not_tried_again(
    command: Callable[[str], list[str]], tmp_path: Path
) -> None:
    script = "end('user_fault', 'step 3: the loss is nan', 2) if place.rank == 1 else end('peer_lost', 'closed')"
    with pytest.raises(RankFault, match=r"^step 3: the loss is nan$") as caught:
        run_ranks(command(script), 2, max_restarts=2)
    assert (caught.value.kind, caught.value.exit_code, caught.value.retryable) == ("user_fault", 2, False)
    assert started(tmp_path) == ["0.0", "0.1"]


def test_when_a_rank_is_killed_all_are_started_again(
    command: Callable[[str], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(launch, "LOSS_GRACE_SECONDS", 0.1)
    script = """
if place.restarts == 0:
    wait_for_all()
    if place.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(600)  # as a rank does that waits for the lost one
"""
    run_ranks(command(script), 2, max_restarts=1)
    assert started(tmp_path) == ["0.0", "0.1", "1.0", "1.1"]
    assert not is_alive(int((tmp_path / "0.0").read_text()))
    assert caplog.messages == [
        "rank 1 was killed by SIGKILL (by hand, or by the system for lack of memory); all 2 ranks are started again from the last "
        "checkpoint (restart 1 of 1)"
    ]


def test_a_rank_that_is_killed_once_too_often_is_a_crash(command: Callable[[str], list[str]], tmp_path: Path) -> None:
    script = "os.kill(os.getpid(), signal.SIGKILL) if place.rank == 0 else end('peer_lost', 'closed')"
    with pytest.raises(
        RankFault, match=r"^rank 0 was killed by SIGKILL \(by hand, or by the system for lack of memory\)$"
    ) as caught:
        run_ranks(command(script), 2, max_restarts=1)
    assert (caught.value.kind, caught.value.exit_code, caught.value.retryable) == ("crash", 1, True)
    assert started(tmp_path) == ["0.0", "0.1", "1.0", "1.1"]


def test_a_signal_goes_to_all_ranks_once_and_what_they_say_is_said(command: Callable[[str], list[str]], tmp_path: Path) -> None:
    script = """
counts = []
signal.signal(signal.SIGTERM, lambda *_: counts.append(1))
(folder / f"ready.{place.rank}").touch()
while place.rank == 0 and len(list(folder.glob("ready.*"))) < 2:
    time.sleep(0.01)
if place.rank == 0:
    os.kill(os.getppid(), signal.SIGTERM)
while not counts:
    time.sleep(0.01)
time.sleep(0.2)
end("interrupted", f"stopped after step 7, told {len(counts)} times", 143)
"""
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(RankFault, match=r"^stopped after step 7, told 1 times$") as caught:
        run_ranks(command(script), 2, max_restarts=3)
    assert (caught.value.kind, caught.value.exit_code) == ("interrupted", 143)
    assert signal.getsignal(signal.SIGTERM) is handler
    assert "1.0" not in started(tmp_path)


def test_ranks_that_a_signal_ends_before_they_listen_are_an_interruption(
    command: Callable[[str], list[str]], tmp_path: Path
) -> None:
    script = "wait_for_all()\nif place.rank == 0: os.kill(os.getppid(), signal.SIGTERM)\ntime.sleep(600)"
    with pytest.raises(
        Interrupted, match=r"^training stopped by SIGTERM; the same command goes on from its last checkpoint$"
    ) as caught:
        run_ranks(command(script), 2, max_restarts=3)
    assert caught.value.exit_code == 143
    assert started(tmp_path) == ["0.0", "0.1"]


def test_a_launcher_that_is_killed_leaves_no_rank_behind(command: Callable[[str], list[str]], tmp_path: Path) -> None:
    ranks = command("signal.signal(signal.SIGTERM, signal.SIG_DFL)\ntime.sleep(600)")
    code = f"from seq2seq_core.training.distributed.launcher import run_ranks; run_ranks({ranks!r}, 2, 0)"
    with subprocess.Popen([sys.executable, "-c", code]) as launcher:
        while len(started(tmp_path)) < 2 or not all(path.read_text() for path in tmp_path.glob("0.*")):
            time.sleep(0.05)
        pids = [int(path.read_text()) for path in tmp_path.glob("0.*")]
        assert all(is_alive(pid) for pid in pids)
        launcher.kill()
    for _ in range(600):
        if not any(is_alive(pid) for pid in pids):
            return
        time.sleep(0.1)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    pytest.fail("ranks were left behind")


def make_end(rank: int, code: int, kind: str = "") -> RankEnd:
    outcome = Outcome(f"rank{rank}", kind, f"{kind} of {rank}", code, True, 1) if kind else None
    return RankEnd(rank, code, outcome)


@pytest.mark.parametrize(
    ("ends", "message", "is_loss"),
    [
        ([make_end(0, 1, "peer_lost"), make_end(1, 1, "crash")], "crash of 1", False),
        ([make_end(0, 0, "ok"), make_end(1, 1, "peer_lost")], "peer_lost of 1", True),
        ([make_end(0, 1, "peer_lost"), make_end(1, -9, "running")], "rank 1 was killed by SIGKILL (by hand, or", True),
        ([make_end(0, 0, "ok"), make_end(1, 3)], "rank 1 ended with exit code 3 and no word", False),
    ],
)
def test_what_is_said_is_what_the_rank_says_that_knows(ends: list[RankEnd], message: str, is_loss: bool) -> None:
    fault = explain_ends(ends)
    assert str(fault).startswith(message)
    assert fault.is_loss == is_loss
