"""Settings that must agree where the sources are files: recordings or pictures."""

from __future__ import annotations

from collections.abc import Iterator

from seq2seq_core.config.corpus import CorpusSection, SourceKind
from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.prepare import CLEANING_RULES, PrepareSection
from seq2seq_core.config.tokenize import TokenizeSection
from seq2seq_core.config.train import TrainSection
from seq2seq_core.named_modules import load

FRAME_SETTINGS: dict[str, SourceKind] = {"audio": "audio", "image": "image"}
"""By name of a setting of ``tokenize``: the kind of source whose frames it describes."""


def source_faults(corpus: CorpusSection, prepare: PrepareSection, tokenize: TokenizeSection) -> Iterator[str]:
    """Settings that do not go with the kind of the sources, a line each.

    Args:
        corpus: gives the kind.
        prepare: rules that may compare texts.
        tokenize: how frames are made.
    """
    kind = corpus.source_kind
    for name, own in FRAME_SETTINGS.items():
        if kind != own and getattr(tokenize, name) is not None:
            yield f"tokenize.{name}: must be left out unless corpus.source_kind is {own!r}, got settings"
        if kind == own and getattr(tokenize, name) is None:
            yield f"tokenize.{name}: must be given where corpus.source_kind is {own!r} ({{}} takes every default), got nothing"
    if kind != "image" and corpus.pictures is not None:
        yield "corpus.pictures: must be left out unless corpus.source_kind is 'image', got settings"
    if kind == "text":
        return
    yield from _edge_faults(corpus, tokenize)
    if (image := tokenize.image) is not None and image.layout == "patches":
        rows, columns = image.grid
        if rows * columns > tokenize.max_source_tokens:
            yield (
                f"tokenize.max_source_tokens: must be at least {rows * columns}, the patches of a picture (tokenize.image), got "
                f"{tokenize.max_source_tokens}"
            )
    for name in prepare.rules_in_use():
        if load(CLEANING_RULES, name).RULE.compares_sides:
            got = getattr(prepare, name)
            neutral = "false" if got is True else "left out" if isinstance(got, dict) else "0"
            yield f"prepare.{name}: must be {neutral} where corpus.source_kind is {kind!r}, got {str(got).lower()}"


def _edge_faults(corpus: CorpusSection, tokenize: TokenizeSection) -> Iterator[str]:
    """Edges of mel bands that no recording of the rate has."""
    audio, rate = tokenize.audio, corpus.sample_rate
    if audio is not None and (audio.high_hz > rate / 2 or audio.low_hz >= rate / 2):
        name, bound = ("high_hz", "at most") if audio.high_hz > rate / 2 else ("low_hz", "below")
        yield f"tokenize.audio.{name}: must be {bound} half of corpus.sample_rate {rate}, got {getattr(audio, name):g}"


def model_faults(corpus: CorpusSection, tokenize: TokenizeSection, model: ModelSection) -> Iterator[str]:
    """Settings of the model that do not go with the kind of the sources, a line each.

    Args:
        corpus: gives the kind.
        tokenize: how frames are made.
        model: its front end and grid.
    """
    audio, image = tokenize.audio, tokenize.image
    if model.front_end is not None:
        if corpus.source_kind == "text":
            yield "model.front_end: must be left out unless corpus.source_kind is 'audio' or 'image', got settings"
        if audio is not None and audio.stack_frames != audio.frame_stride:
            yield (
                "tokenize.audio.frame_stride: must be stack_frames with model.front_end, whose picture has each frame once, got "
                f"{audio.frame_stride} with {audio.stack_frames}"
            )
    if model.grid_positions != "none" and (image is None or image.layout != "patches"):
        yield f"model.grid_positions: must be 'none' unless tokenize.image.layout is 'patches', got {model.grid_positions!r}"


def ctc_faults(model: ModelSection, train: TrainSection, evaluate: EvaluateSection) -> Iterator[str]:
    """A search that reads symbols of the encoder's own where it has none, a line each.

    Args:
        model: whether it has them.
        train: how many models decode together.
        evaluate: the search.
    """
    if evaluate.ctc_weight and (not model.ctc or train.ensemble.members or train.ensemble.num_snapshots):
        yield f"evaluate.ctc_weight: must be 0 unless model.ctc is true, without ensembles, got {evaluate.ctc_weight:g}"


def augment_faults(corpus: CorpusSection, train: TrainSection) -> Iterator[str]:
    """Changes of frames in training that do not go with the kind of the sources, a line each.

    Args:
        corpus: gives the kind.
        train: its phases.
    """
    sections = {"train": train} | {f"train.phases.{number}": phase for number, phase in enumerate(train.phases)}
    for name, section in sections.items():
        if section.spec_augment.is_on and corpus.source_kind == "text":
            yield f"{name}.spec_augment: must have no masks unless corpus.source_kind is 'audio' or 'image', got some"
        if section.picture_augment.is_on and corpus.source_kind != "image":
            yield f"{name}.picture_augment: must change nothing unless corpus.source_kind is 'image', got some"
