"""The judge of a model of speech, with the recogniser that the settings name."""

from __future__ import annotations

from pathlib import Path

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle import load_bundle
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.config.settings import Settings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.decoding.speech.speech_judge import Recogniser, SpeechJudge
from seq2seq_core.errors import UserError
from seq2seq_core.registry.bundles import fetch_bundle

SETTING = "evaluate.speech.read_back"


def open_judge(folder: Path, settings: Settings, paths: Paths) -> SpeechJudge:
    """The judge of a bundle's speech.

    Args:
        folder: the bundle, with a model of speech.
        settings: ``evaluate.speech`` and ``runtime.device``.
        paths: the workspace; a relative folder of a recogniser starts at its root.

    Raises:
        BundleError: a bundle cannot be read.
        UserError: there is no such recogniser, or it is another one than the pinned, or reads no recordings.
        TrackingUnreachable: MLflow does not answer.
    """
    speech, device = settings.evaluate.speech, settings.runtime.device
    recogniser = find_recogniser(speech.read_back, speech.read_back_digest, device, paths) if speech.read_back else None
    return SpeechJudge(load_bundle(folder, device), paths.prepared_audio, recogniser)


def find_recogniser(reference: str, pinned: str, device: str, paths: Paths) -> Recogniser:
    """A recogniser of the registry or in a folder.

    Args:
        reference: ``models:/NAME/VERSION``, ``models:/NAME@ALIAS``, or a bundle's folder.
        pinned: the digest that its bundle must have; empty: any.
        device: decodes.
        paths: the workspace.

    Raises:
        BundleError, UserError, TrackingUnreachable: see :func:`open_judge`.
    """
    is_folder = not reference.startswith("models:")
    try:
        found = fetch_bundle(str(paths.root / reference) if is_folder else reference, paths)
    except UserError as error:
        raise UserError(f"{SETTING}: {error}") from None
    digest = bundle_digest(found)
    if pinned and digest != pinned:
        raise UserError(f"{SETTING}_digest: must be that of the bundle of {reference}, {digest}; got {pinned}")
    recogniser = Recogniser(Predictor.from_folder(found, device), digest)
    _ = recogniser.sample_rate  # refuses a model that reads no recordings
    return recogniser
