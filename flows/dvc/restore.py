"""The outputs of stages that did not succeed, brought back: DVC deletes them before it runs a stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flows.dvc.command import Dvc, error_text
from flows.dvc.locks import clear_dead_locks
from flows.processes.supervised import StopPolicy
from seq2seq_core.dvc_files import missing_outputs

RESTORE_SECONDS = 60.0
"""Time limit for bringing back the outputs of one stage."""


def restore_outputs(dvc: Dvc, stages: Iterable[str], on_line: Callable[[str], None]) -> list[str]:
    """Brings back the outputs that the last success of each stage left, from DVC's cache; returns a line for each stage.

    A stage whose outputs are all there, or that never succeeded, is left alone.

    Args:
        dvc: the workspace's DVC; none of its commands may run.
        stages: stages that failed or were stopped.
        on_line: receives each line of output.
    """
    lines = []
    for stage in stages:
        if not (missing := missing_outputs(dvc.root, stage)):
            continue
        clear_dead_locks(dvc.root)  # a stage that was killed leaves some
        result = dvc.run(["checkout", "--force", stage], on_line, StopPolicy(time_limit_seconds=RESTORE_SECONDS, grace_seconds=1.0))
        left = missing_outputs(dvc.root, stage)
        if back := [path for path in missing if path not in left]:
            lines.append(f"{stage} did not succeed; brought back from its last success: {', '.join(back)}")
        if result.exit_code != 0:
            lines.append(f"{stage} did not succeed, and its last outputs cannot be brought back: {error_text(result.lines)}")
    return lines
