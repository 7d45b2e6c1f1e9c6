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
    from seq2seq_core.serving.loading import find_pinned_digest  # here, because few settings name a model

    found, distill, scored = dict[str, str](), settings.prepare.distill, settings.prepare.score_filter
    if distill is not None:
        found["teacher"] = find_pinned_digest(distill.teacher, distill.teacher_digest, "prepare.distill.teacher", paths)
    if scored is not None:
        for name, (reference, pinned) in scored.models().items():
            setting = f"score_filter.{name}"
            found[setting] = find_pinned_digest(reference, pinned, f"prepare.{setting}", paths)
    return found
