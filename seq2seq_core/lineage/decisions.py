"""The entries of the ledger about a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2seq_core.artifacts import Paths
from seq2seq_core.registry.ledger import Entry
from seq2seq_core.registry.moves import read_history

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


def read_decisions(version: ModelVersion, paths: Paths) -> tuple[Entry, ...]:
    """The decisions on a version, and the moves of the alias from it, in order.

    Args:
        version: as the registry gives it.
        paths: the workspace, whose registry is read.

    Raises:
        TrackingUnreachable: MLflow does not answer.
    """
    number = str(version.version)
    return tuple(entry for entry in read_history(version.name, paths) if is_about(entry, number))


def is_about(entry: Entry, number: str) -> bool:
    """Whether an entry is a decision on a version, or moved the alias to it or from it.

    Args:
        entry: of the ledger.
        number: the version's.
    """
    return entry.version == number or (entry.is_move and number in (entry.champion, entry.before))
