"""Subword models: text to ids and back, without loss, by SentencePiece (Kudo and Richardson 2018)."""

from __future__ import annotations

import io
import logging
import random
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.errors import BundleError, UserError
from seq2seq_core.tokenization.escaping import ESCAPE, escape, unescape
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID, NUM_SPECIAL, PAD_ID, UNK_ID

logger = logging.getLogger(__name__)

SPACE = "\u2581"
UNKNOWN_TEXT = "\u2047"
"""What an unknown id becomes in a decoded text: ⁇."""
TAG = f"{ESCAPE}tag:"
"""What the piece of a tag begins with; its column, ``=`` and its value follow."""
_MODEL_TYPES = {"unigram": "unigram", "bpe": "bpe", "char": "char", "symbols": "word"}
_LONGEST_TEXT_BYTES = 1 << 30
"""SentencePiece skips longer texts; this is the most that it accepts here."""
_DECOMPOSED = "+nfd"
"""Ends the name of the padding piece of a model that reads decomposed characters."""
_TRAINING_THREADS = 4
"""Fixed, because sums of floating-point numbers, and so the model, depend on it."""


class SubwordModel:
    """Text to ids and back.

    Every text without unknown characters comes back exactly as it was, runs of spaces included. Only ``symbols`` reads white space
    as nothing but a separator and gives single spaces back, and a model of decomposed characters gives back NFC.

    Args:
        proto: a SentencePiece model that :func:`train_subword` made.

    Raises:
        ValueError: the bytes are no such model.

    Attributes:
        proto: the model's bytes, which hold no path and no time.
        kind: ``unigram``, ``bpe``, ``char`` or ``symbols``.
        decomposes: whether it reads the NFD of a text (``tokenize.*.decompose``).
        vocabulary_size: number of ids, special ones included.
        tags: the id of each tag, by column and value, in the order of the ids, which follow the special ones.
        tag_ids: the ids of all tags.
    """

    def __init__(self, proto: bytes) -> None:
        self.proto = proto
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=proto)
        except RuntimeError as error:
            raise ValueError(f"not a SentencePiece model ({error})") from None
        self.vocabulary_size = int(self._processor.vocab_size())
        # The kind is kept in the name of the padding piece, so that the file alone says how it is to be read.
        name = self._processor.id_to_piece(PAD_ID).removeprefix(f"{ESCAPE}pad:")
        self.kind, self.decomposes = name.removesuffix(_DECOMPOSED), name.endswith(_DECOMPOSED)
        if self.kind not in _MODEL_TYPES:
            raise ValueError("a SentencePiece model, but not one that `s2s tokenize` made")
        self.tags = dict(self._find_tags())
        self.tag_ids = range(NUM_SPECIAL, NUM_SPECIAL + len(self.tags))
        self._shown = {UNK_ID: UNKNOWN_TEXT, PAD_ID: "", BOS_ID: "", EOS_ID: ""}
        self._shown |= {id_: f"<{value}>" for (_, value), id_ in self.tags.items()}
        self._symbol_ids: dict[str, int] = {}
        if self.kind == "symbols":
            # Looked up here, because SentencePiece makes one unknown of a run of several.
            self._symbol_ids = {piece: id_ for id_, piece in enumerate(self.stored_pieces()) if id_ >= self.tag_ids.stop}

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, without special ones.

        Args:
            texts: any texts; an empty one has no ids.
        """
        if self.kind == "symbols":
            return [[self._symbol_ids.get(SPACE + symbol, UNK_ID) for symbol in self._read(text).split()] for text in texts]
        ids: list[list[int]] = self._processor.encode([self._read(text) for text in texts])
        return ids

    def sample(self, text: str, alpha: float, nbest: int, seed: int) -> list[int]:
        """The ids of one segmentation of a text, drawn from the possible ones; without special ids.

        ``unigram`` draws with chances in proportion to the probability to the power of alpha (Kudo 2018, section 3.2), ``bpe``
        leaves out each merge with the probability alpha (Provilkov 2020). The other kinds have one segmentation alone.

        Args:
            text: any text.
            alpha: see above.
            nbest: ``unigram``: how many of the likeliest segmentations are drawn from, at least 2; -1: all.
            seed: with the rest, all that the choice depends on.
        """
        if self.kind not in ("unigram", "bpe"):
            return self.encode([text])[0]
        sentencepiece.set_random_generator_seed(seed % 2**32)  # takes effect on calls with a single text only
        ids: list[int] = self._processor.encode(self._read(text), enable_sampling=True, alpha=alpha, nbest_size=nbest)
        return ids

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """The text of each sequence of ids; special ids and tags vanish, but for the unknown one, which becomes ⁇.

        Args:
            ids: ids below ``vocabulary_size``.
        """
        if self.kind == "symbols":
            texts = [[id_ for id_ in map(int, row) if id_ not in self.tag_ids] for row in ids]
            return [self._compose(" ".join(piece for piece in self.pieces(row) if piece)) for row in texts]
        decoded: list[str] = self._processor.decode([list(row) for row in ids]) if ids else []
        return [self._compose(unescape(text)) for text in decoded]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The piece of each id as a person may see it: a leading space is ▁ (left out for ``symbols``), the unknown id is ⁇.

        Args:
            ids: ids below ``vocabulary_size``; pad, bos and eos give an empty text, a tag its value in angle brackets.
        """
        shown, skipped = self._shown, 1 if self.kind == "symbols" else 0
        return [shown[id_] if id_ in shown else unescape(self._processor.id_to_piece(id_)[skipped:]) for id_ in map(int, ids)]

    def starts_word_V(self) -> NDArray[np.bool_]:
        """For each id whether a word begins with it: a piece after a space; each one, for ``char`` and ``symbols``."""
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
        """A text as SentencePiece is given it."""
        return _as_read(text, self.decomposes)

    def _compose(self, text: str) -> str:
        """A decoded text as a person is given it."""
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
        """The piece of each id as the model holds it: two models mean the same by ids whose pieces are equal."""
        return [str(self._processor.id_to_piece(id_)) for id_ in range(self.vocabulary_size)]


def train_subword(
    texts: Iterable[str], settings: SubwordSettings, name: str = "tokenize", tags: Sequence[tuple[str, str]] = ()
) -> SubwordModel:
    """A subword model of the texts: the same bytes for the same texts and settings, on every machine with this SentencePiece.

    Args:
        texts: the texts of train; read once.
        settings: the kind of model and its size, which is lowered, with a warning, where the texts cannot fill it.
        name: the section of ``settings``, for messages.
        tags: column and value of each tag; their symbols come on top of the size that the settings give.

    Raises:
        UserError: there is no text, or the vocabulary cannot hold the characters that it must.
    """
    sample = sample_texts((text for text in texts if text.strip()), settings.training_texts)
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
    """A text, decomposed where that is asked for, in characters that SentencePiece keeps."""
    return escape(unicodedata.normalize("NFD", text) if decomposes else text)


def sample_texts(texts: Iterable[str], limit: int) -> list[str]:
    """At most ``limit`` of the texts, each with the same chance, in their order and always the same ones.

    Args:
        texts: read once (algorithm R, Vitter 1985).
        limit: most texts; 0: all.
    """
    if limit == 0:
        return list(texts)
    chance = random.Random(0)
    kept: list[tuple[int, str]] = []
    for index, text in enumerate(texts):
        if index < limit:
            kept.append((index, text))
        elif (place := chance.randrange(index + 1)) < limit:
            kept[place] = (index, text)
    return [text for _, text in sorted(kept)]


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
        # The space put in front makes a word at the start the same as one in the middle; single characters have no use for it.
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
    """SentencePiece's refusal in the words of the settings."""
    if found := re.search(r"Vocabulary size is smaller than required_chars\. \d+ vs (\d+)", message):
        bytes_note = ", 256 bytes" if settings.byte_fallback else ""
        needed = int(found[1]) - num_tags
        return (
            f"{name}.vocabulary_size: must be at least {needed} to hold each character of train{bytes_note} and {NUM_SPECIAL} "
            f"special entries, got {settings.vocabulary_size}; a {name}.character_coverage below {settings.character_coverage:g} "
            "needs fewer"
        )
    return f"{name}: SentencePiece cannot make a {settings.model} model of train: {message}"
