"""Recorders of what a stage reports while it runs: parameters, metrics, tags and files.

Stages know only this protocol. ``NullRecorder`` is the null object, so that no stage asks ``if recorder is not None``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol


class Recorder(Protocol):
    """Receives what a stage reports. Implementations must not change a stage's result."""

    @property
    def keeps_files(self) -> bool:
        """Whether :meth:`log_file` stores a copy: a stage need not draw pictures that nobody will see."""

    def log_params(self, params: Mapping[str, object]) -> None:
        """Records settings of the run, flat: ``{"train.learning_rate": 0.001}``."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Records values at a step (a training update), or final values if ``step`` is None."""

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Sets short strings to find the run by."""

    def log_text(self, text: str, name: str) -> None:
        """Stores a small text artifact under ``name`` (a relative path such as ``tables/worst.md``)."""

    def log_file(self, path: Path, folder: str = "") -> None:
        """Stores a copy of a file or folder as an artifact, below ``folder``."""

    def log_dataset(self, path: Path, name: str, digest: str, context: str) -> None:
        """Records a corpus that the stage read: its path, name, digest and role (``training``, ``testing``, ``validation``)."""

    def flush(self) -> None:
        """Waits until everything recorded so far is stored."""


class NullRecorder:
    """Records nothing."""

    keeps_files = False

    def log_params(self, params: Mapping[str, object]) -> None:
        """See :class:`Recorder`."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """See :class:`Recorder`."""

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """See :class:`Recorder`."""

    def log_text(self, text: str, name: str) -> None:
        """See :class:`Recorder`."""

    def log_file(self, path: Path, folder: str = "") -> None:
        """See :class:`Recorder`."""

    def log_dataset(self, path: Path, name: str, digest: str, context: str) -> None:
        """See :class:`Recorder`."""

    def flush(self) -> None:
        """See :class:`Recorder`."""


class CompositeRecorder:
    """Passes everything on to each of several recorders, in order.

    Args:
        recorders: the receivers.
    """

    def __init__(self, recorders: Sequence[Recorder]) -> None:
        self.recorders = tuple(recorders)

    @property
    def keeps_files(self) -> bool:
        """See :class:`Recorder`."""
        return any(recorder.keeps_files for recorder in self.recorders)

    def log_params(self, params: Mapping[str, object]) -> None:
        """See :class:`Recorder`."""
        for recorder in self.recorders:
            recorder.log_params(params)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """See :class:`Recorder`."""
        for recorder in self.recorders:
            recorder.log_metrics(metrics, step)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """See :class:`Recorder`."""
        for recorder in self.recorders:
            recorder.set_tags(tags)

    def log_text(self, text: str, name: str) -> None:
        """See :class:`Recorder`."""
        for recorder in self.recorders:
            recorder.log_text(text, name)

    def log_file(self, path: Path, folder: str = "") -> None:
        """See :class:`Recorder`."""
        for recorder in self.recorders:
            recorder.log_file(path, folder)

    def log_dataset(self, path: Path, name: str, digest: str, context: str) -> None:
        """See :class:`Recorder`."""
        for recorder in self.recorders:
            recorder.log_dataset(path, name, digest, context)

    def flush(self) -> None:
        """See :class:`Recorder`."""
        for recorder in self.recorders:
            recorder.flush()
