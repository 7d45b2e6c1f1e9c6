"""Refresh of the data before the first stage, as configured, and a report of the changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.dvc.command import Dvc, error_text, refusal
from flows.processes.supervised import CommandResult, StopPolicy
from seq2seq_core.config.runtime import RefreshSettings
from seq2seq_core.config.yaml_text import YamlError, parse_yaml
from seq2seq_core.errors import EnvironmentFault, Interrupted, UserError

USER_MARKS = ("no remote specified", "config file error", "does not exist", "unable to find DVC file", "is not a DVC")
"""Parts of DVC's messages about faults that a retry cannot mend."""


@dataclass(frozen=True)
class TrackedData:
    """The data that one ``.dvc`` file describes.

    Attributes:
        digest: DVC's hash.
        size: bytes, if known.
        num_files: number of files; None where the data are a single file.
        is_import: whether ``dvc import`` or ``dvc import-url`` made it, so that ``dvc update`` works.
    """

    digest: str
    size: int | None
    num_files: int | None
    is_import: bool

    def describe(self) -> str:
        """``3 files, 12,345 bytes, abcdef12``."""
        files = [f"{self.num_files} files"] if self.num_files is not None else []
        size = [f"{self.size:,} bytes"] if self.size is not None else []
        return ", ".join([*files, *size, self.digest[:8] or "no digest"])


def refresh_data(
    dvc: Dvc, settings: RefreshSettings, sources: Iterable[str], log: Callable[[str], None], policy: StopPolicy
) -> list[str]:
    """Refreshes the data; returns a line for each ``.dvc`` file, or an empty list where no refresh is configured.

    Args:
        dvc: the workspace's DVC.
        settings: the section ``runtime.flow.refresh``: mode and targets.
        sources: the ``.dvc`` files that stages read, relative to the workspace; the default targets.
        log: receives each line of DVC's output.
        policy: when a command is stopped.

    Raises:
        UserError: a ``.dvc`` file is missing or cannot be read, or no remote is configured.
        EnvironmentFault: the remote does not answer.
        Interrupted: a command was stopped before its end.
    """
    if settings.mode == "none":
        return []
    targets = settings.targets or list(sources)
    if not targets:
        return ["nothing to refresh: no stage reads data that DVC tracks"]
    before = read_tracked(dvc.root, targets)
    imported = [target for target in targets if before[target].is_import]
    if settings.mode == "update" and imported:
        _run(dvc, ["update", *imported], log, policy)
    _run(dvc, ["pull", *targets], log, policy)
    return describe_changes(before, read_tracked(dvc.root, targets))


def read_tracked(root: Path, targets: Iterable[str]) -> dict[str, TrackedData]:
    """The data that ``.dvc`` files describe, by file name.

    Args:
        root: the workspace.
        targets: file names, relative to the workspace.

    Raises:
        UserError: a file is missing or is not a ``.dvc`` file.
    """
    return {target: _read_one(root, target) for target in targets}


def describe_changes(before: Mapping[str, TrackedData], after: Mapping[str, TrackedData]) -> list[str]:
    """A line for each ``.dvc`` file: unchanged, or its old and new data."""
    return [
        f"{name}: unchanged ({after[name].describe()})"
        if before[name].digest == after[name].digest
        else f"{name}: changed from {before[name].describe()} to {after[name].describe()}"
        for name in before
    ]


def _read_one(root: Path, target: str) -> TrackedData:
    try:
        values: Any = parse_yaml((root / target).read_text(encoding="utf-8"))
        output = values["outs"][0]
        return TrackedData(output.get("md5", ""), output.get("size"), output.get("nfiles"), bool(values.get("deps")))
    except FileNotFoundError:
        raise UserError(f"{target}: no such file; expected a .dvc file (runtime.flow.refresh.targets)") from None
    except (UnicodeDecodeError, YamlError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise UserError(f"{target}: not a .dvc file ({type(error).__name__}: {error})") from None


def _run(dvc: Dvc, arguments: list[str], log: Callable[[str], None], policy: StopPolicy) -> None:
    """Runs a DVC command that moves data."""
    result = dvc.run(arguments, log, policy)
    if result.exit_code != 0:
        raise transfer_error(arguments, result)


def transfer_error(arguments: list[str], result: CommandResult) -> UserError | EnvironmentFault | Interrupted:
    """The error of a failed data transfer: a fault in the configuration, or one of the remote, which a retry can mend."""
    text = error_text(result.lines)
    if result.ended_by != "itself" or any(mark in text for mark in USER_MARKS):
        return refusal(arguments, result)
    return EnvironmentFault(f"dvc {' '.join(arguments)}: {text}")
