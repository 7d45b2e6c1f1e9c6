"""The training state on several ranks: rank 0 reads and writes it, and sends what it reads to the others.

Only rank 0 needs the folder, so that nodes need no shared file system for it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from torch import Tensor

from seq2seq_core.config.runtime import RuntimeSection
from seq2seq_core.training.distributed.ranks import Ranks
from seq2seq_core.training.state.checkpoint import Checkpoint, Restored
from seq2seq_core.training.state.checkpoint_store import CheckpointStore
from seq2seq_core.training.state.folder_lock import lock_folder
from seq2seq_core.training.state.phase_states import PhaseStates
from seq2seq_core.training.state.progress_state import ProgressState


@contextmanager
def open_store(folder: Path, runtime: RuntimeSection, ranks: Ranks) -> Iterator[CheckpointStore]:
    """The store of a training's state, locked during a ``with`` block.

    Args:
        folder: folder of the state; used by rank 0 alone.
        runtime: gives ``num_checkpoints`` and ``checkpoint_in_background``.
        ranks: the ranks of the training.

    Raises:
        WorkspaceBusy: another training holds the folder.
    """
    with ExitStack() as stack:
        ranks.from_first(lambda: stack.enter_context(lock_folder(folder)))
        if ranks.number == 1:
            yield CheckpointStore(folder, runtime.num_checkpoints, runtime.checkpoint_in_background)
        elif ranks.rank == 0:
            yield LeadingStore(folder, runtime, ranks)
        else:
            yield FollowingStore(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="s2s-rank-"))), ranks)


class LeadingStore(CheckpointStore):
    """The store of rank 0; sends what it reads to the other ranks.

    Args:
        folder: folder of the state, locked.
        runtime: see :func:`open_store`.
        ranks: the other ranks get what this one reads.
    """

    def __init__(self, folder: Path, runtime: RuntimeSection, ranks: Ranks) -> None:
        super().__init__(folder, runtime.num_checkpoints, runtime.checkpoint_in_background)
        self.ranks = ranks

    def restore(self) -> Restored | None:
        """See :class:`~seq2seq_core.training.state.checkpoint_store.CheckpointStore`."""
        return spread_restored(super().restore(), self.ranks)

    def restore_good(self) -> Restored | None:
        """See :class:`~seq2seq_core.training.state.checkpoint_store.CheckpointStore`."""
        return spread_restored(super().restore_good(), self.ranks)

    def last_step(self) -> int | None:
        """See :class:`~seq2seq_core.training.state.checkpoint_store.CheckpointStore`."""
        return self.ranks.from_first(super().last_step)

    def load_best(self) -> dict[str, Tensor]:
        """See :class:`~seq2seq_core.training.state.checkpoint_store.CheckpointStore`."""
        weights = super().load_best()
        self.ranks.tensors_from_first(weights)
        return weights


class FollowingStore(CheckpointStore):
    """The store of any other rank: receives what rank 0 reads, and writes nothing.

    Args:
        folder: an empty private folder, for curves that nobody reads.
        ranks: rank 0 of these sends what it reads.
    """

    def __init__(self, folder: Path, ranks: Ranks) -> None:
        super().__init__(folder)
        self.ranks = ranks
        self.curves.touch()

    def restore(self) -> Restored | None:
        """See :class:`~seq2seq_core.training.state.checkpoint_store.CheckpointStore`."""
        return spread_restored(None, self.ranks)

    def restore_good(self) -> Restored | None:
        """See :class:`~seq2seq_core.training.state.checkpoint_store.CheckpointStore`."""
        return spread_restored(None, self.ranks)

    def last_step(self) -> int | None:
        """See :class:`~seq2seq_core.training.state.checkpoint_store.CheckpointStore`."""
        return self.ranks.from_first(super().last_step)

    def load_best(self) -> dict[str, Tensor]:
        """See :class:`~seq2seq_core.training.state.checkpoint_store.CheckpointStore`."""
        return self.ranks.tensors_from_first({})

    def save_best(self, step: int, weights: dict[str, Tensor]) -> None:
        """Stores nothing."""

    def save(self, progress: ProgressState, tensors: dict[str, Tensor], curve_bytes: int, is_good: bool = False) -> None:
        """Stores nothing."""

    def finish(self, progress: ProgressState, curve_bytes: int, end: str) -> None:
        """Stores nothing."""


class SharedPhaseStates(PhaseStates):
    """The states of a training's first phases, which rank 0 alone reads and writes.

    Args:
        states: the states on the disk of rank 0.
        ranks: the other ranks get what rank 0 reads.
    """

    def __init__(self, states: PhaseStates, ranks: Ranks) -> None:
        super().__init__(states.folder, states.keys)
        self.ranks = ranks

    def clear(self) -> None:
        """See :class:`~seq2seq_core.training.state.phase_states.PhaseStates`."""
        self.ranks.from_first(super().clear)

    def adopt(self, store: CheckpointStore) -> Restored | None:
        """See :class:`~seq2seq_core.training.state.phase_states.PhaseStates`."""
        return spread_restored(super().adopt(store) if self.ranks.rank == 0 else None, self.ranks)

    def keep(self, store: CheckpointStore, progress: ProgressState, curve_bytes: int, end: str) -> None:
        """See :class:`~seq2seq_core.training.state.phase_states.PhaseStates`."""
        if self.ranks.rank == 0:
            super().keep(store, progress, curve_bytes, end)


def spread_restored(restored: Restored | None, ranks: Ranks) -> Restored | None:
    """The checkpoint that rank 0 has restored, on every rank.

    Args:
        restored: the checkpoint on rank 0; ignored on other ranks.
        ranks: all ranks must make this call.
    """
    described = ranks.from_first(lambda: restored.checkpoint.model_dump_json() if restored else "")
    if not described:
        return None
    own: Mapping[str, Tensor] = restored.tensors if restored else {}
    tensors = ranks.tensors_from_first(own)
    return restored or Restored(Checkpoint.model_validate_json(described), tensors)
