"""The network that makes sound of frames, where the settings name one: found, and compared with the frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.config.speech.speech_settings import SpeechSettings
from seq2seq_core.errors import UserError

if TYPE_CHECKING:
    from seq2seq_core.audio.vocos.vocos_files import VocosFolder


def find_vocoder(settings: Settings, speech: SpeechSettings, sample_rate: int, paths: Paths) -> VocosFolder | None:
    """The network that the settings name, which reads certain frames; None: they name none.

    Args:
        settings: ``evaluate.speech``.
        speech: how the frames are made.
        sample_rate: of their recordings.
        paths: the workspace.

    Raises:
        UserError: a file is missing or of another form, the digest is another one, or settings do not fit; names those that would.
    """
    if not settings.evaluate.speech.vocoder.path:
        return None
    from seq2seq_core.audio.vocos.vocos_files import VocosFolder  # here, so that other settings load no PyTorch

    found = VocosFolder(settings.evaluate.speech.vocoder, paths.root)
    if reason := found.form.why_not(speech, sample_rate):
        raise UserError(f"evaluate.speech.vocoder: {found.folder} reads other frames than the model writes; expected {reason}")
    return found


def digest_outside_inputs(settings: Settings, paths: Paths) -> Mapping[str, str]:
    """The digest of the network's files; empty: there is none.

    Args:
        settings: ``evaluate.speech``; a pinned digest is taken as it is.
        paths: the workspace.

    Raises:
        UserError: the files cannot be used.
    """
    vocoder = settings.evaluate.speech.vocoder
    if not vocoder.path:
        return {}
    if vocoder.digest:
        return {"vocoder": vocoder.digest}
    from seq2seq_core.audio.vocos.vocos_files import VocosFolder

    return {"vocoder": VocosFolder(vocoder, paths.root).digest}
