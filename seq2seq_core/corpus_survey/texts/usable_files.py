"""The files that rows name: which of them can be used, and why the others cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeVar

from seq2seq_core.corpus_survey.files.folder_files import ending_of
from seq2seq_core.errors import SourceFileError, UserError

Value = TypeVar("Value")

READ_FILES = 40
"""Files that are read, at even distances; of the others only their names are looked at."""
NO_FILE = "no such file"


def read_some(
    folder: Path, names: Sequence[str], kind: str, read: Callable[[Path], Value], endings: Sequence[str] = (), advice: str = ""
) -> tuple[list[Value], dict[str, str]]:
    """What is read of some of the rows' files, and by name why files cannot be used.

    Args:
        folder: the corpus folder.
        names: of the files, as rows name them; empty ones are passed over.
        kind: what the files are, ``picture`` or ``recording``.
        read: reads a file; raises ``SourceFileError`` with the reason why it cannot be used.
        endings: of names; none: any.
        advice: what to do about a file whose name ends otherwise.

    Raises:
        UserError: none of those read can be used; names the first.
    """
    values: dict[str, Value] = {}
    faults: dict[str, str] = {}
    looked_at = [name for name in names[:: max(1, len(names) // READ_FILES)][:READ_FILES] if name.strip()]
    for name in dict.fromkeys([*looked_at, *filter(str.strip, names)]):
        if endings and ending_of(name) not in endings:
            faults[name] = advice
        elif reason := _fault_of_name(folder, name):
            faults[name] = reason
    for name in dict.fromkeys(looked_at):
        try:
            if name not in faults:
                values[name] = read(folder / name)
        except SourceFileError as error:
            faults[name] = str(error)
    if values:
        return [values[name] for name in looked_at if name in values], faults
    name, reason = next(((name, faults[name]) for name in looked_at), ("", NO_FILE))
    if reason == NO_FILE:
        example = "recordings/a.wav" if kind == "recording" else "pictures/a.png"
        raise UserError(f"{folder}: no {kind} {name!r}; expected names relative to that folder, such as {example}")
    raise UserError(f"{folder / name}: {reason}")


def _fault_of_name(folder: Path, name: str) -> str:
    """Why a name is none of a file in the folder; empty: it is one."""
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts or "\0" in name:
        return "outside of the corpus folder"
    try:
        return "" if (folder / place).is_file() else NO_FILE
    except OSError:  # a text that is too long for a name
        return NO_FILE
