"""Subword models: text to ids and back, without loss, by SentencePiece (Kudo and Richardson 2018)."""

from __future__ import annotations

import io
import logging
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from seq2seq_core.allocation import count_cores
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.errors import BundleError, UserError
from seq2seq_core.normal_form import is_blank
from seq2seq_core.tokenization.escaping import ESCAPE, escape, escape_all, unescape
from seq2seq_core.tokenization.flat_rows import FlatRows
from seq2seq_core.tokenization.sampled_texts import sample_texts
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID, NUM_SPECIAL, PAD_ID, UNK_ID

logger = logging.getLogger(__name__)

SPACE = "\u2581"
UNKNOWN_TEXT = "\u2047"
"""Text of an unknown id after decoding: ⁇."""
TAG = f"{ESCAPE}tag:"
"""Prefix of a tag's piece; column, ``=`` and value follow."""
_FOREIGN = "a SentencePiece model, but not one that `s2s tokenize` made"
_MODEL_TYPES = {"unigram": "unigram", "bpe": "bpe", "char": "char", "symbols": "word"}
_LONGEST_TEXT_BYTES = 1 << 30
"""Maximum that SentencePiece accepts here; it skips longer texts."""
_DECOMPOSED = "+nfd"
"""Suffix of the padding piece's name, in a model that reads decomposed characters."""
_TRAINING_THREADS = 4
"""Fixed, because sums of floating-point numbers, and so the model, depend on it."""


class SubwordModel:
    """Text to ids and back.

    Decoding restores every text without unknown characters exactly, runs of spaces included. There are two exceptions: ``symbols``
    restores single spaces, and a model of decomposed characters returns NFC.

    Args:
        proto: a SentencePiece model that :func:`train_subword` made.

    Raises:
        ValueError: the bytes are no such model.

    Attributes:
        proto: the model's bytes, without path or time stamp.
        kind: ``unigram``, ``bpe``, ``char`` or ``symbols``.
        decomposes: whether it reads the NFD of a text (``tokenize.*.decompose``).
        vocabulary_size: number of ids, special ones included.
        tags: the id of each tag, by column and value, in the order of the ids, which follow the special ones.
        tag_ids: the ids of all tags.
        byte_ids: the ids that stand for a byte each, which follow the tags; empty: there are none.
    """

    def __init__(self, proto: bytes) -> None:
        self.proto = proto
        self._processor = _open_processor(proto)
        self.vocabulary_size = int(self._processor.vocab_size())
        # The name of the padding piece stores the kind, so that the file describes itself.
        name = self._processor.id_to_piece(PAD_ID).removeprefix(f"{ESCAPE}pad:")
        self.kind, self.decomposes = name.removesuffix(_DECOMPOSED), name.endswith(_DECOMPOSED)
        if self.kind not in _MODEL_TYPES:
            raise ValueError(_FOREIGN)
        self.tags = dict(self._find_tags())
        self.tag_ids = range(NUM_SPECIAL, NUM_SPECIAL + len(self.tags))
        first = self.tag_ids.stop
        self.byte_ids = range(first, first + 256 * (first < self.vocabulary_size and self._processor.is_byte(first)))
        self._shown = {UNK_ID: UNKNOWN_TEXT, PAD_ID: "", BOS_ID: "", EOS_ID: ""}
        self._shown |= {id_: f"<{value}>" for (_, value), id_ in self.tags.items()}
        self._symbol_ids: dict[str, int] = {}
        if self.kind == "symbols":
            # Looked up here, because SentencePiece merges a run of unknown symbols into one.
            self._symbol_ids = {piece: id_ for id_, piece in enumerate(self.stored_pieces()) if id_ >= self.tag_ids.stop}

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, without special ones.

        Args:
            texts: any texts; an empty one has no ids.
        """
        if self.kind == "symbols":
            return [[self._symbol_ids.get(SPACE + symbol, UNK_ID) for symbol in self._read(text).split()] for text in texts]
        ids: list[list[int]] = self._processor.encode(self._read_all(texts))
        return ids

    def encode_rows(self, texts: Sequence[str]) -> FlatRows:
        """The ids of each text with eos, by all cores; they do not depend on the number of cores.

        Args:
            texts: any texts, at least one.
        """
        if self.kind == "symbols":
            return FlatRows.of_ids([[*ids, EOS_ID] for ids in self.encode(texts)])
        return FlatRows.of_ids(self._processor.encode(self._read_all(texts), add_eos=True, num_threads=count_cores()))

    def sample(self, text: str, alpha: float, nbest: int, seed: int) -> list[int]:
        """The ids of one segmentation of a text, drawn at random, without special ids.

        ``unigram`` draws in proportion to probability ** alpha (Kudo 2018, section 3.2). ``bpe`` skips each merge with probability
        alpha (Provilkov 2020). The other kinds have only one segmentation.

        Args:
            text: any text.
            alpha: see above.
            nbest: ``unigram``: the number of likeliest segmentations to draw from, at least 2; -1: all.
            seed: equal arguments give equal segmentations.
        """
        if self.kind not in ("unigram", "bpe"):
            return self.encode([text])[0]
        sentencepiece.set_random_generator_seed(seed % 2**32)  # takes effect on calls with a single text only
        ids: list[int] = self._processor.encode(self._read(text), enable_sampling=True, alpha=alpha, nbest_size=nbest)
        return ids

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """The text of each sequence of ids, without special ids and tags; the unknown id becomes ⁇.

        Args:
            ids: ids below ``vocabulary_size``.
        """
        if self.kind == "symbols":
            texts = [[id_ for id_ in map(int, row) if id_ not in self.tag_ids] for row in ids]
            return [self._compose(" ".join(piece for piece in self.pieces(row) if piece)) for row in texts]
        decoded: list[str] = self._processor.decode([list(row) for row in ids]) if ids else []
        return [self._compose(unescape(text)) for text in decoded]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The readable piece of each id: a leading space is ▁ (left out for ``symbols``), the unknown id is ⁇.

        Args:
            ids: ids below ``vocabulary_size``; pad, bos and eos give an empty text, a tag its value in angle brackets.
        """
        shown, skipped = self._shown, 1 if self.kind == "symbols" else 0
        return [shown[id_] if id_ in shown else unescape(self._processor.id_to_piece(id_)[skipped:]) for id_ in map(int, ids)]

    def starts_word_V(self) -> NDArray[np.bool_]:
        """Whether each id begins a word: a piece after a space; for ``char`` and ``symbols`` every id."""
        if self.kind in ("char", "symbols"):
            return np.ones(self.vocabulary_size, dtype=np.bool_)
        return np.array([piece.startswith(SPACE) for piece in self.stored_pieces()], dtype=np.bool_)

    def save(self, path: Path) -> None:
        """Writes the model's bytes.

        Args:
            path: the file, ``*.model``.
        """
        path.write_bytes(self.proto)

    @classmethod
    def load(cls, path: Path) -> SubwordModel:
        """The model in a file.

        Args:
            path: a file that :meth:`save` wrote.

        Raises:
            BundleError: the file is missing or holds something else.
        """
        try:
            return cls(path.read_bytes())
        except FileNotFoundError:
            raise BundleError(f"{path}: no such file; expected a subword model that `s2s tokenize` made") from None
        except ValueError as error:
            raise BundleError(f"{path}: {error}; expected a subword model that `s2s tokenize` made") from None

    def _read(self, text: str) -> str:
        """The text as SentencePiece reads it."""
        return _as_read(text, self.decomposes)

    def _read_all(self, texts: Sequence[str]) -> list[str]:
        """The texts as SentencePiece reads them."""
        return escape_all([unicodedata.normalize("NFD", text) for text in texts] if self.decomposes else texts)

    def _compose(self, text: str) -> str:
        """The decoded text as callers get it."""
        return unicodedata.normalize("NFC", text) if self.decomposes else text

    def _find_tags(self) -> Iterator[tuple[tuple[str, str], int]]:
        """The column and value of each tag, and its id."""
        for id_ in range(NUM_SPECIAL, self.vocabulary_size):
            piece = str(self._processor.id_to_piece(id_))
            if not (self._processor.is_control(id_) and piece.startswith(TAG)):
                return
            column, _, value = unescape(piece.removeprefix(TAG)).partition("=")
            yield (column, value), id_

    def stored_pieces(self) -> list[str]:
        """The raw piece of each id; ids with equal pieces mean the same in two models."""
        return [str(self._processor.id_to_piece(id_)) for id_ in range(self.vocabulary_size)]

    def bytes_of_ids(self) -> dict[int, bytes]:
        """The byte of each id that stands for one."""
        return {id_: bytes([int(self._processor.id_to_piece(id_)[3:5], 16)]) for id_ in self.byte_ids}


def _open_processor(proto: bytes) -> Any:
    """SentencePiece's processor of a model, whose special ids are ours and whose pieces are all texts."""
    if not proto:  # SentencePiece takes it for a model that comes later
        raise ValueError("empty")
    try:
        processor = sentencepiece.SentencePieceProcessor(model_proto=proto)
    except RuntimeError as error:
        raise ValueError(f"not a SentencePiece model ({error})") from None
    special_ids = (processor.pad_id(), processor.unk_id(), processor.bos_id(), processor.eos_id())
    if special_ids != (PAD_ID, UNK_ID, BOS_ID, EOS_ID):
        raise ValueError(_FOREIGN)
    try:
        for id_ in range(processor.vocab_size()):
            processor.id_to_piece(id_)
        processor.decode([UNK_ID])
    except UnicodeDecodeError:
        raise ValueError("a SentencePiece model with a piece that is no text") from None
    return processor


def train_subword(
    texts: Iterable[str], settings: SubwordSettings, name: str = "tokenize", tags: Sequence[tuple[str, str]] = ()
) -> SubwordModel:
    """A subword model of the texts; equal texts and settings give equal bytes on every machine with this SentencePiece version.

    Args:
        texts: the texts of train; read once.
        settings: the kind of model and its size; the size is lowered, with a warning, if the texts cannot fill it.
        name: the section of ``settings``, for messages.
        tags: column and value of each tag; their symbols are added to the size in the settings.

    Raises:
        UserError: there is no text, or the vocabulary is too small for the required characters.
    """
    sample = sample_texts((text for text in texts if not is_blank(text)), settings.training_texts)
    if not sample:
        raise UserError(f"{name}: train has no text to make a vocabulary from, expected at least one that is not empty")
    texts_read = (_as_read(text, settings.decompose) for text in sample)
    sentences = [" ".join(text.split()) if settings.model == "symbols" else text for text in texts_read]
    proto = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences), model_writer=proto, **_trainer_options(settings, tags)
        )
    except RuntimeError as error:
        raise UserError(_explain(str(error), settings, name, len(tags))) from None
    model = SubwordModel(proto.getvalue())
    size = model.vocabulary_size - len(tags)
    if size < settings.vocabulary_size and settings.model in ("unigram", "bpe"):
        logger.warning(
            "%s.vocabulary_size: the corpus cannot fill %d entries; lowered to %d",
            name, settings.vocabulary_size, size,
        )  # fmt: skip
    return model


def _as_read(text: str, decomposes: bool) -> str:
    """The text escaped for SentencePiece, and decomposed if requested."""
    return escape(unicodedata.normalize("NFD", text) if decomposes else text)


def _trainer_options(settings: SubwordSettings, tags: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """SentencePiece's options: nothing normalised, nothing skipped, special pieces that no escaped text can spell."""
    return {
        **({"control_symbols": [TAG + escape(f"{column}={value}") for column, value in tags]} if tags else {}),
        "model_type": _MODEL_TYPES[settings.model],
        "vocab_size": settings.vocabulary_size + len(tags),
        "hard_vocab_limit": False,
        "character_coverage": settings.character_coverage,
        "byte_fallback": settings.byte_fallback,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        # A space in front makes the first word equal to the same word elsewhere; single characters do not need it.
        "add_dummy_prefix": settings.model != "char",
        "max_sentence_length": _LONGEST_TEXT_BYTES,
        "num_threads": _TRAINING_THREADS,
        "pad_id": PAD_ID, "unk_id": UNK_ID, "bos_id": BOS_ID, "eos_id": EOS_ID,
        "pad_piece": f"{ESCAPE}pad:{settings.model}{_DECOMPOSED if settings.decompose else ''}", "unk_piece": f"{ESCAPE}unk",
        "bos_piece": f"{ESCAPE}bos", "eos_piece": f"{ESCAPE}eos",
        "unk_surface": UNKNOWN_TEXT,
        "minloglevel": 2,
    }  # fmt: skip


def _explain(message: str, settings: SubwordSettings, name: str, num_tags: int) -> str:
    """SentencePiece's error in terms of the settings."""
    if found := re.search(r"Vocabulary size is smaller than required_chars\. \d+ vs (\d+)", message):
        bytes_note = ", 256 bytes" if settings.byte_fallback else ""
        needed = int(found[1]) - num_tags
        return (
            f"{name}.vocabulary_size: must be at least {needed} to hold each character of train{bytes_note} and {NUM_SPECIAL} "
            f"special entries, got {settings.vocabulary_size}; a {name}.character_coverage below {settings.character_coverage:g} "
            "needs fewer"
        )
    return f"{name}: SentencePiece cannot make a {settings.model} model of train: {message}"
