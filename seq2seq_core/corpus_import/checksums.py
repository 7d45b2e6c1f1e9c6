"""Checksums of files, as lists and services state them: ``sha256:HEX``."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from seq2seq_core.errors import UserError

DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128, "git": 40}
"""Hexadecimal digits by algorithm; ``git`` is git's own SHA-1 of a file's content with a head."""


@dataclass(frozen=True)
class Checksum:
    """A stated checksum.

    Attributes:
        algorithm: a name in :data:`DIGITS`.
        digest: hexadecimal digits in lower case.
    """

    algorithm: str
    digest: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digest}"


def parse_checksum(text: str) -> Checksum:
    """The checksum that a text states.

    Args:
        text: ``ALGORITHM:HEX``.

    Raises:
        UserError: the algorithm is unknown, or the digits are not its own.
    """
    algorithm, _, digest = text.strip().lower().partition(":")
    if algorithm not in DIGITS or not re.fullmatch(rf"[0-9a-f]{{{DIGITS.get(algorithm, 0)}}}", digest):
        known = ", ".join(f"{name} ({digits} digits)" for name, digits in DIGITS.items() if name != "git")
        raise UserError(f"checksum {text!r}: must be ALGORITHM:HEX with {known}")
    return Checksum(algorithm, digest)


def compute(file: Path, algorithm: str) -> Checksum:
    """The checksum of a file.

    Args:
        file: its place.
        algorithm: a name in :data:`DIGITS`.
    """
    head = f"blob {file.stat().st_size}\0".encode() if algorithm == "git" else b""
    name = "sha1" if algorithm == "git" else algorithm
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, lambda: hashlib.new(name, head, usedforsecurity=False))
    return Checksum(algorithm, digest.hexdigest())
