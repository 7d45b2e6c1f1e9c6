"""The metadata of a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from seq2seq_core.training.state.progress_state import ProgressState
from seq2seq_core.training.state.sealed_files import FileSeal

FORMAT_VERSION: Literal[1] = 1


class Checkpoint(BaseModel):
    """The JSON side of a checkpoint, or of a finished training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = FORMAT_VERSION
    """Version of the folder's layout."""
    training: str
    """Name of the state's folder: the key of the training that it belongs to."""
    progress: ProgressState
    """Progress of the run."""
    tensors: FileSeal | None
    """Weights and optimiser; None in a finished training."""
    kept_weights: dict[str, FileSeal] = {}
    """Weights that several checkpoints share, by the prefix of their names among the tensors."""
    best: FileSeal | None
    """Weights of the best validation; None before the first."""
    curve_bytes: int
    """Size of the curves' file."""
    end: str = ""
    """Why a finished training ended; empty in a checkpoint."""
    good: str = ""
    """Name of the checkpoint to step back to when the run diverges; often this one. Empty: there is none."""


@dataclass(frozen=True)
class Restored:
    """A checkpoint that was read and is intact.

    Attributes:
        checkpoint: its JSON side.
        tensors: weights and optimiser; empty in a finished training, which keeps only the best weights.
    """

    checkpoint: Checkpoint
    tensors: dict[str, Tensor]
