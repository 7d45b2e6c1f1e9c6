"""What a later stage would refuse although the settings alone tell it: told before the work, not after a training."""

from __future__ import annotations

from collections.abc import Iterator

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.config_file import MAX_VOCABULARY, BundleConfig
from seq2seq_core.config.named.named_models import NamedModel, with_references
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import Seq2SeqError, UserError
from seq2seq_core.stages.evaluating.named_vocoder import find_vocoder

SECTIONS_WITH_MODELS = ("prepare", "tokenize", "train", "evaluate")
"""Sections whose settings may name a model."""


def missing_models(settings: Settings, paths: Paths) -> Iterator[str]:
    """Why each model that the settings name cannot be found now, a line each; a registry may still be made, or answer later.

    Args:
        settings: all.
        paths: the workspace; models are looked for from it, downloads go to ``.s2s/bundles``.
    """
    named = list[NamedModel]()

    def note(model: NamedModel) -> str:
        named.append(model)
        return model.reference

    for section in SECTIONS_WITH_MODELS:
        with_references(settings.section_named(section), section, note)
    if not named:
        return
    from seq2seq_core.serving.found_models import folder_of

    for model in named:
        try:
            folder_of(model, settings, paths)
        except Seq2SeqError as error:
            text = str(error)
            yield text if model.setting in text else f"{model.setting}: {text}"


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


def check_vocoder(settings: Settings, paths: Paths) -> None:
    """Refuses a network whose files cannot be used, or that reads other frames than ``tokenize`` makes.

    Args:
        settings: ``evaluate.speech``, ``corpus.sample_rate`` and ``tokenize.speech``.
        paths: the workspace, at whose root a relative path starts.

    Raises:
        UserError: a file is missing or of another form, the digest is another one, or settings do not fit; names those that would.
    """
    if settings.tokenize.speech is not None:
        find_vocoder(settings, settings.tokenize.speech, settings.corpus.sample_rate, paths)
