"""The models that settings name, found from the workspace: their folders, and the judges of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.named.judge import judges_asked
from seq2seq_core.config.named.named_models import NamedModel, with_references
from seq2seq_core.config.settings import Settings
from seq2seq_core.config.train import TrainSection
from seq2seq_core.serving.loading import find_pinned_digest, find_pinned_model
from seq2seq_core.training.data.inputs import FoundJudge
from seq2seq_core.training.initial.initial_bundle import InitialBundle, find_fetched_bundle, is_remote


def with_model_folders(settings: Settings, sections: Sequence[str], paths: Paths) -> Settings:
    """The same settings with the folder of each model in place of its name, which means the same from every folder.

    Args:
        settings: of the user.
        sections: the sections to look at, by their names in the file.
        paths: the workspace: its registry, and the root of relative folders.

    Raises:
        UserError, BundleError, TrackingUnreachable: see :func:`~seq2seq_core.serving.loading.find_pinned_model`.
    """
    changed = {
        name: with_references(settings.section_named(name), name, lambda model: folder_of(model, settings, paths))
        for name in sections
    }
    found = settings.model_copy(update=changed)
    vocoder = found.evaluate.speech.vocoder
    if "evaluate" not in sections or not vocoder.path:
        return found
    speech = found.evaluate.speech.model_copy(
        update={"vocoder": vocoder.model_copy(update={"path": str(paths.root.absolute() / vocoder.path)})}
    )
    return found.model_copy(update={"evaluate": found.evaluate.model_copy(update={"speech": speech})})


def folder_of(model: NamedModel, settings: Settings, paths: Paths) -> str:
    """The folder of a model that a setting names.

    Args:
        model: the setting with its reference.
        settings: section ``train``, where it is the initial weights: they may also be an artifact of a run.
        paths: the workspace: its registry, and the root of relative folders.

    Raises:
        UserError, BundleError, TrackingUnreachable: see :func:`~seq2seq_core.serving.loading.find_pinned_model`.
    """
    if model.setting == "train.initial_weights" and is_remote(model.reference):
        return str(fetched_initial_bundle(settings.train, paths).folder.resolve())
    found, _ = find_pinned_model(model.reference, model.digest, model.setting, paths)
    return str(found.folder.resolve())


def fetched_initial_bundle(train: TrainSection, paths: Paths) -> InitialBundle:
    """The bundle of ``train.initial_weights`` in MLflow; one that is pinned and was fetched before needs no MLflow.

    Args:
        train: names the bundle and, optionally, its digest.
        paths: the workspace; downloads go to ``.s2s/bundles``.

    Raises:
        UserError, BundleError, TrackingUnreachable: see :func:`~seq2seq_core.registry.initial_weights.fetch_initial_bundle`.
    """
    if (fetched := find_fetched_bundle(train, paths)) is not None:
        return fetched
    from seq2seq_core.registry.initial_weights import fetch_initial_bundle

    return fetch_initial_bundle(train, paths)


def digest_judges(settings: Settings, paths: Paths) -> Mapping[str, str]:
    """The digests of the models that judge in training, by the numbers of their phases; empty: there are none.

    Args:
        settings: section ``train``; a pinned digest is taken as it is.
        paths: the workspace, and its registry.

    Raises:
        UserError, BundleError, TrackingUnreachable: see :func:`~seq2seq_core.serving.loading.find_pinned_model`.
    """
    return {
        f"judge.{number}": find_pinned_digest(judge.reader, judge.reader_digest, _setting(number), paths)
        for number, judge in judges_asked(settings.train.phases)
    }


def find_judges(train: TrainSection, paths: Paths) -> dict[tuple[str, str], FoundJudge]:
    """The models that the phases ask, by reference and digest.

    Args:
        train: its phases name them.
        paths: the workspace; relative folders start at its root, downloads go to ``.s2s/bundles``.

    Raises:
        UserError, BundleError, TrackingUnreachable: see :func:`~seq2seq_core.serving.loading.find_pinned_model`.
    """
    judges = dict[tuple[str, str], FoundJudge]()
    for number, judge in judges_asked(train.phases):
        found, _ = find_pinned_model(judge.reader, judge.reader_digest, _setting(number), paths)
        for digest in (judge.reader_digest, found.digest):  # as in the file, and once it is pinned
            judges[judge.reader, digest] = FoundJudge(found.folder, found.digest)
    return judges


def _setting(number: int) -> str:
    return f"train.phases.{number}.judge.reader"
