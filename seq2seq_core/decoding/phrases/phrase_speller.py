"""Spells phrases by a model's subwords."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate, islice
from threading import RLock
from typing import Any

from seq2seq_core.decoding.phrases.forbidden_ids import ForbiddenIds
from seq2seq_core.decoding.phrases.forced_phrase import ForcedPhrase
from seq2seq_core.decoding.phrases.phrase_matcher import Match, PhraseMatcher
from seq2seq_core.decoding.phrases.piece_texts import NOTHING, PieceTexts
from seq2seq_core.decoding.phrases.row_phrases import RowPhrases
from seq2seq_core.decoding.phrases.wanted_phrases import FORCE, GLOSSARY, MAX_FORCED, PhraseError, Phrases
from seq2seq_core.json_text import shorten
from seq2seq_core.tokenization.special_tokens import UNK_ID
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.tokenization.unknown_symbols import unknown_in

EITHER = f"{FORCE} or {GLOSSARY}"
_SEPARATORS = (",", ".", ";", ":", "-", "/")
_CONTEXT = "-"
"""A character behind which a phrase is spelled as directly after a text."""
_NUM_WORDS = 8
"""Words that may stand between two phrases where no punctuation may."""
_MOST_ROWS, _MOST_SPELLINGS = 8, 500
"""What is kept for later requests; what was worked out for a row can take a few MiB."""


class PhraseSpeller:
    """Makes the phrases of rows from texts; equal phrases share what was worked out for them.

    Args:
        tokenizer: of targets.
    """

    def __init__(self, tokenizer: SubwordModel) -> None:
        self.tokenizer = tokenizer
        self._lock = RLock()  # several requests are read at the same time
        self._rows: dict[tuple[tuple[str, ...], tuple[str, ...]], RowPhrases] = {}
        self._forbidden: dict[tuple[str, ...], ForbiddenIds] = {}
        self._forced: dict[str, ForcedPhrase] = {}

    @cached_property
    def pieces(self) -> PieceTexts:
        """The texts of the ids."""
        return PieceTexts(self.tokenizer)

    @cached_property
    def _punctuation(self) -> list[tuple[int, ...]]:
        wanted = {text for one in _SEPARATORS for text in (one, f" {one}")}
        return [(id_,) for id_, text in enumerate(self.pieces.texts) if text in wanted]

    @cached_property
    def _words(self) -> list[tuple[int, ...]]:
        words = [id_ for id_, text in enumerate(self.pieces.texts) if isinstance(text, str) and _is_word(text)]
        return [(id_,) for id_ in words] or self._spelled_letters()

    def separators(self, forbidden: ForbiddenIds) -> list[tuple[int, ...]]:
        """Ids that may stand between two phrases: punctuation, and behind it words that are not forbidden.

        Args:
            forbidden: the ids that lead to forbidden phrases.
        """
        allowed = (ids for ids in self._words if forbidden.can_end(self.pieces.read_all(forbidden.matcher, ids)))
        return [*self._punctuation, *islice(allowed, _NUM_WORDS)]

    def _spelled_letters(self) -> list[tuple[int, ...]]:
        """Letters as words of their own, for a tokeniser without an id for a word; those that take the fewest ids."""
        letters = [text for text in self.pieces.texts if isinstance(text, str) and len(text) == 1 and text.isalpha()]
        spelled = [tuple(ids) for ids in self.tokenizer.encode([f" {letter}" for letter in letters])]
        known = [ids for ids in spelled if ids and UNK_ID not in ids]
        return [ids for ids in known if len(ids) == min(map(len, known))]

    def spell(self, phrases: Phrases) -> RowPhrases:
        """The phrases of one target as a search needs them.

        Args:
            phrases: resolved, without glossary.

        Raises:
            PhraseError: the tokeniser cannot spell a forced phrase, or it contains a forbidden one, or there are too many.
        """
        key, count = (phrases.force, phrases.forbid), len(phrases.force)
        if count > MAX_FORCED:
            raise PhraseError(EITHER, f"must be at most {MAX_FORCED} forced phrases in a target, got {count}")
        with self._lock:
            if (row := self._rows.get(key)) is None:
                forbidden = self._forbid(phrases.forbid)
                forced = [self._force(phrase, forbidden) for phrase in phrases.force]
                _keep_few(self._rows, _MOST_ROWS)
                row = self._rows[key] = RowPhrases(phrases, forced, self.separators(forbidden), self.pieces, forbidden)
            return row

    def _forbid(self, phrases: tuple[str, ...]) -> ForbiddenIds:
        if (found := self._forbidden.get(phrases)) is None:
            _keep_few(self._forbidden, _MOST_ROWS)
            found = self._forbidden[phrases] = ForbiddenIds(phrases, self.pieces)
        return found

    def _force(self, phrase: str, forbidden: ForbiddenIds) -> ForcedPhrase:
        """A phrase with its spellings, which contains none that is forbidden."""
        matcher = forbidden.matcher
        if found := matcher.ended(matcher.read(Match(), phrase)):
            other = forbidden.phrases[min(found)]
            raise PhraseError(EITHER, f"{shorten(phrase)!r} is forced and forbidden at once (forbid has {shorten(other)!r})")
        if (spelled := self._forced.get(phrase)) is None:
            _keep_few(self._forced, _MOST_SPELLINGS)
            spelled = self._forced[phrase] = self._spell_one(phrase)
        return spelled

    def _spell_one(self, phrase: str) -> ForcedPhrase:
        """A phrase with its spellings."""
        alone, spaced, context, behind = self.tokenizer.encode([phrase, f" {phrase}", _CONTEXT, _CONTEXT + phrase])
        joined = behind[len(context) :] if behind[: len(context)] == context else []
        candidates = dict.fromkeys(tuple(ids) for ids in (alone, joined, spaced) if ids and UNK_ID not in ids)
        matcher = PhraseMatcher([phrase])
        spellings = [ids for ids in candidates if self.pieces.end(matcher, self.pieces.read_all(matcher, ids))]
        if not spellings:
            raise PhraseError(EITHER, self._why_not_spell(phrase))
        return ForcedPhrase(phrase, tuple(spellings), tuple(self._lengths(matcher, ids) for ids in spellings))

    def _lengths(self, matcher: PhraseMatcher, ids: Sequence[int]) -> tuple[int, ...]:
        """The characters of the phrase that the first ids spell."""
        spelled = accumulate(ids, lambda before, id_: self.pieces.read(matcher, before, id_), initial=NOTHING)
        return tuple(matcher.depth(one.match) for one in list(spelled)[1:])

    def _why_not_spell(self, phrase: str) -> str:
        """The reason why a phrase has no spelling: the characters that the tokeniser lacks."""
        unknown = unknown_in(phrase, self.tokenizer)
        named = f": it lacks {', '.join(map(repr, unknown[:5]))}" if unknown and self.tokenizer.kind != "symbols" else ""
        return f"the model's tokeniser cannot spell {shorten(phrase)!r}{named}"


def _is_word(text: str) -> bool:
    """Whether the text of an id is a word behind a space."""
    return text.startswith(" ") and text[1:].isalpha()


def _keep_few(kept: dict[Any, Any], most: int) -> None:
    """Makes room for one more entry: the oldest goes."""
    while len(kept) >= most:
        del kept[next(iter(kept))]
