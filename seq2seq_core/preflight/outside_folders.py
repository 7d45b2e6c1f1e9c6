"""The models that the settings name, as folders: a sample's workspace has another registry and another place."""

from __future__ import annotations

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings


def with_folders(settings: Settings, paths: Paths) -> Settings:
    """The same settings with the folder of each model in place of its name.

    Args:
        settings: of the user.
        paths: the workspace: its registry, and the root of relative folders.

    Raises:
        UserError, BundleError, TrackingUnreachable: a model cannot be found.
    """
    prepare, train = settings.prepare, settings.train
    if prepare.score_filter is not None or settings.tokenize.vocabulary:
        from seq2seq_core.ablation.outside_models import with_model_folders

        settings = with_model_folders(settings, paths)
        prepare = settings.prepare
    if prepare.distill is not None:
        distill = prepare.distill
        teacher = _folder(distill.teacher, distill.teacher_digest, "prepare.distill.teacher", paths)
        prepare = prepare.model_copy(update={"distill": distill.model_copy(update={"teacher": teacher})})
    if train.initial_weights:
        initial = _folder(train.initial_weights, train.initial_digest, "train.initial_weights", paths)
        train = train.model_copy(update={"initial_weights": initial})
    evaluate = settings.evaluate
    if evaluate.speech.read_back:
        speech = evaluate.speech
        recogniser = _folder(speech.read_back, speech.read_back_digest, "evaluate.speech.read_back", paths)
        evaluate = evaluate.model_copy(update={"speech": speech.model_copy(update={"read_back": recogniser})})
    return settings.model_copy(update={"prepare": prepare, "train": train, "evaluate": evaluate})


def _folder(reference: str, digest: str, place: str, paths: Paths) -> str:
    from seq2seq_core.serving.loading import find_pinned_model

    found, _ = find_pinned_model(reference, digest, place, paths)
    return str(found.folder.resolve())
