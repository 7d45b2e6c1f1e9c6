"""The training state on disk: written by atomic rename, sealed by digests, the last few kept, never pickled.

curves.jsonl                        points of the curves (curve_log.py)
checkpoint-00000500.safetensors     weights and optimiser after update 500
checkpoint-00000500.json            everything else, and the digests of what belongs to it; written last
last-0123456789abcdef.safetensors   the weights at one of the averaged validations (kept_weights.py)
best-00000400.safetensors           the weights of the best validation
finished.json                       in place of the checkpoints once the training has ended
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import safetensors
from pydantic import ValidationError
from torch import Tensor

from seq2seq_core.training.state.background_writer import BackgroundWriter
from seq2seq_core.training.state.checkpoint import FORMAT_VERSION, Checkpoint, Restored
from seq2seq_core.training.state.kept_weights import KEPT_PATTERN, split_tensors, write_once
from seq2seq_core.training.state.progress_state import ProgressState
from seq2seq_core.training.state.sealed_files import (
    FileSeal,
    read_sealed,
    read_tensors,
    remove_drafts,
    write_file,
    write_sealed,
    write_tensors,
)

CURVES_FILE = "curves.jsonl"
FINISHED_FILE = "finished.json"
NUM_KEPT = 2

logger = logging.getLogger(__name__)


class CheckpointStore:
    """Reads and writes one folder of training state; the caller holds its lock.

    Args:
        folder: an existing folder.
        num_kept: number of checkpoints to keep, at least 1.
        in_background: whether a separate thread writes checkpoints while training continues. It writes the state at the call of
            :meth:`save`; a second save waits for the first.
    """

    def __init__(self, folder: Path, num_kept: int = NUM_KEPT, in_background: bool = False) -> None:
        self.folder, self.num_kept = folder, num_kept
        self.best: FileSeal | None = None
        self.good = ""
        self._writer = BackgroundWriter(in_background)
        self._new_best: tuple[str, dict[str, Tensor]] | None = None
        self._whole = set[str]()

    @property
    def curves(self) -> Path:
        """The file of the curves."""
        return self.folder / CURVES_FILE

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A ``with`` block that waits for all writing, however it ends, so that the caller may then release the lock."""
        try:
            yield
        except BaseException:
            try:
                self._writer.wait()
            except Exception as error:  # noqa: BLE001 - the first error is the one to raise
                logger.warning("%s", error)
            raise
        self.settle()

    def save_best(self, step: int, weights: dict[str, Tensor]) -> None:
        """Takes the weights of the best validation; the next :meth:`save` or :meth:`settle` writes them."""
        self._new_best = (f"best-{step:08d}.safetensors", _copy(weights))

    def save(self, progress: ProgressState, tensors: dict[str, Tensor], curve_bytes: int, is_good: bool = False) -> None:
        """Stores a checkpoint and removes older ones beyond ``num_kept``, except the last good one.

        Args:
            progress: progress of the run.
            tensors: weights and optimiser.
            curve_bytes: size of the curves' file, which must be flushed to the disk.
            is_good: whether :meth:`restore_good` gives it from now on.

        Raises:
            StorageFault: the disk is full, for this checkpoint or for the previous one.
        """
        now, copied, best = progress.model_copy(deep=True), _copy(tensors), self._new_best
        self._new_best = None
        good = self.good = f"{_checkpoint_name(progress.step)}.json" if is_good else self.good
        self._writer.run(lambda: self._store(now, copied, best, curve_bytes, good))

    def check(self) -> None:
        """Raises the error of a failed write; does not wait for a running one."""
        self._writer.check()

    def settle(self) -> None:
        """Waits until everything is stored; raises the error of a failed write."""
        self._writer.wait()
        if self._new_best is not None:
            self._store_best(*self._new_best)
            self._new_best = None

    def _store(
        self,
        progress: ProgressState,
        tensors: dict[str, Tensor],
        best: tuple[str, dict[str, Tensor]] | None,
        curve_bytes: int,
        good: str,
    ) -> None:
        """Writes a checkpoint, new best weights before it."""
        if best is not None:
            self._store_best(*best)
        name = _checkpoint_name(progress.step)
        own, kept = split_tensors(tensors)
        kept_seals = {prefix: write_once(self.folder, weights, self._whole) for prefix, weights in kept.items()}
        self._whole |= {seal.name for seal in kept_seals.values()}
        seal = write_tensors(self.folder, f"{name}.safetensors", own)
        checkpoint = Checkpoint(
            training=self.folder.name, progress=progress, tensors=seal, kept_weights=kept_seals, best=self.best,
            curve_bytes=curve_bytes, good=good,
        )  # fmt: skip
        write_sealed(self.folder, f"{name}.json", checkpoint.model_dump(mode="json"))
        self._prune(keep=self._checkpoint_names()[-self.num_kept :])

    def _store_best(self, name: str, weights: dict[str, Tensor]) -> None:
        """Writes the weights of the best validation."""
        self.best = write_tensors(self.folder, name, weights)

    def finish(self, progress: ProgressState, curve_bytes: int, end: str) -> None:
        """Marks the training as finished; keeps only its best weights and its curves."""
        self.settle()
        assert self.best is not None
        end_state = Checkpoint(
            training=self.folder.name, progress=progress, tensors=None, best=self.best, curve_bytes=curve_bytes, end=end
        )
        write_sealed(self.folder, FINISHED_FILE, end_state.model_dump(mode="json"))
        self._prune(keep=[])

    def restore(self) -> Restored | None:
        """The finished training, else the last intact checkpoint, else None; warns of each damaged one.

        Incomplete files of a killed process are removed.
        """
        self.settle()
        remove_drafts(self.folder)
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
        """The last good checkpoint; None if there is none or, with a warning, if it cannot be read."""
        self.settle()
        try:
            return self._read(self.good) if self.good else None
        except (OSError, ValueError, safetensors.SafetensorError) as error:
            logger.warning("%s: a damaged training state is left out (%s)", self.folder / self.good, error)
            return None

    def last_step(self) -> int | None:
        """The step of the last checkpoint, intact or not; None if there is none."""
        self.settle()
        names = self._checkpoint_names()
        return int(names[-1].removeprefix("checkpoint-").removesuffix(".json")) if names else None

    def adopt(self, other: CheckpointStore) -> Restored | None:
        """Takes over the best weights and curves of a finished training; gives its checkpoint, without tensors, or None.

        The next :meth:`save` records it here: until then a restart must adopt again.

        Args:
            other: store of that training; the caller holds its lock too.
        """
        restored = other.restore()
        if restored is None or not restored.checkpoint.end:
            return None
        self.copy_results(other, restored.checkpoint.curve_bytes)
        return Restored(restored.checkpoint.model_copy(update={"end": ""}), {})

    def copy_results(self, other: CheckpointStore, curve_bytes: int) -> None:
        """Takes over another store's best weights and curves.

        Args:
            other: a store with best weights.
            curve_bytes: number of bytes to copy from its curves.
        """
        other.settle()
        assert other.best is not None
        write_file(self.folder, other.best.name, (other.folder / other.best.name).read_bytes())
        with other.curves.open("rb") as file:
            write_file(self.folder, CURVES_FILE, file.read(curve_bytes))
        self.best = other.best

    def load_best(self) -> dict[str, Tensor]:
        """The weights of the best validation."""
        self.settle()
        assert self.best is not None
        return read_tensors(self.folder, self.best)

    def clear(self) -> None:
        """Removes everything but the lock."""
        self.settle()
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
        """A checkpoint; ValueError if any part of it is damaged."""
        content = read_sealed(self.folder, name)
        if (version := content.get("format_version")) != FORMAT_VERSION:
            raise ValueError(f"it is of format {version}, this version reads format {FORMAT_VERSION}")
        if (training := content.get("training")) != self.folder.name:
            raise ValueError(f"it belongs to the training {training}, not to {self.folder.name}")
        try:
            checkpoint = Checkpoint.model_validate(content)
        except ValidationError as error:
            raise ValueError(f"another version wrote it: {error.error_count()} faults") from None
        if checkpoint.best is not None:
            read_tensors(self.folder, checkpoint.best)
        if self.curves.stat().st_size < checkpoint.curve_bytes:
            raise ValueError(f"{CURVES_FILE} is cut short")
        tensors = read_tensors(self.folder, checkpoint.tensors) if checkpoint.tensors else {}
        for prefix, seal in checkpoint.kept_weights.items():
            tensors |= {f"{prefix}{name}": value for name, value in read_tensors(self.folder, seal).items()}
        return Restored(checkpoint, tensors)

    def _prune(self, keep: list[str]) -> None:
        """Removes checkpoints that are neither to keep nor good ones to step back to, and weights that no kept one names."""
        needed = {self.best.name} if self.best else set()
        named = {name: _named_in(self.folder / name) for name in self._checkpoint_names()}
        kept = {*keep, *(named[name].good for name in keep)}
        for name, names in named.items():
            path = self.folder / name
            if name in kept:
                needed |= names.files
            else:
                path.unlink()
                path.with_suffix(".safetensors").unlink(missing_ok=True)
        for path in [*self.folder.glob("best-*.safetensors"), *self.folder.glob(KEPT_PATTERN)]:
            if path.name not in needed:
                path.unlink()
        self._whole &= needed


def _checkpoint_name(step: int) -> str:
    """The name of a checkpoint's two files, without their endings."""
    return f"checkpoint-{step:08d}"


def _copy(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors as they are now, in main memory."""
    return {key: value.detach().to("cpu", copy=True).contiguous() for key, value in tensors.items()}


class _Named(NamedTuple):
    """The names in a checkpoint's JSON file."""

    files: set[str]
    """Files of the best weights and of the kept weights."""
    good: str
    """The checkpoint to step back to; empty if there is none."""


def _named_in(path: Path) -> _Named:
    """The names in a checkpoint's JSON file; none for a damaged one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["checkpoint"]
        seals = [*([content["best"]] if content["best"] else []), *content.get("kept_weights", {}).values()]
        return _Named({str(seal["name"]) for seal in seals}, str(content.get("good", "")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _Named(set(), "")
