"""Observers of a training's progress, which may also end it."""

from __future__ import annotations

from typing import Protocol

from seq2seq_core.training.state.progress_state import ProgressState


class ProgressObserver(Protocol):
    """Observes the progress; what a killed process had not saved is observed again by the next one."""

    def observe(self, state: ProgressState) -> None:
        """Called before each update; an exception ends the training there.

        Args:
            state: progress of the run, with every validation; must not be changed.
        """


class NoObserver:
    """Does nothing."""

    def observe(self, state: ProgressState) -> None:
        """See :class:`ProgressObserver`."""
