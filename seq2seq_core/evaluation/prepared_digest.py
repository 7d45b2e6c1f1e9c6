"""Whether a prepared split is still the one that ``prepare`` wrote, by the digest in ``reports/prepare.json``."""

from __future__ import annotations

import json

from seq2seq_core.artifacts import Paths
from seq2seq_core.errors import UserError
from seq2seq_core.tokenization.manifest import file_digest


def check_prepared(split: str, paths: Paths) -> None:
    """Refuses a prepared split that has changed: its scores would be those of other rows.

    Args:
        split: its name.
        paths: the workspace; reads the prepared split and ``reports/prepare.json``.

    Raises:
        UserError: the file has changed since ``prepare`` wrote it.
    """
    if fault := fault_of_prepared(split, paths):
        raise UserError(f"{fault}; `s2s prepare` (or `dvc checkout data/prepared`) brings the rows of the corpus back")


def fault_of_prepared(split: str, paths: Paths) -> str:
    """What is wrong with a prepared split; empty where it is the one of the report, or the report has no digest of it.

    Args:
        split: its name.
        paths: the workspace; reads the prepared split and ``reports/prepare.json``.
    """
    file = paths.prepared_split(split)
    try:
        expected = json.loads(paths.prepare_report.read_text(encoding="utf-8"))[split]["sha256"]
    except (OSError, ValueError, KeyError, TypeError):  # an earlier release wrote the report, or none is there
        return ""
    if not file.is_file() or (found := file_digest(file)) == expected:
        return ""
    return f"{file}: has changed since `s2s prepare` wrote it: its SHA-256 is {found}, {paths.prepare_report} says {expected}"
