"""Initial weights from another model of the same architecture; the two vocabularies may differ.

Each row of the embeddings and of the output projection belongs to a piece. Rows are matched by the texts of the pieces, tags
included; the four special ids correspond. A new piece keeps its random initial row. The mean of the known rows (Hewitt 2021,
"Initializing New Word Embeddings for Pretrained Language Models") would give every new piece the same row. On dates with three new
characters in the target, the model then took longer to tell these apart than with random rows.

Shapes: V entries of the new vocabulary, W of the other one, D width.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import torch
from torch import Tensor

from seq2seq_core.bundle.bundle import Bundle
from seq2seq_core.bundle.config_file import BundleConfig
from seq2seq_core.config.model import ModelSection
from seq2seq_core.errors import UserError
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.tokenization.special_tokens import NUM_SPECIAL
from seq2seq_core.tokenization.subword import SubwordModel

ROWS_OF_SOURCE = ("source_embedding.table.weight",)
ROWS_OF_TARGET = ("target_embedding.table.weight", "output.weight_VD", "output.bias")
"""Parameters with a row (or a number) for each entry of a vocabulary."""
NEW = -1
"""In place of an id: the other vocabulary lacks the piece."""

logger = logging.getLogger(__name__)


class VocabularyMatch:
    """The match between the rows of two vocabularies.

    Args:
        new: the vocabulary of the new model.
        old: the vocabulary of the other model.

    Attributes:
        old_ids_V: int64, for each new id the id of the same piece in the old vocabulary, or ``NEW``.
    """

    def __init__(self, new: SubwordModel, old: SubwordModel) -> None:
        old_ids = {piece: id_ for id_, piece in enumerate(old.stored_pieces()) if id_ >= NUM_SPECIAL}
        pieces = new.stored_pieces()[NUM_SPECIAL:]
        self.old_ids_V = torch.tensor([*range(NUM_SPECIAL), *(old_ids.get(piece, NEW) for piece in pieces)])
        self.old_size = old.vocabulary_size

    @property
    def num_known(self) -> int:
        """Entries of both vocabularies, special ones left out."""
        return int(self.old_ids_V.ne(NEW).sum()) - NUM_SPECIAL

    def describe(self) -> str:
        """How much the vocabularies have in common."""
        num_new = int(self.old_ids_V.eq(NEW).sum())
        num_gone = self.old_size - NUM_SPECIAL - self.num_known
        return f"{self.num_known} pieces keep their weights, {num_new} are new, {num_gone} are gone"

    def transfer(self, rows_WD: Tensor, fresh_VD: Tensor) -> Tensor:
        """The rows of the new vocabulary, rows_VD.

        Args:
            rows_WD: rows of the old one, or a number for each entry.
            fresh_VD: initial rows of the new one; new pieces keep them.
        """
        rows_VD, is_known_V = fresh_VD.clone(), self.old_ids_V.ne(NEW)
        rows_VD[is_known_V] = rows_WD[self.old_ids_V[is_known_V]]
        return rows_VD


@torch.no_grad()
def begin_from(
    model: Seq2Seq, config: BundleConfig, source: SubwordModel | None, target: SubwordModel, initial: Bundle, origin: str
) -> None:
    """Gives a fresh model the weights of another one.

    Args:
        model: with the architecture and the sizes of ``config``, on any device.
        config: configuration of ``model``.
        source: its source vocabulary; None where the sources are frames.
        target: its target vocabulary.
        initial: the other model.
        origin: name of the other model in messages.

    Raises:
        UserError: the architectures differ; lists every difference.
    """
    if faults := architecture_differences(config, initial.config):
        raise UserError(
            f"train.initial_weights: the model in {origin} is not the one that these settings describe:\n"
            + "\n".join(f"  {fault}" for fault in faults)
        )
    matches: dict[str, VocabularyMatch] = {}
    if source is not None and initial.source_tokenizer is not None:
        match = VocabularyMatch(source, initial.source_tokenizer)
        matches |= dict.fromkeys(ROWS_OF_SOURCE, match)
        logger.info("source vocabulary of %s: %s", origin, match.describe())
    match = VocabularyMatch(target, initial.target_tokenizer)
    matches |= dict.fromkeys(ROWS_OF_TARGET, match)
    logger.info("target vocabulary of %s: %s", origin, match.describe())
    found = initial.model.state_dict()
    for name, weights in model.state_dict().items():
        weights.copy_(matches[name].transfer(found[name], weights.cpu()) if name in matches else found[name])


def architecture_differences(wanted: BundleConfig, found: BundleConfig) -> list[str]:
    """The differences that prevent one model from taking the weights of another, a line each; vocabulary sizes may differ.

    Settings that only one of the two kinds of model has are not listed: the kinds themselves are.

    Args:
        wanted: the model that takes the weights.
        found: the model that has the weights.
    """
    if found.members > 1:
        return [f"it must be one model, got an ensemble of {found.members} models"]
    ours, theirs = architecture(wanted.model), architecture(found.model)
    faults = [
        f"model.{name}: must be {theirs[name]!r} as there, got {ours[name]!r}"
        for name in ours
        if name in theirs and ours[name] != theirs[name]
    ]
    if wanted.frame_width != found.frame_width:
        faults.append(
            f"sources: must be {_describe_sources(found.frame_width)} as there, got {_describe_sources(wanted.frame_width)}"
        )
    elif wanted.pictures != found.pictures:
        faults.append("tokenize.image: must be as there, or frames mean something else; got other settings")
    elif wanted.audio != found.audio:
        faults.append("tokenize.audio: must be as there, or frames mean something else; got other settings")
    return faults


def architecture(model: ModelSection) -> dict[str, object]:
    """The settings that fix what the weights of a model mean; without dropout and settings that do not affect this model."""
    names = ["width", "encoder_layers", "decoder_layers", "tie_embeddings", "time_scaling", "time_reduction", "pointer_generator"]
    names += ["front_end", "grid_positions", "ctc"]
    kinds = {"encoder": model.encoder_architecture, "decoder": model.decoder_architecture}
    has_transformer = "transformer" in kinds.values()
    if kinds["encoder"] != "transformer":
        names += ["bidirectional", "residual"]
    if kinds["decoder"] != "transformer":
        names += ["residual", "bridge", "input_feeding", "coverage", "alignment", "alignment_order", "alignment_copies"]
        names += ["attention"] if model.alignment == "soft" else []
    if has_transformer:
        names += ["feedforward_width", "norm", "positions", "share_layers"]
        names += ["tag_positions"] if kinds["encoder"] == "transformer" else []
        names += ["relative_distance"] if model.positions == "relative" else []
        names += ["max_positions"] if model.positions == "learned" else []
    if has_transformer or model.attention == "multi_head":
        names.append("heads")
    values: Mapping[str, object] = model.model_dump()
    return kinds | {name: values[name] for name in names}


def _describe_sources(frame_width: int) -> str:
    """The kind of sources that a model reads."""
    return f"frames of {frame_width} features" if frame_width else "ids"
