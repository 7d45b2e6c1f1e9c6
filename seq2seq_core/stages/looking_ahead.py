"""What a later stage would refuse although the settings alone tell it: told before the work, not after a training."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.config_file import MAX_VOCABULARY, BundleConfig
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import TrackingUnreachable, UserError

logger = logging.getLogger(__name__)

SECTIONS_WITH_MODELS = ("prepare", "tokenize", "train", "evaluate")
"""Sections whose settings may name a model."""


def look_ahead(settings: Settings, paths: Paths, sections: Sequence[str] = SECTIONS_WITH_MODELS) -> None:
    """Refuses an engine that cannot hold the model, and names of models that are not there.

    A registry that does not answer is no fault yet: it may answer when it is needed.

    Args:
        settings: all.
        paths: the workspace; models are looked for from it, downloads go to ``.s2s/bundles``.
        sections: whose models are looked for.

    Raises:
        UserError, BundleError: a later stage would stop with it.
    """
    check_engine(settings)
    from seq2seq_core.serving.found_models import with_model_folders

    try:
        with_model_folders(settings, sections, paths)
    except TrackingUnreachable as error:
        logger.warning("the models that the settings name were not looked for: %s", error)


def check_engine(settings: Settings) -> None:
    """Refuses ``evaluate.engine: ctranslate2`` where it cannot hold the model.

    Args:
        settings: sections ``evaluate``, ``model``, ``corpus`` and ``train``.

    Raises:
        UserError: it cannot; names the part.
    """
    if settings.evaluate.engine != "ctranslate2":
        return
    from seq2seq_core.decoding.engines.ctranslate2_limits import why_not_decode, why_not_hold

    config = BundleConfig(
        model=settings.model,
        source_vocabulary_size=MAX_VOCABULARY,
        target_vocabulary_size=MAX_VOCABULARY,
        joint=settings.tokenize.joint,
        frame_width=0 if settings.corpus.source_kind == "text" else 1,
        members=max(1, settings.train.ensemble.members),
    )
    if reason := why_not_hold(config) or why_not_decode(settings.evaluate.decoding, MAX_VOCABULARY):
        raise UserError(f"evaluate.engine: must be auto or torch here, got ctranslate2, which cannot do it: {reason}")
