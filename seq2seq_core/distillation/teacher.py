"""The teacher of a distillation: found by its reference, identified by the digest of its bundle."""

from __future__ import annotations

from dataclasses import dataclass

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.prepare import Distill
from seq2seq_core.corpus.pairs import PreparedTeacher
from seq2seq_core.serving.loading import FoundModel, find_pinned_model


@dataclass(frozen=True)
class Teacher:
    """A model whose outputs are learned from.

    Attributes:
        found: its bundle.
        origin: its name: ``models:/NAME/VERSION``, or the folder as the settings name it.
    """

    found: FoundModel
    origin: str

    @property
    def record(self) -> PreparedTeacher:
        """What the prepared corpus says of it."""
        return PreparedTeacher(self.origin, self.found.digest)


def find_teacher(settings: Distill, paths: Paths) -> Teacher:
    """The teacher; an alias means its current version.

    Args:
        settings: name the teacher and, optionally, its digest. A pinned version that was fetched before needs no MLflow.
        paths: the workspace; relative folders start at its root.

    Raises:
        UserError, BundleError, TrackingUnreachable: see :func:`~seq2seq_core.serving.loading.find_pinned_model`.
    """
    return Teacher(*find_pinned_model(settings.teacher, settings.teacher_digest, "prepare.distill.teacher", paths))
