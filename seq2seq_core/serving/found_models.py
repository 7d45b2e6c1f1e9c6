"""The models that settings name, found from the workspace: their folders, and the judges of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.named.named_models import NamedModel, with_references
from seq2seq_core.config.settings import Settings
from seq2seq_core.config.train import TrainSection
from seq2seq_core.serving.loading import find_pinned_digest, find_pinned_model
from seq2seq_core.training.data.inputs import FoundJudge
from seq2seq_core.training.initial.initial_bundle import is_remote


def with_model_folders(settings: Settings, sections: Sequence[str], paths: Paths) -> Settings:
    """The same settings with the folder of each model in place of its name, which means the same from every folder.

    Args:
        settings: of the user.
        sections: the sections to look at, by their names in the file.
        paths: the workspace: its registry, and the root of relative folders.

    Raises:
        UserError, BundleError, TrackingUnreachable: see :func:`~seq2seq_core.serving.loading.find_pinned_model`.
    """

    def folder_of(model: NamedModel) -> str:
        if model.setting == "train.initial_weights" and is_remote(model.reference):  # also in the artifacts of a run
            from seq2seq_core.registry.initial_weights import fetch_initial_bundle

            return str(fetch_initial_bundle(settings.train, paths).folder.resolve())
        found, _ = find_pinned_model(model.reference, model.digest, model.setting, paths)
        return str(found.folder.resolve())

    changed = {name: with_references(settings.section_named(name), name, folder_of) for name in sections}
    return settings.model_copy(update=changed)


def digest_judges(settings: Settings, paths: Paths) -> Mapping[str, str]:
    """The digests of the models that judge in training, by the numbers of their phases; empty: there are none.

    Args:
        settings: section ``train``; a pinned digest is taken as it is.
        paths: the workspace, and its registry.

    Raises:
        UserError, BundleError, TrackingUnreachable: see :func:`~seq2seq_core.serving.loading.find_pinned_model`.
    """
    return {
        f"judge.{number}": find_pinned_digest(phase.judge.reader, phase.judge.reader_digest, _setting(number), paths)
        for number, phase in enumerate(settings.train.phases)
        if phase.judge is not None and phase.asks_judge
    }


def find_judges(train: TrainSection, paths: Paths) -> dict[str, FoundJudge]:
    """The models that the phases ask, by their references.

    Args:
        train: its phases name them.
        paths: the workspace; relative folders start at its root, downloads go to ``.s2s/bundles``.

    Raises:
        UserError, BundleError, TrackingUnreachable: see :func:`~seq2seq_core.serving.loading.find_pinned_model`.
    """
    judges = dict[str, FoundJudge]()
    for number, phase in enumerate(train.phases):
        if phase.judge is not None and phase.asks_judge:
            found, _ = find_pinned_model(phase.judge.reader, phase.judge.reader_digest, _setting(number), paths)
            judges[phase.judge.reader] = FoundJudge(found.folder, found.digest)
    return judges


def _setting(number: int) -> str:
    return f"train.phases.{number}.judge.reader"
