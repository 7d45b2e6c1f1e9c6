"""What ``prepare`` reads beside the files of the workspace that DVC knows: a teacher."""

from __future__ import annotations

from collections.abc import Mapping

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings


def digest_outside_inputs(settings: Settings, paths: Paths) -> Mapping[str, str]:
    """The digest of the teacher's bundle; empty: there is no teacher.

    Args:
        settings: section ``prepare``; a pinned digest is taken as it is.
        paths: the workspace, and its registry.

    Raises:
        UserError, BundleError, TrackingUnreachable: see :func:`~seq2seq_core.distillation.teacher.find_teacher`.
    """
    distill = settings.prepare.distill
    if distill is None:
        return {}
    if distill.teacher_digest:
        return {"teacher": distill.teacher_digest}
    from seq2seq_core.distillation.teacher import find_teacher

    return {"teacher": find_teacher(distill, paths).found.digest}
