"""Reads what is asked of the wording of each source's target."""

from __future__ import annotations

from collections.abc import Sequence

from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.phrases.glossary import Glossary
from seq2seq_core.decoding.phrases.phrase_matcher import phrases_in
from seq2seq_core.decoding.phrases.phrase_room import check_rooms
from seq2seq_core.decoding.phrases.phrase_speller import PhraseSpeller
from seq2seq_core.decoding.phrases.row_phrases import RowPhrases
from seq2seq_core.decoding.phrases.wanted_phrases import (
    FORBID,
    FORCE,
    GLOSSARY,
    NEEDS_TEXTS,
    PhraseError,
    Phrases,
    check_phrases,
    resolve,
)
from seq2seq_core.decoding.prediction import Prediction
from seq2seq_core.decoding.stopping import Stop, check_stop
from seq2seq_core.json_text import shorten
from seq2seq_core.normal_form import NormalForm
from seq2seq_core.tokenization.subword import SubwordModel

AskedPhrases = Phrases | Sequence[Phrases] | None
"""The same for all sources, for each source, or nothing."""


class PhraseReader:
    """Turns phrases into what a search needs.

    Args:
        tokenizer: of targets.
        form: the normal form of the model's texts.
        has_frames: whether sources are no texts.
    """

    def __init__(self, tokenizer: SubwordModel, form: NormalForm, has_frames: bool = False) -> None:
        self.speller, self.form, self.has_frames = PhraseSpeller(tokenizer), form, has_frames

    def read(self, asked: AskedPhrases, sources: Sequence[object], stop: Stop | None = None) -> list[RowPhrases | None]:
        """What each target must and must not contain; None: nothing is asked of it.

        Args:
            asked: the phrases.
            sources: the sources.
            stop: asked before every source; ends the reading.

        Raises:
            PhraseError: a phrase cannot be forced or forbidden.
            DecodingStopped: ``stop`` said so.
        """
        if asked is None or (isinstance(asked, Phrases) and asked.is_empty):
            return [None] * len(sources)
        if isinstance(asked, Phrases):
            wanted = self.resolve(asked, sources, stop)
        else:
            if len(asked) != len(sources):
                raise ValueError(f"expected phrases for each of {len(sources)} sources, got {len(asked)}")
            wanted = [self.resolve(one, [source])[0] for one, source in zip(asked, sources, strict=True)]
        found = list[RowPhrases | None]()
        for one in wanted:
            check_stop(stop)
            found.append(None if one.is_empty else self.speller.spell(one))
        return found

    def check(self, asked: Phrases | None, options: DecodingOptions) -> None:
        """Checks what is asked before any source is read, every entry of a glossary included.

        Args:
            asked: the phrases, for all sources; None: none.
            options: the decoding options.

        Raises:
            PhraseError: a phrase cannot be forced or forbidden.
        """
        if asked is None or asked.is_empty:
            return
        common = check_phrases(asked, self.form)
        if common.glossary and self.has_frames:
            raise PhraseError(GLOSSARY, NEEDS_TEXTS)
        for force in (common.force, *((target,) for target in dict.fromkeys(common.glossary.values()))):
            check_rooms([self.speller.spell(Phrases(force, common.forbid))], options)

    def resolve(self, asked: Phrases, sources: Sequence[object], stop: Stop | None = None) -> list[Phrases]:
        """What is asked of each source's target, without glossary.

        Args:
            asked: the phrases, for all sources.
            sources: the sources.
            stop: asked before every source; ends the reading.

        Raises:
            PhraseError: a phrase is no text, empty or too long, there are too many, or a glossary is for sources that are no texts.
        """
        common = check_phrases(asked, self.form)
        glossary = Glossary(common.glossary) if common.glossary else None
        found = []
        for source in sources:
            check_stop(stop)
            found.append(resolve(common, glossary, self._text(source)))
        return found

    def _text(self, source: object) -> str | None:
        """The source in the normal form; None: it is no text."""
        return self.form.apply(source) if isinstance(source, str) and not self.has_frames else None


def groups_of_phrases(rows: Sequence[RowPhrases | None], options: DecodingOptions) -> list[tuple[int, list[int]]]:
    """The positions of rows that are decoded alike, those without phrases first, and the width of each group's search.

    Args:
        rows: the phrases of each.
        options: the decoding options.
    """
    groups: dict[tuple[bool, bool, int], list[int]] = {}
    for place, row in enumerate(rows):
        key = (
            row is not None,
            row is not None and bool(row.forced),
            options.rows_per_source if row is None else row.width(options),
        )
        groups.setdefault(key, []).append(place)
    return [(width, places) for (_, _, width), places in sorted(groups.items())]


def check_texts(row: RowPhrases | None, prediction: Prediction) -> None:
    """Checks that texts contain what was forced, and nothing that was forbidden.

    Args:
        row: the phrases; None: there are none.
        prediction: of their source.

    Raises:
        PhraseError: a text does not.
    """
    for one in prediction.hypotheses if row is not None else ():
        assert row is not None
        wanted = list(row.phrases.force)
        found = phrases_in(one.text, [*wanted, *row.phrases.forbid])
        if found != wanted:
            broken = next(phrase for phrase in [*wanted, *row.phrases.forbid] if (phrase in found) != (phrase in wanted))
            name = FORCE if broken in wanted else FORBID
            raise PhraseError(name, f"no target was found that keeps to {shorten(broken)!r}")
