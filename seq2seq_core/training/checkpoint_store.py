"""The training state on disk: written by atomic rename, sealed by digests, the last two kept, never pickled.

curves.jsonl                        points of the curves (curve_log.py)
checkpoint-00000500.safetensors     weights and optimiser after update 500
checkpoint-00000500.json            everything else, and the digests of what belongs to it; written last
best-00000400.safetensors           the weights of the best validation
finished.json                       in place of the checkpoints once the training has ended
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from seq2seq_core.reproducibility import digest
from seq2seq_core.training.progress_state import ProgressState

CURVES_FILE = "curves.jsonl"
FINISHED_FILE = "finished.json"
NUM_KEPT = 2

logger = logging.getLogger(__name__)


class FileSeal(BaseModel):
    """A file of the state and what it must hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Its name in the folder."""
    sha256: str
    """Of its content."""


class Checkpoint(BaseModel):
    """The JSON side of a checkpoint, or of a finished training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    progress: ProgressState
    """How far the run is."""
    tensors: FileSeal | None
    """Weights and optimiser; None in a finished training."""
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
    """A checkpoint that was found whole.

    Attributes:
        checkpoint: its JSON side.
        tensors: weights and optimiser; empty in a finished training, of which the best weights alone are left.
    """

    checkpoint: Checkpoint
    tensors: dict[str, Tensor]


class CheckpointStore:
    """Reads and writes one folder of training state; the caller holds its lock.

    Args:
        folder: an existing folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.best: FileSeal | None = None
        self.good = ""

    @property
    def curves(self) -> Path:
        """The file of the curves."""
        return self.folder / CURVES_FILE

    def save_best(self, step: int, weights: dict[str, Tensor]) -> None:
        """Stores the weights of the best validation; they count from the next :meth:`save` on."""
        self.best = self._write_tensors(f"best-{step:08d}.safetensors", weights)

    def save(self, progress: ProgressState, tensors: dict[str, Tensor], curve_bytes: int, is_good: bool = False) -> None:
        """Stores a checkpoint and removes those older than the one before it, but for the last good one.

        Args:
            progress: how far the run is.
            tensors: weights and optimiser.
            curve_bytes: size of the curves' file, which must be on the disk.
            is_good: whether it is what :meth:`restore_good` gives from now on.
        """
        name = f"checkpoint-{progress.step:08d}"
        self.good = f"{name}.json" if is_good else self.good
        seal = self._write_tensors(f"{name}.safetensors", tensors)
        checkpoint = Checkpoint(progress=progress, tensors=seal, best=self.best, curve_bytes=curve_bytes, good=self.good)
        self._write_sealed(f"{name}.json", checkpoint)
        self._prune(keep=self._checkpoint_names()[-NUM_KEPT:])

    def finish(self, progress: ProgressState, curve_bytes: int, end: str) -> None:
        """Marks the training as ended: of its state the best weights and the curves remain."""
        assert self.best is not None
        end_state = Checkpoint(progress=progress, tensors=None, best=self.best, curve_bytes=curve_bytes, end=end)
        self._write_sealed(FINISHED_FILE, end_state)
        self._prune(keep=[])

    def restore(self) -> Restored | None:
        """The finished training, else the last whole checkpoint; None where there is none. Warns of each damaged one."""
        for name in (FINISHED_FILE, *reversed(self._checkpoint_names())):
            if not (self.folder / name).exists():
                continue
            try:
                restored = self._read(name)
            except (OSError, ValueError, safetensors.SafetensorError) as error:
                logger.warning("%s: a damaged training state is left out (%s)", self.folder / name, error)
                continue
            self.best, self.good = restored.checkpoint.best, restored.checkpoint.good
            return restored
        return None

    def restore_good(self) -> Restored | None:
        """The last good checkpoint; None, with a warning, where it is missing or damaged."""
        try:
            return self._read(self.good) if self.good else None
        except (OSError, ValueError, safetensors.SafetensorError) as error:
            logger.warning("%s: a damaged training state is left out (%s)", self.folder / self.good, error)
            return None

    def last_step(self) -> int | None:
        """The step of the last checkpoint, whole or not; None where there is none."""
        names = self._checkpoint_names()
        return int(names[-1].removeprefix("checkpoint-").removesuffix(".json")) if names else None

    def adopt(self, other: CheckpointStore) -> Restored | None:
        """What a finished training left, as a checkpoint of this one, without tensors but the best weights.

        Nothing marks it here before the next :meth:`save`: until then a restart has to adopt again.

        Args:
            other: whose lock the caller holds too.
        """
        restored = other.restore()
        if restored is None or not restored.checkpoint.end:
            return None
        self.copy_results(other, restored.checkpoint.curve_bytes)
        return Restored(restored.checkpoint.model_copy(update={"end": ""}), {})

    def copy_results(self, other: CheckpointStore, curve_bytes: int) -> None:
        """Takes over another store's best weights and curves.

        Args:
            other: has best weights.
            curve_bytes: how much of its curves.
        """
        assert other.best is not None
        self._write(other.best.name, (other.folder / other.best.name).read_bytes())
        with other.curves.open("rb") as file:
            self._write(CURVES_FILE, file.read(curve_bytes))
        self.best = other.best

    def load_best(self) -> dict[str, Tensor]:
        """The weights of the best validation."""
        assert self.best is not None
        return self._read_tensors(self.best)

    def clear(self) -> None:
        """Removes everything but the lock."""
        self._prune(keep=[])
        for name in (FINISHED_FILE, CURVES_FILE):
            (self.folder / name).unlink(missing_ok=True)
        for path in self.folder.glob("best-*.safetensors"):
            path.unlink()
        self.best, self.good = None, ""

    def _checkpoint_names(self) -> list[str]:
        """Names of the checkpoints' JSON files, oldest first."""
        return sorted(path.name for path in self.folder.glob("checkpoint-*.json"))

    def _read(self, name: str) -> Restored:
        """A checkpoint; ValueError if any part of it is not as it was written."""
        sealed = json.loads((self.folder / name).read_text(encoding="utf-8"))
        if not isinstance(sealed, dict) or sealed.get("sha256") != digest(sealed.get("checkpoint")):
            raise ValueError("its digest does not fit its content")
        try:
            checkpoint = Checkpoint.model_validate(sealed["checkpoint"])
        except ValidationError as error:
            raise ValueError(f"another version wrote it: {error.error_count()} faults") from None
        if checkpoint.best is not None:
            self._read_tensors(checkpoint.best)
        if self.curves.stat().st_size < checkpoint.curve_bytes:
            raise ValueError(f"{CURVES_FILE} is cut short")
        return Restored(checkpoint, self._read_tensors(checkpoint.tensors) if checkpoint.tensors else {})

    def _read_tensors(self, seal: FileSeal) -> dict[str, Tensor]:
        """The tensors of a file whose digest fits."""
        content = (self.folder / seal.name).read_bytes()
        if hashlib.sha256(content).hexdigest() != seal.sha256:
            raise ValueError(f"the digest of {seal.name} does not fit its content")
        return safetensors.torch.load(content)

    def _write_tensors(self, name: str, tensors: dict[str, Tensor]) -> FileSeal:
        """Stores tensors from any device."""
        content = safetensors.torch.save({key: value.detach().cpu().contiguous() for key, value in tensors.items()})
        self._write(name, content)
        return FileSeal(name=name, sha256=hashlib.sha256(content).hexdigest())

    def _write_sealed(self, name: str, checkpoint: Checkpoint) -> None:
        """Stores a JSON side together with its own digest."""
        content: dict[str, Any] = checkpoint.model_dump(mode="json")
        self._write(name, json.dumps({"checkpoint": content, "sha256": digest(content)}, indent=1).encode() + b"\n")

    def _write(self, name: str, content: bytes) -> None:
        """Stores a file so that under its name there is all of it or nothing, also after a loss of power."""
        draft = self.folder / f".{name}.draft"
        try:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        draft.replace(self.folder / name)

    def _prune(self, keep: list[str]) -> None:
        """Removes the checkpoints that neither are kept nor would be stepped back to, and best weights that no kept one names."""
        needed = {self.best.name} if self.best else set()
        kept = {*keep, *(_good_named_in(self.folder / name) for name in keep)}
        for name in self._checkpoint_names():
            path = self.folder / name
            if name in kept:
                needed |= _best_named_in(path)
            else:
                path.unlink()
                path.with_suffix(".safetensors").unlink(missing_ok=True)
        for path in self.folder.glob("best-*.safetensors"):
            if path.name not in needed:
                path.unlink()


def _best_named_in(path: Path) -> set[str]:
    """The name of the best weights that a checkpoint's JSON file names; nothing for a damaged one."""
    try:
        best = json.loads(path.read_text(encoding="utf-8"))["checkpoint"]["best"]
        return {best["name"]} if best else set()
    except (ValueError, KeyError, TypeError):
        return set()


def _good_named_in(path: Path) -> str:
    """The name of the checkpoint that one would step back to; empty for a damaged one."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["checkpoint"].get("good", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
