from __future__ import annotations

import pytest

from flows.graph.stage_failure import StageFailed, explain_failure
from flows.processes.supervised import CommandResult
from seq2seq_core.outcome import Outcome

DVC_LINES = ("Running stage 'train':", "> s2s train", "ERROR: failed to reproduce 'train': failed to run: s2s train, exited with 1")
DVC_WORDS = "failed to reproduce 'train': failed to run: s2s train, exited with 1"


def explain(outcome: Outcome | None, lines: tuple[str, ...] = DVC_LINES) -> tuple[str, str, int, bool]:
    failure = explain_failure("train", CommandResult(255, lines, 3.0, "itself"), outcome, 60.0)
    assert isinstance(failure, StageFailed)
    return str(failure), failure.kind, failure.exit_code, failure.retryable


@pytest.mark.parametrize(
    ("kind", "message", "exit_code", "retryable"),
    [
        ("user_fault", "data/x.tsv:3: has 1 column; expected 2", 2, False),
        ("environment_fault", "MLflow does not answer", 2, True),
        ("environment_fault", "the disk is full", 2, False),
        ("interrupted", "terminated", 143, True),
        ("crash", "RuntimeError: boom", 1, True),
    ],
)
def test_what_a_stage_left_is_passed_on_as_it_is(kind: str, message: str, exit_code: int, retryable: bool) -> None:
    assert explain(Outcome("train", kind, message, exit_code, retryable, 1)) == (message, kind, exit_code, retryable)


def test_a_stage_without_a_last_word_was_killed() -> None:
    message = f"train: was killed before it could end (out of memory, or by hand); DVC says: {DVC_WORDS}"
    assert explain(Outcome("train", "running", "", -1, True, 1)) == (message, "crash", 1, True)


def test_dvc_can_fail_after_a_stage_succeeded() -> None:
    words = "failed to reproduce 'train': output 'models/bundle' does not exist"
    lines = (f"ERROR: {words}",)
    message = f"train: the stage succeeded, but DVC could not store its outputs: {words}"
    assert explain(Outcome("train", "ok", "", 0, False, 1), lines) == (message, "environment_fault", 1, True)


def test_a_command_that_leaves_no_outcome_has_crashed() -> None:
    assert explain(None) == (DVC_WORDS, "crash", 1, True)


def test_a_stage_that_dvc_refused_to_start_is_for_the_user_to_mend() -> None:
    lines = ("ERROR: failed to reproduce 'train': missing data 'source': data/raw/x",)
    message = "train: DVC did not start it: failed to reproduce 'train': missing data 'source': data/raw/x"
    assert explain(None, lines) == (message, "user_fault", 2, False)


def test_files_in_use_by_another_dvc_are_worth_a_retry() -> None:
    lines = ("ERROR: '/w/out' is busy, it is being blocked by:", "  (PID 7): dvc repro")
    message = "train: another DVC process works on its files: '/w/out' is busy, it is being blocked by:\n  (PID 7): dvc repro"
    assert explain(None, lines) == (message, "environment_fault", 1, True)


def test_a_time_limit_counts_whatever_the_stage_said_when_it_was_stopped() -> None:
    result = CommandResult(143, DVC_LINES, 61.0, "time limit")
    failure = explain_failure("train", result, Outcome("train", "interrupted", "terminated", 143, True, 1), 60.0)
    assert str(failure) == "train: stopped after its time limit of 1 min 00 s (runtime.flow.stages.train.time_limit_seconds)"
    assert (failure.kind, failure.exit_code, failure.retryable) == ("environment_fault", 1, True)
