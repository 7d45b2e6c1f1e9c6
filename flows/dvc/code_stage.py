"""The stage ``code`` before all others: what it finds decides which of them are fresh."""

from __future__ import annotations

from collections.abc import Callable

from flows.dvc.command import Dvc, refusal
from flows.processes.supervised import StopPolicy
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.stages.code import NAME, digest_files


def refresh_code_digests(dvc: Dvc, paths: Paths, settings: Settings, on_line: Callable[[str], None], policy: StopPolicy) -> None:
    """Runs the stage ``code``, also where DVC holds it to be fresh although another version of the package is installed.

    Args:
        dvc: of the workspace.
        paths: the workspace.
        settings: its parameters.
        on_line: receives each line of output.
        policy: when it is stopped.

    Raises:
        UserError: DVC refuses, with its own words.
        Interrupted: it was cancelled.
    """
    found = {path.name: path.read_text(encoding="utf-8") for path in paths.code_digests.glob("*.json")}
    force = ["--force"] if found and found != digest_files(settings) else []
    arguments = ["repro", "--single-item", *force, NAME]
    result = dvc.run(arguments, on_line, policy)
    if result.exit_code != 0:
        raise refusal(arguments, result)
