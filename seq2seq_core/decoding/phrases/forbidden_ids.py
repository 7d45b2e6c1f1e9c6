"""The ids that would complete a forbidden phrase, however it is spelled."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq_core.decoding.phrases.phrase_matcher import MARK, OTHER, SPACE, WORD, PhraseMatcher
from seq2seq_core.decoding.phrases.piece_texts import INVALID, Ids, PieceTexts, Spelled
from seq2seq_core.tokenization.special_tokens import EOS_ID

_MOST_OUTLOOKS, _MOST_BYTES = 2000, 2 << 20
"""What is kept of the ids that may follow."""


@dataclass(frozen=True, eq=False)
class Outlook:
    """What may follow some ids.

    Attributes:
        dead: ids after which a forbidden phrase occurs, whatever follows.
        open: ids after which one occurs if the text ends there. A further id must join its last word.
        can_end: whether the text may end now.
    """

    dead: Ids
    open: Ids
    can_end: bool


class ForbiddenIds:
    """The ids that lead to forbidden phrases.

    Args:
        phrases: texts that are not empty.
        pieces: the texts of the ids.
    """

    def __init__(self, phrases: Sequence[str], pieces: PieceTexts) -> None:
        self.phrases, self.matcher, self.pieces = tuple(phrases), PhraseMatcher(phrases), pieces
        self._outlooks: dict[Spelled, Outlook] = {}
        self._num_bytes = 0
        self._exits: dict[Spelled, bool] = {}

    def read(self, spelled: Spelled, id_: int) -> Spelled:
        """What is spelled after one more id."""
        return self.pieces.read(self.matcher, spelled, id_)

    def is_dead(self, spelled: Spelled) -> bool:
        """Whether a forbidden phrase occurs, whatever follows."""
        return bool(spelled.match.found)

    def can_end(self, spelled: Spelled) -> bool:
        """Whether no forbidden phrase occurs if the text ends here."""
        return not self.pieces.end(self.matcher, spelled)

    def outlook(self, spelled: Spelled) -> Outlook:
        """What may follow; an id after which the text could neither end nor go on counts as dead.

        Args:
            spelled: by the ids so far, without a forbidden phrase.
        """
        if (found := self._outlooks.get(spelled)) is None:
            if len(self._outlooks) >= _MOST_OUTLOOKS or self._num_bytes > _MOST_BYTES:
                self._outlooks.clear()
                self._num_bytes = 0
            dead, open_ = self._look(spelled)
            stuck = [id_ for id_, after in open_ if not self._has_exit(after)]
            left = np.array([id_ for id_, _ in open_ if id_ not in set(stuck)], dtype=np.int32)
            dead = np.union1d(dead, np.array(stuck, dtype=np.int32)).astype(np.int32)
            found = self._outlooks[spelled] = Outlook(dead, left, self.can_end(spelled))
            self._num_bytes += dead.nbytes + left.nbytes
        return found

    def _has_exit(self, spelled: Spelled) -> bool:
        """Whether a further id gives a text that may end."""
        if (found := self._exits.get(spelled)) is None:
            if len(self._exits) >= _MOST_OUTLOOKS:
                self._exits.clear()
            dead, open_ = self._look(spelled)
            closed = {*dead.tolist(), *(id_ for id_, _ in open_), *self.pieces.silent}
            found = self._exits[spelled] = len(closed) < self.pieces.size
        return found

    def _look(self, spelled: Spelled) -> tuple[Ids, list[tuple[int, Spelled]]]:
        """The ids after which a forbidden phrase occurs for good, and those after which it occurs at the end."""
        dead, asked = self._ids_to_read(spelled)
        open_, found = list[tuple[int, Spelled]](), list[int]()
        for id_ in asked:
            after = self.read(spelled, id_)
            if self.is_dead(after):
                found.append(id_)
            elif id_ != EOS_ID and not self.can_end(after):
                open_.append((id_, after))
        return np.union1d(dead, np.array(found, dtype=np.int32)).astype(np.int32), open_

    def _ids_to_read(self, spelled: Spelled) -> tuple[Ids, list[int]]:
        """Ids that are known to be dead, and others that may be dead or open; all that remain are neither."""
        pieces, matcher, match = self.pieces, self.matcher, self.matcher.settle(spelled.match)
        none = np.array([], dtype=np.int32)
        if spelled.is_escaped or spelled.data:
            return none, list(range(pieces.size))
        asked = {*pieces.odd, *pieces.marked}
        for first in matcher.firsts:
            asked.update(pieces.by_start.get(first, ()), self._bytes(first))
        for expected in matcher.expected(match):
            if expected == " ":
                asked.update(pieces.by_kind[SPACE].tolist(), *map(self._bytes, string.whitespace))
            else:
                asked.update(pieces.by_first.get(expected, ()), self._bytes(expected))
        if match.state and match.before == SPACE:  # which further white space leaves as it is
            asked.update(pieces.by_kind[SPACE].tolist())
        if not matcher.complete(match):
            return none, sorted(asked)
        asked.update(pieces.silent, pieces.by_byte.values())
        kinds = [kind for kind in (OTHER, WORD, SPACE, MARK) if matcher.confirms(match, kind)]
        dead = np.concatenate([none, *(pieces.by_kind[kind] for kind in kinds)])
        return dead, sorted(asked.difference(dead.tolist()))

    def _bytes(self, character: str) -> list[int]:
        """The ids of bytes that spell a character at once."""
        if character == INVALID:
            return list(self.pieces.by_byte.values())
        found = self.pieces.by_byte.get(character.encode("utf-8", "replace"))
        return [] if found is None else [found]
