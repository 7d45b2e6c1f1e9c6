"""The stage ``code``, which runs before all others: its digests decide which of them are fresh."""

from __future__ import annotations

from collections.abc import Callable

from flows.dvc.command import Dvc, refusal
from flows.processes.supervised import StopPolicy
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.stages.code import NAME, digest_files


def refresh_code_digests(dvc: Dvc, paths: Paths, settings: Settings, on_line: Callable[[str], None], policy: StopPolicy) -> None:
    """Runs the stage ``code``; forces it where DVC calls it fresh but the installed package has changed.

    Args:
        dvc: the workspace's DVC.
        paths: the workspace; reads ``reports/code``.
        settings: all sections but ``runtime`` decide the digests.
        on_line: receives each line of output.
        policy: when the command is stopped.

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
