"""The version that a workspace belongs to, and its files as that version wrote them: the base of the next upgrade's merge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from seq2seq_core import __version__, atomic
from seq2seq_core.errors import UserError

RECORD_FILE = ".s2s-workspace.json"
"""Tracked by git. A clone of the project's repository has none."""


@dataclass(frozen=True)
class WorkspaceRecord:
    """What ``s2s init`` or the last ``s2s upgrade`` wrote.

    Attributes:
        version: of the package.
        files: the texts of the managed files, by name.
    """

    version: str
    files: Mapping[str, str]


def read_record(root: Path) -> WorkspaceRecord | None:
    """The record of a workspace; None where it has none.

    Args:
        root: the workspace.

    Raises:
        UserError: the file is damaged.
    """
    place = root / RECORD_FILE
    if not place.is_file():
        return None
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
        return WorkspaceRecord(str(found["version"]), {str(name): "".join(lines) for name, lines in found["files"].items()})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{place}: is damaged; expected it as `s2s init` or `s2s upgrade` wrote it, such as in git") from None


def write_record(root: Path, files: Mapping[str, str]) -> None:
    """Records the installed version and its files.

    Args:
        root: the workspace.
        files: the texts of the managed files, by name.
    """
    lines = {name: text.splitlines(keepends=True) for name, text in files.items()}
    text = json.dumps({"version": __version__, "files": lines}, indent=1, ensure_ascii=False)
    atomic.write_text(root / RECORD_FILE, text + "\n")


def check_version(root: Path) -> None:
    """Checks that a workspace belongs to the installed version; one without a record, such as a clone, is not checked.

    Args:
        root: the workspace.

    Raises:
        UserError: it belongs to another one; the message says both ways out.
    """
    record = read_record(root)
    if record is not None and record.version != __version__:
        raise UserError(
            f"{root}: this workspace belongs to seq2seq-flows {record.version}, and {__version__} is installed; `s2s upgrade` "
            f"brings its files to {__version__}, `pip install seq2seq-flows=={record.version}` goes back"
        )
