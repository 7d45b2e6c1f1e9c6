"""Finished first phases of trainings: changing or adding a later phase does not train the earlier ones again."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.train import TrainSection
from seq2seq_core.errors import WorkspaceBusy
from seq2seq_core.training.state.checkpoint import Restored
from seq2seq_core.training.state.checkpoint_store import FINISHED_FILE, CheckpointStore
from seq2seq_core.training.state.folder_lock import lock_folder
from seq2seq_core.training.state.progress_state import ProgressState
from seq2seq_core.training.state.run_key import RunKey, make_run_key

logger = logging.getLogger(__name__)


class PhaseStates:
    """The states of a training's first phases, each stored as a training with these phases alone.

    Args:
        folder: folder of all training states.
        keys: keys of the first phase, of the first two, and so on; the last one is that of the whole training.
    """

    def __init__(self, folder: Path, keys: Sequence[RunKey]) -> None:
        self.folder, self.keys = folder, keys

    @classmethod
    def of(cls, folder: Path, model: ModelSection, train: TrainSection, data_digests: Mapping[str, str]) -> Self:
        """The states of a training.

        Args:
            folder: folder of all training states.
            model: the architecture.
            train: phases, seed and initial weights.
            data_digests: SHA-256 of the files that shape the weights, by name.
        """
        numbers = range(1, len(train.all_phases()) + 1)
        return cls(folder, [make_run_key(model, train.first_phases(number), data_digests) for number in numbers])

    @property
    def whole(self) -> RunKey:
        """The key of the training with all phases."""
        return self.keys[-1]

    def clear(self) -> None:
        """Removes the states of the first phases, so that they are trained anew.

        Raises:
            WorkspaceBusy: another process trains one of them.
        """
        for key in self.keys[:-1]:
            folder = self.folder / key.folder_name
            if folder.is_dir():
                with lock_folder(folder):
                    CheckpointStore(folder).clear()

    def adopt(self, store: CheckpointStore) -> Restored | None:
        """Takes the longest run of finished first phases into an empty store; None if there is none.

        Args:
            store: store of the whole training.
        """
        for key in reversed(self.keys[:-1]):
            if not (self.folder / key.folder_name / FINISHED_FILE).exists():
                continue
            try:
                with lock_folder(self.folder / key.folder_name):
                    restored = store.adopt(CheckpointStore(self.folder / key.folder_name))
            except WorkspaceBusy:
                continue
            if restored:
                return restored
        return None

    def keep(self, store: CheckpointStore, progress: ProgressState, curve_bytes: int, end: str) -> None:
        """Stores the training so far as a finished training of its first phases.

        Args:
            store: store of the whole training.
            progress: progress at the end of a phase.
            curve_bytes: size of the curves' file, which must be flushed to the disk.
            end: the reason why that phase ended.
        """
        folder = self.folder / self.keys[progress.phase].folder_name
        try:
            with lock_folder(folder):
                beginning = CheckpointStore(folder)
                beginning.clear()
                beginning.copy_results(store, curve_bytes)
                beginning.finish(progress, curve_bytes, end)
        except WorkspaceBusy:
            logger.debug("%s: in use, left as it is", folder)
