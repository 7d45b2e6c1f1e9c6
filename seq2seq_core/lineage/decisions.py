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
    entries = read_history(version.name, paths)
    return tuple(entry for entry in entries if entry.version == number or (entry.is_move and entry.before == number))
