"""The models that variants read: those that the settings of the workspace name."""

from __future__ import annotations

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.stage_table import find_stage

STAGES = ("prepare", "tokenize", "train")
"""What is run of the graph for each variant."""


def digest_outside_models(settings: Settings, paths: Paths) -> dict[str, dict[str, str]]:
    """The digests of the models that the stages read, by stage and name.

    Args:
        settings: of a variant.
        paths: the workspace: its registry, and the root of relative folders.

    Raises:
        UserError, BundleError, TrackingUnreachable: see :func:`~seq2seq_core.serving.loading.find_pinned_model`.
    """
    outside = {stage: find_stage(stage).load_outside_inputs() for stage in STAGES}
    return {stage: dict(own(settings, paths)) for stage, own in outside.items() if own is not None}
