"""The models that variants read: those that the settings of the workspace name, found from the workspace itself."""

from __future__ import annotations

from typing import TypeVar

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.section import Section
from seq2seq_core.config.settings import Settings
from seq2seq_core.serving.loading import find_pinned_model
from seq2seq_core.stage_table import find_stage

Kind = TypeVar("Kind", bound=Section)
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


def with_model_folders(settings: Settings, paths: Paths) -> Settings:
    """The same settings with the folder of each model in place of its name, which means the same from every folder.

    Args:
        settings: of a variant.
        paths: the workspace: its registry, and the root of relative folders.

    Raises:
        UserError, BundleError, TrackingUnreachable: see :func:`~seq2seq_core.serving.loading.find_pinned_model`.
    """
    prepare, tokenize = settings.prepare, settings.tokenize
    if prepare.score_filter is not None:
        scored = _with_folders(prepare.score_filter, ("forward", "backward"), "prepare.score_filter", paths)
        prepare = prepare.model_copy(update={"score_filter": scored})
    if tokenize.vocabulary:
        tokenize = _with_folders(tokenize, ("vocabulary",), "tokenize", paths)
    return settings.model_copy(update={"prepare": prepare, "tokenize": tokenize})


def _with_folders(section: Kind, names: tuple[str, ...], place: str, paths: Paths) -> Kind:
    folders = dict[str, str]()
    for name in names:
        found, _ = find_pinned_model(getattr(section, name), getattr(section, f"{name}_digest"), f"{place}.{name}", paths)
        folders[name] = str(found.folder.resolve())
    return section.model_copy(update=folders)
