"""The secrets of DVC's remotes, which DVC keeps in its configuration files."""

from __future__ import annotations

import re
from pathlib import Path

from seq2seq_core.redaction.redactor import remember_values

FILES = (".dvc/config", ".dvc/config.local")
USER_FILE = Path(".config/dvc/config")
_OPTION = re.compile(r"^\s*([\w-]+)\s*=\s*(\S.*?)\s*$", re.MULTILINE)


def remember_remote_secrets(workspace: Path) -> None:
    """Keeps the passwords, tokens and keys of DVC's remotes, so that they are hidden in every later text.

    Args:
        workspace: the folder of the DVC repository, or a folder in it.
    """
    for file in (*(folder / name for folder in (workspace, *workspace.parents) for name in FILES), Path.home() / USER_FILE):
        if file.is_file():
            for name, value in _OPTION.findall(file.read_text(encoding="utf-8", errors="replace")):
                remember_values({name: value.strip("\"'")})
