"""What ``prepare`` reads beside the files of the workspace that DVC knows: a teacher, and two models that score pairs."""

from __future__ import annotations

from collections.abc import Mapping

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings


def digest_outside_inputs(settings: Settings, paths: Paths) -> Mapping[str, str]:
    """The digests of the models' bundles; empty: there are none.

    Args:
        settings: section ``prepare``; a pinned digest is taken as it is.
        paths: the workspace, and its registry.

    Raises:
        UserError, BundleError, TrackingUnreachable: see :func:`~seq2seq_core.serving.loading.find_pinned_model`.
    """
    asked = dict[str, tuple[str, str]]()
    if (distill := settings.prepare.distill) is not None:
        asked["teacher"] = (distill.teacher, distill.teacher_digest)
    if (scored := settings.prepare.score_filter) is not None:
        asked["score_filter.forward"] = (scored.forward, scored.forward_digest)
        asked["score_filter.backward"] = (scored.backward, scored.backward_digest)
    return {name: pinned or _digest(reference, name, paths) for name, (reference, pinned) in asked.items()}


def _digest(reference: str, name: str, paths: Paths) -> str:
    from seq2seq_core.serving.loading import find_pinned_model

    setting = "prepare.distill.teacher" if name == "teacher" else f"prepare.{name}"
    return find_pinned_model(reference, "", setting, paths)[0].digest
