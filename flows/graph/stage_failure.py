"""Why a stage failed, found out from what it left behind: through ``dvc repro`` every failure has the same exit code."""

from __future__ import annotations

from flows.dvc.command import error_text, is_busy
from flows.processes.supervised import CommandResult
from seq2seq_core.console import format_seconds
from seq2seq_core.errors import EXIT_CRASH, EXIT_USER_FAULT, Seq2SeqError
from seq2seq_core.outcome import Outcome


class StageFailed(Seq2SeqError):
    """A stage failed; carries the kind, the message, the exit code and whether a retry can help, as the stage itself had them.

    Args:
        stage: its name.
        message: for a person; that of ``s2s STAGE`` where it left one.
        kind: see :class:`seq2seq_core.outcome.Outcome`.
        exit_code: what ``s2s STAGE`` exits with.
        retryable: whether running it again, with nothing changed, can help.
    """

    def __init__(self, stage: str, message: str, kind: str, exit_code: int, retryable: bool) -> None:
        self.stage, self.kind, self.exit_code, self.retryable = stage, kind, exit_code, retryable
        super().__init__(message)


def explain_failure(stage: str, result: CommandResult, outcome: Outcome | None, time_limit_seconds: float) -> StageFailed:
    """What kind of failure it was, and what to tell.

    Args:
        stage: its name.
        result: how ``dvc repro`` ended.
        outcome: what the stage left in this execution; None where it left nothing.
        time_limit_seconds: the limit that it ran under.
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
    return StageFailed(stage, outcome.message, outcome.kind, outcome.exit_code, outcome.retryable)


def _explain_without_outcome(stage: str, result: CommandResult, text: str) -> StageFailed:
    """A stage that left nothing: DVC never started it, or its command is none of ours."""
    if is_busy(text):
        message = f"{stage}: another DVC process works on its files: {text}"
        return StageFailed(stage, message, "environment_fault", EXIT_CRASH, retryable=True)
    if has_started(stage, result.lines):
        return StageFailed(stage, text, "crash", EXIT_CRASH, retryable=True)
    return StageFailed(stage, f"{stage}: DVC did not start it: {text}", "user_fault", EXIT_USER_FAULT, retryable=False)


def has_started(stage: str, lines: tuple[str, ...]) -> bool:
    """Whether DVC's output says that it executed the stage's command."""
    return f"Running stage '{stage}':" in lines
