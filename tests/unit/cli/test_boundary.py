from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import pytest
import typer

from seq2seq_core.artifacts import Paths
from seq2seq_core.cli.boundary import boundary, explain
from seq2seq_core.errors import (
    ConfigError,
    ContractViolation,
    CorpusError,
    Interrupted,
    Seq2SeqError,
    TrackingUnreachable,
    UserError,
)
from seq2seq_core.outcome import Outcome, read_outcome, write_outcome
from seq2seq_core.training.distributed.rank_environment import RankPlace, mark_as_shared


def _run(error: BaseException, paths: Paths, debug: bool = False) -> int:
    with pytest.raises(typer.Exit) as caught, boundary(debug, paths=paths, stage="prepare"):
        raise error
    return caught.value.exit_code


@pytest.mark.parametrize(
    ("error", "exit_code", "kind", "retryable", "message"),
    [
        (CorpusError("empty; expected pairs", "a.tsv"), 2, "user_fault", False, "a.tsv: empty; expected pairs"),
        (CorpusError("2 columns", "a.tsv", 7), 2, "user_fault", False, "a.tsv:7: 2 columns"),
        (ContractViolation("min_rows"), 2, "user_fault", False, "min_rows"),
        (ConfigError(["a.b: must be 1"], "p.yaml"), 2, "user_fault", False, "p.yaml: 1 fault in the parameters\n  a.b: must be 1"),
        (TrackingUnreachable("no answer"), 2, "environment_fault", True, "no answer"),
        (Interrupted("saved"), 130, "interrupted", True, "saved"),
        (
            KeyboardInterrupt(), 130, "interrupted", True,
            "interrupted; nothing is half-written, run the same command again to go on",
        ),
        (
            PermissionError(errno.EACCES, "denied", "/x/y"), 2, "environment_fault", False,
            "/x/y: permission denied; expected a file or folder that this user may use",
        ),
        (
            FileNotFoundError(errno.ENOENT, "gone", "raw/a.tsv"), 2, "environment_fault", False,
            "raw/a.tsv: no such file or folder, or it was removed meanwhile; expected it to stay as long as the command runs",
        ),
        (
            FileExistsError(errno.EEXIST, "there", "report"), 2, "environment_fault", False,
            "report: a file is there already; expected a folder, or a place for one",
        ),
        (
            OSError(errno.ENOSPC, "full"), 2, "environment_fault", False,
            "output: the disk is full; free some space (`make clean` removes stage outputs, `dvc gc --workspace` old caches)",
        ),
    ],
)  # fmt: skip
def test_an_expected_error_becomes_a_message_an_exit_code_and_an_outcome(
    error: BaseException,
    exit_code: int,
    kind: str,
    retryable: bool,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    paths = Paths(tmp_path)
    assert _run(error, paths) == exit_code
    assert capsys.readouterr().err == f"error: {message}\n"
    assert read_outcome(paths.outcomes, "prepare") == Outcome("prepare", kind, message, exit_code, retryable, os.getpid())


def test_a_crash_leaves_its_traceback_in_a_file_and_can_be_retried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = Paths(tmp_path)
    assert _run(ZeroDivisionError("by zero"), paths) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("crash: ZeroDivisionError: by zero\n")
    assert "Traceback" not in shown
    assert "Traceback" in (paths.logs / "crash.txt").read_text(encoding="utf-8")
    outcome = read_outcome(paths.outcomes, "prepare")
    assert outcome is not None
    assert (outcome.kind, outcome.retryable) == ("crash", True)


def test_debug_shows_the_traceback_of_a_users_fault_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(CorpusError("empty", "a.tsv"), Paths(tmp_path), debug=True) == 2
    assert "Traceback" in capsys.readouterr().err


def test_success_leaves_the_outcome_ok(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    with boundary(False, paths=paths, stage="prepare"):
        running = read_outcome(paths.outcomes, "prepare")
    done = read_outcome(paths.outcomes, "prepare")
    assert running is not None
    assert running.kind == "running"
    assert done is not None
    assert (done.kind, done.exit_code) == ("ok", 0)


def test_sigterm_unwinds_a_stage_and_exits_with_143(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    unwound = False
    with pytest.raises(typer.Exit) as caught, boundary(False, paths=paths, stage="prepare"):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        finally:
            unwound = True
    assert unwound
    assert caught.value.exit_code == 143
    outcome = read_outcome(paths.outcomes, "prepare")
    assert outcome is not None
    assert outcome.kind == "interrupted"


def test_an_unknown_operating_system_error_is_a_crash() -> None:
    assert explain(OSError(errno.EPIPE, "pipe")) is None


def test_a_broken_pipe_of_another_kind_is_a_fault_of_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught, boundary(debug=False):
        raise BrokenPipeError(errno.EPIPE, "a server's connection")
    assert caught.value.exit_code == 1
    assert "crash: BrokenPipeError" in capsys.readouterr().err


def test_an_outcome_that_is_not_json_reads_as_none(tmp_path: Path) -> None:
    write_outcome(tmp_path, Outcome("train", "ok", "", 0, False, 1))
    (tmp_path / "train.json").write_text("{", encoding="utf-8")
    assert read_outcome(tmp_path, "train") is None
    assert read_outcome(tmp_path, "absent") is None


def test_every_error_class_has_an_exit_code_and_a_kind() -> None:
    def descendants(kind: type[Seq2SeqError]) -> set[type[Seq2SeqError]]:
        return {kind}.union(*(descendants(child) for child in kind.__subclasses__()))

    for kind in descendants(Seq2SeqError):
        assert kind.exit_code in (2, 130)
        assert kind.kind in ("user_fault", "environment_fault", "interrupted", "peer_lost")


# --- several ranks ---------------------------------------------------------------------------------------------------
def run_as_rank(paths: Paths, rank: int, outcomes: Path | None, error: Exception) -> int:
    place = RankPlace(rank, 2, rank, 2, 0, outcomes)
    with pytest.raises(typer.Exit) as caught, boundary(False, paths=paths, stage="train", place=place):
        raise error
    return int(caught.value.exit_code)


def test_a_rank_of_our_launcher_leaves_its_fault_for_it_and_prints_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths, outcomes = Paths(tmp_path / "workspace"), tmp_path / "outcomes"
    assert run_as_rank(paths, 0, outcomes, UserError("step 3: no number")) == 2
    assert run_as_rank(paths, 1, outcomes, KeyError("x")) == 1
    told, crash = read_outcome(outcomes, "rank0"), read_outcome(outcomes, "rank1")
    assert told is not None
    assert crash is not None
    assert (told.kind, told.message) == ("user_fault", "step 3: no number")
    assert crash.message == f"rank 1: KeyError: 'x'; the traceback is in {paths.logs / 'crash.rank1.txt'}"
    assert capsys.readouterr().err == ""
    assert not paths.outcomes.exists()


def test_under_torchrun_rank_0_speaks_for_all_and_another_one_only_of_what_the_others_cannot_know(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths, shared = Paths(tmp_path), UserError("step 3: no number")
    mark_as_shared(shared)
    run_as_rank(paths, 1, None, shared)
    assert capsys.readouterr().err == ""
    run_as_rank(paths, 0, None, shared)
    assert capsys.readouterr().err == "error: step 3: no number\n"
    run_as_rank(paths, 1, None, UserError("data/tokenized: no such folder"))
    assert capsys.readouterr().err == "error: data/tokenized: no such folder\n"
    outcome = read_outcome(paths.outcomes, "train")
    assert outcome is not None
    assert outcome.message == "step 3: no number"
