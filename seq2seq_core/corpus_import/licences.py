"""The licence of a corpus, as its own files state it."""

from __future__ import annotations

import re
from pathlib import Path

LONGEST, MOST_CHARACTERS = 120, 1 << 16
_LICENCE_NAME = re.compile(r"(license|licence|copying)([._-].*)?", re.IGNORECASE)
_ABOUT = re.compile(r"(readme|license|licence|copying|notice|citation|authors)([._-].*)?", re.IGNORECASE)


def is_about(name: str) -> bool:
    """Whether a file is about a corpus: its licence, its authors, a description.

    Args:
        name: the file's name; folders do not matter.
    """
    return _ABOUT.fullmatch(Path(name).name) is not None


def find_licence(folder: Path) -> str:
    """The first line of a licence file of a folder, with the file's name; empty where there is none.

    Args:
        folder: the corpus folder.
    """
    for file in sorted(folder.rglob("*")):
        if file.is_file() and _LICENCE_NAME.fullmatch(file.name):
            with file.open(encoding="utf-8", errors="replace") as text:
                lines = (" ".join(line.split()) for line in text.read(MOST_CHARACTERS).splitlines())
                first = next((line for line in lines if line), "")
            shown = first if len(first) <= LONGEST else f"{first[:LONGEST]}…"
            name = file.relative_to(folder).as_posix()
            return f"{shown} (see {name})" if shown else ""
    return ""
