"""The cause of a stage's failure, read from the stage's outcome file: ``dvc repro`` has one exit code for every failure."""

from __future__ import annotations

from flows.dvc.command import error_text, has_started, is_busy
from flows.processes.supervised import CommandResult
from seq2seq_core.console import format_seconds
from seq2seq_core.errors import EXIT_CRASH, EXIT_USER_FAULT, Seq2SeqError
from seq2seq_core.outcome import Outcome


class StageFailed(Seq2SeqError):
    """A failed stage, with the kind, message and exit code of the stage's own error.

    Args:
        stage: the stage's name.
        message: for the user; the message of ``s2s STAGE`` where there is one.
        kind: see :class:`seq2seq_core.outcome.Outcome`.
        exit_code: the exit code of ``s2s STAGE``.
        retryable: whether another run, with nothing changed, can succeed.
        is_in_log: whether the stage's output already has the message.
    """

    def __init__(self, stage: str, message: str, kind: str, exit_code: int, retryable: bool, is_in_log: bool = False) -> None:
        self.stage, self.kind, self.exit_code, self.retryable, self.is_in_log = stage, kind, exit_code, retryable, is_in_log
        super().__init__(message)


def explain_failure(stage: str, result: CommandResult, outcome: Outcome | None, time_limit_seconds: float) -> StageFailed:
    """The failure of a stage: its kind and message.

    Args:
        stage: the stage's name.
        result: the end of ``dvc repro``.
        outcome: the stage's outcome file of this execution; None where there is none.
        time_limit_seconds: the stage's time limit.
    """
    if result.ended_by == "time limit":
        message = (
            f"{stage}: stopped after its time limit of {format_seconds(time_limit_seconds)} "
            f"(runtime.flow.stages.{stage}.time_limit_seconds)"
        )
        return StageFailed(stage, message, "environment_fault", EXIT_CRASH, retryable=True)
    text = error_text(result.lines)
    if outcome is None:
        return _explain_without_outcome(stage, result, text)
    if outcome.kind == "running":
        message = f"{stage}: was killed before it could end (out of memory, or by hand); DVC says: {text}"
        return StageFailed(stage, message, "crash", EXIT_CRASH, retryable=True)
    if outcome.kind == "ok":
        message = f"{stage}: the stage succeeded, but DVC could not store its outputs: {text}"
        return StageFailed(stage, message, "environment_fault", EXIT_CRASH, retryable=True)
    is_in_log = any(outcome.message.partition("\n")[0] in line for line in result.lines)
    return StageFailed(stage, outcome.message, outcome.kind, outcome.exit_code, outcome.retryable, is_in_log)


def _explain_without_outcome(stage: str, result: CommandResult, text: str) -> StageFailed:
    """The failure of a stage without an outcome file: DVC never started it, or its command is not an ``s2s`` stage."""
    if is_busy(text):
        message = f"{stage}: another DVC process works on its files: {text}"
        return StageFailed(stage, message, "environment_fault", EXIT_CRASH, retryable=True)
    if has_started(stage, result.lines):
        return StageFailed(stage, text, "crash", EXIT_CRASH, retryable=True)
    return StageFailed(stage, f"{stage}: DVC did not start it: {text}", "user_fault", EXIT_USER_FAULT, retryable=False)
