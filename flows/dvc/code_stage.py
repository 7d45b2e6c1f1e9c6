"""The stage ``code`` before all others: what it finds decides which of them are stale."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from flows.dvc.command import Dvc, own_words, refusal
from flows.processes.supervised import StopPolicy
from seq2seq_core.errors import UserError
from seq2seq_core.stages.code import NAME


def refresh_code_digests(dvc: Dvc, stages: Sequence[str], on_line: Callable[[str], None], policy: StopPolicy) -> float | None:
    """Runs the stage ``code``, if the graph has it; returns its duration in seconds, or None where the graph lacks it.

    It is forced, because DVC cannot see that another version of the package is installed.

    Args:
        dvc: of the workspace.
        stages: of its graph.
        on_line: receives each line of output.
        policy: when the command is stopped.

    Raises:
        UserError: the stage or DVC refuses, with its own words.
        Interrupted: it was cancelled.
    """
    if NAME not in stages:
        return None
    started = time.monotonic()
    arguments = ["repro", "--single-item", "--force", NAME]
    result = dvc.run(arguments, on_line, policy)
    if result.exit_code != 0:
        reason = own_words(NAME, result.lines)
        raise UserError(reason.removeprefix("error: ")) if reason and result.ended_by == "itself" else refusal(arguments, result)
    return time.monotonic() - started
