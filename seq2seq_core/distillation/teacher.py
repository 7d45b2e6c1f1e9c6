"""The teacher of a distillation: found by its reference, identified by the digest of its bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.config.prepare import Distill
from seq2seq_core.corpus.pairs import PreparedTeacher
from seq2seq_core.errors import UserError
from seq2seq_core.serving.loading import FoundModel, find_model
from seq2seq_core.training.initial.initial_bundle import find_fetched_folder

_REGISTRY = "models:"


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
        UserError: there is no such model, it is an output of this pipeline, or its digest is not the expected one.
        BundleError: the bundle is damaged, or not signed although a public key is configured.
        TrackingUnreachable: MLflow does not answer.
    """
    reference, pinned = settings.teacher, settings.teacher_digest
    is_registered = reference.startswith(_REGISTRY)
    if is_registered and pinned and (folder := find_fetched_folder(pinned, paths)) is not None:
        return Teacher(FoundModel(folder, reference, pinned), reference)
    found = find_model(reference, paths) if is_registered else _find_folder(reference, paths)
    teacher = Teacher(found, found.label if is_registered else reference)
    if pinned not in ("", found.digest):
        raise UserError(
            f"prepare.distill.teacher_digest: {reference} has the digest {found.digest}, expected {pinned}; give its digest to "
            "learn from it instead"
        )
    return teacher


def _find_folder(reference: str, paths: Paths) -> FoundModel:
    folder = paths.root / reference
    if folder.resolve() in (paths.bundle.resolve(), paths.served.resolve()):
        raise UserError(
            f"prepare.distill.teacher: {reference} is what this pipeline writes; expected a copy elsewhere (such as data/teacher), "
            "or a registered version"
        )
    if not Path(folder).is_dir():
        raise UserError(
            f"prepare.distill.teacher: {folder}: no such folder; expected that of a bundle, models:/NAME/VERSION or "
            "models:/NAME@ALIAS"
        )
    read_config(folder)
    return find_model(str(folder), paths)
