"""Settings that do not fit targets that are recordings, and settings of such targets where there are none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from seq2seq_core.config.metric_names import DISTORTION
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.config.train import Phase

if TYPE_CHECKING:
    from seq2seq_core.config.settings import Settings

WORD_ERRORS = ("wer", "cer", "exact_match")
"""The metrics of words that are read back."""


def why_not_speech(settings: Settings) -> str:
    """The first setting that does not fit the kind of the targets; empty: all do.

    Args:
        settings: all sections.
    """
    check = _faults_of_speech if settings.corpus.target_kind == "audio" else _faults_of_text
    return next(check(settings), "")


def _faults_of_text(settings: Settings) -> Iterator[str]:
    given = {"tokenize.speech": settings.tokenize.speech, "model.frames": settings.model.frames}
    for name, value in given.items():
        if value is not None:
            yield f"{name}: must be left out unless corpus.target_kind is 'audio', got settings"
    for name, phase in _phases(settings):
        if phase.objective == "frames":
            yield f"{name}.objective: must be another than 'frames' unless corpus.target_kind is 'audio', got it"
        if DISTORTION in (phase.dev_metric, phase.reinforcement.reward):
            yield f"{name}: must not use {DISTORTION!r}, which is of recordings, as a dev metric or a reward, got it"
    if settings.evaluate.speech.read_back:
        yield "evaluate.speech.read_back: must be empty unless corpus.target_kind is 'audio', got a recogniser"
    if settings.evaluate.speech.vocoder.path:
        yield "evaluate.speech.vocoder: must be left out unless corpus.target_kind is 'audio', got a network"
    if DISTORTION in settings.evaluate.metrics:
        yield f"evaluate.metrics: must not contain {DISTORTION!r} unless corpus.target_kind is 'audio', got it"


def _faults_of_speech(settings: Settings) -> Iterator[str]:
    tokenize, model = settings.tokenize, settings.model
    for name, value in {"tokenize.speech": tokenize.speech, "model.frames": model.frames}.items():
        if value is None:
            yield f"{name}: must be given where corpus.target_kind is 'audio' ({{}} takes every default), got nothing"
    if tokenize.speech is not None and max(tokenize.speech.high_hz, tokenize.speech.low_hz) > settings.corpus.sample_rate / 2:
        yield f"tokenize.speech: must have bands up to half of corpus.sample_rate {settings.corpus.sample_rate} at most"
    if model.decoder_architecture != "transformer" and model.attention == "none":
        yield "model.attention: must be one where corpus.target_kind is 'audio', or nothing says which word is next; got 'none'"
    for name, value, neutral in _must_be_neutral(settings):
        if value != neutral:
            yield f"{name}: must be {_shown(neutral)} where corpus.target_kind is 'audio', got {_shown(value)}"
    for name, phase in _phases(settings):
        if phase.objective != "frames":
            yield (
                f"{name}.objective: must be 'frames' where corpus.target_kind is 'audio' (train.phases: [{{objective: frames}}]), "
                f"got {phase.objective!r}"
            )
    yield from _faults_of_metrics(settings)


def _must_be_neutral(settings: Settings) -> Iterator[tuple[str, Any, Any]]:
    """The settings that make no sense for recordings: name, value, and the value that is neutral."""
    corpus, tokenize, prepare, model = settings.corpus, settings.tokenize, settings.prepare, settings.model
    yield "corpus.source_kind", corpus.source_kind, "text"
    yield "corpus.both_directions", corpus.both_directions, False
    yield "corpus.conversations", corpus.conversations, None
    yield "corpus.monolingual", corpus.monolingual, []
    yield "prepare.distill", prepare.distill, None
    yield "prepare.score_filter", prepare.score_filter, None
    yield "prepare.augment", prepare.augment.kinds(), {}
    yield "runtime.dask_address", settings.runtime.dask_address, ""
    yield "tokenize.joint", tokenize.joint, False
    yield "tokenize.target", tokenize.target, SubwordSettings()
    yield "tokenize.target_tags", tokenize.target_tags, []
    yield "tokenize.vocabulary", tokenize.vocabulary, ""
    yield "tokenize.long_source", tokenize.long_source, "drop"
    yield "model.pointer_generator", model.pointer_generator, False
    yield "model.alignment", model.alignment, "soft"
    yield "model.ctc", model.ctc, False
    for name, phase in _phases(settings):
        yield f"{name}.dev_metric", phase.dev_metric, "loss"
        yield f"{name}.r_drop_weight", phase.r_drop_weight, 0.0
        yield f"{name}.coverage_weight", phase.coverage_weight, 0.0
        yield f"{name}.subword_sampling.sides", phase.subword_sampling.sides, "none"
    yield "train.initial_weights", settings.train.initial_weights, ""
    yield "train.ensemble.members", settings.train.ensemble.members, 0
    yield "evaluate.beam_size", settings.evaluate.beam_size, 1
    yield "evaluate.lexicon", settings.evaluate.lexicon, False
    yield "evaluate.compute_type", settings.evaluate.compute_type, "float32"
    if settings.evaluate.engine == "ctranslate2":
        yield "evaluate.engine", settings.evaluate.engine, "torch"


def _faults_of_metrics(settings: Settings) -> Iterator[str]:
    found = settings.evaluate.metrics
    wanted = WORD_ERRORS if settings.evaluate.speech.read_back else (DISTORTION,)
    if others := [name for name in found if name not in wanted]:
        reader = "a recogniser" if settings.evaluate.speech.read_back else "no recogniser"
        yield (
            f"evaluate.metrics: must be of {', '.join(wanted)} where corpus.target_kind is 'audio' and evaluate.speech.read_back "
            f"names {reader}, got {others[0]!r}"
        )


def _phases(settings: Settings) -> Iterator[tuple[str, Phase]]:
    names = [f"train.phases.{number}" for number in range(len(settings.train.phases))] or ["train"]
    yield from zip(names, settings.train.all_phases(), strict=True)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "left out" if value is None or value in ([], {}, ()) or isinstance(value, SubwordSettings) else repr(value)
