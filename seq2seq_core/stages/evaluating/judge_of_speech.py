"""What ``evaluate`` reads beside the files of the workspace that DVC knows: the recogniser that reads speech back."""

from __future__ import annotations

from collections.abc import Mapping

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings


def digest_outside_inputs(settings: Settings, paths: Paths) -> Mapping[str, str]:
    """The digest of the recogniser's bundle; empty: there is none.

    Args:
        settings: ``evaluate.speech``; a pinned digest is taken as it is.
        paths: the workspace, and its registry.

    Raises:
        UserError, BundleError, TrackingUnreachable: see :func:`~seq2seq_core.serving.loading.find_pinned_model`.
    """
    speech = settings.evaluate.speech
    if not speech.read_back:
        return {}
    from seq2seq_core.serving.loading import find_pinned_digest  # here, because few settings name a model

    return {"read_back": find_pinned_digest(speech.read_back, speech.read_back_digest, "evaluate.speech.read_back", paths)}
