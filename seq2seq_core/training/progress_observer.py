"""Who looks on while a training makes progress, and may end it."""

from __future__ import annotations

from typing import Protocol

from seq2seq_core.training.state.progress_state import ProgressState


class ProgressObserver(Protocol):
    """Looks on; what it sees is saved, or will be unless the process is killed, and is then seen again."""

    def observe(self, state: ProgressState) -> None:
        """Called before each update that is going to be made; what it raises ends the training there.

        Args:
            state: how far the run is, every validation in it; not to be changed.
        """


class NoObserver:
    """Does nothing."""

    def observe(self, state: ProgressState) -> None:
        """See :class:`ProgressObserver`."""
