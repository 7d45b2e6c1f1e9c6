"""The text of each id of a subword model, and what of some phrases a sequence of ids has spelled."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.decoding.phrases.phrase_matcher import (
    MARK,
    OTHER,
    SPACE,
    WORD,
    Match,
    PhraseMatcher,
    class_behind,
    class_of,
    decompose,
)
from seq2seq_core.tokenization.escaping import ESCAPE, unescape
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from seq2seq_core.tokenization.subword import SPACE as SPACE_PIECE
from seq2seq_core.tokenization.subword import UNKNOWN_TEXT, SubwordModel

Ids = NDArray[np.int32]
INVALID = "\ufffd"
"""Text of a byte that is no part of a character."""


class Spelled(NamedTuple):
    """What a sequence of ids has spelled.

    Attributes:
        match: what of the phrases was read.
        is_escaped: whether the last character is an escape character, so that the next one stands for itself.
        data: the first bytes of a character that is spelled by bytes.
    """

    match: Match = Match()
    is_escaped: bool = False
    data: bytes = b""


NOTHING = Spelled()
"""What is spelled before the first id."""


class PieceTexts:
    """The texts of a subword model's ids.

    Args:
        tokenizer: the model.

    Attributes:
        size: number of ids.
        texts: of each id, with leading space; of an id of a byte, the byte; of special ids and tags, nothing.
    """

    def __init__(self, tokenizer: SubwordModel) -> None:
        self.size, silent = tokenizer.vocabulary_size, {PAD_ID, BOS_ID, EOS_ID, *tokenizer.tag_ids}
        bytes_of = tokenizer.bytes_of_ids()
        self.texts: list[str | bytes] = []
        unknown = " " * (tokenizer.kind == "symbols") + UNKNOWN_TEXT
        for id_, piece in enumerate(tokenizer.stored_pieces()):
            text = unknown if id_ == UNK_ID else piece.replace(SPACE_PIECE, " ")
            self.texts.append("" if id_ in silent else bytes_of.get(id_, text))
        self._index()

    def _index(self) -> None:
        """Sorts the ids by where a phrase can begin or end in their texts."""
        odd, silent, marked = [], [], []
        kinds: dict[int, list[int]] = {OTHER: [], WORD: [], SPACE: [], MARK: []}
        self.by_byte: dict[bytes, int] = {}
        self.by_first: dict[str, list[int]] = {}
        self.by_start: dict[str, list[int]] = {}
        for id_, text in enumerate(self.texts):
            if not text:
                silent.append(id_)
            elif isinstance(text, bytes):
                self.by_byte[text] = id_
            elif unescape(text) != text or ESCAPE in text:
                odd.append(id_)
            else:
                compared = decompose(text)
                if unicodedata.combining(compared[0]):
                    marked.append(id_)
                self.by_first.setdefault(compared[0], []).append(id_)
                kinds[class_of(compared[0])].append(id_)
                for start in set(_starts(compared)):
                    self.by_start.setdefault(start, []).append(id_)
        self.odd, self.silent, self.marked = odd, silent, marked
        self.by_kind: dict[int, Ids] = {kind: np.array(ids, dtype=np.int32) for kind, ids in kinds.items()}

    def read(self, matcher: PhraseMatcher, spelled: Spelled, id_: int) -> Spelled:
        """What is spelled after one more id.

        Args:
            matcher: of the phrases.
            spelled: before it.
            id_: the id.
        """
        text = self.texts[id_]
        if isinstance(text, bytes):
            return _read_byte(matcher, spelled, text)
        if not text:
            return spelled
        if spelled.data:
            spelled = _read_characters(matcher, spelled._replace(data=b""), INVALID * len(spelled.data))
        return _read_characters(matcher, spelled, text)

    def read_all(self, matcher: PhraseMatcher, ids: Sequence[int], spelled: Spelled = NOTHING) -> Spelled:
        """What is spelled after several ids."""
        for id_ in ids:
            spelled = self.read(matcher, spelled, id_)
        return spelled

    def end(self, matcher: PhraseMatcher, spelled: Spelled) -> frozenset[int]:
        """The phrases that occur if the ids end here."""
        match = spelled.match
        if spelled.data or spelled.is_escaped:
            match = matcher.read(match, (ESCAPE if spelled.is_escaped else "") + INVALID * len(spelled.data))
        return matcher.ended(match)


def _starts(text: str) -> Iterator[str]:
    """The characters of a text at which a phrase may begin."""
    before = OTHER
    for character in text:
        kind = class_of(character)
        if kind != WORD or before != WORD:
            yield character
        before = class_behind(before, kind)


def _read_characters(matcher: PhraseMatcher, spelled: Spelled, text: str) -> Spelled:
    """What is spelled after escaped text."""
    match, is_escaped = spelled.match, spelled.is_escaped
    if text.isascii() and not is_escaped:
        return Spelled(matcher.read(match, text), False, spelled.data)
    for character in text:
        if character == ESCAPE and not is_escaped:
            is_escaped = True
        else:
            match = matcher.step(match, character if is_escaped else unescape(character))
            is_escaped = False
    return Spelled(match, is_escaped, spelled.data)


def _read_byte(matcher: PhraseMatcher, spelled: Spelled, byte: bytes) -> Spelled:
    """What is spelled after one more byte."""
    data, spelled = spelled.data + byte, spelled._replace(data=b"")
    while data:
        try:
            return _read_characters(matcher, spelled, data.decode("utf-8"))
        except UnicodeDecodeError as error:
            if error.reason == "unexpected end of data" and error.start == 0:
                return spelled._replace(data=data)
            characters = data[: error.start].decode("utf-8") if error.start else INVALID
            spelled, data = _read_characters(matcher, spelled, characters), data[error.start or 1 :]
    return spelled
